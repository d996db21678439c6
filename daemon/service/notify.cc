#include "service/notify.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace vpntun::service {

void notify_ready() {
  sd_notify(0, "READY=1");
}

void notify_stopping() {
  sd_notify(0, "STOPPING=1");
}

void notify_status(std::string_view text) {
  std::string message = "STATUS=";
  message += text;
  // A line break would start another assignment.
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  sd_notify(0, message.c_str());
}

bool started_by_systemd() {
  const char* pid = ::getenv("SYSTEMD_EXEC_PID");
  return pid != nullptr && std::to_string(::getpid()) == pid;
}

}  // namespace vpntun::service
