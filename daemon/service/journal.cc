#include "service/journal.h"

// Where in our sources a line was written is of no use to who reads it.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace vpntun::service {

namespace {

class Entry {
 public:
  void add(const char* field, std::string_view value) {
    if (!value.empty()) fields_.push_back(fmt::format("{}={}", field, value));
  }

  bool send() {
    std::vector<iovec> parts;
    parts.reserve(fields_.size());
    for (std::string& field : fields_) parts.push_back({field.data(), field.size()});
    return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) >= 0;
  }

 private:
  std::vector<std::string> fields_;
};

bool send(const log::Line& line) {
  Entry entry;
  entry.add("MESSAGE", line.text);
  entry.add("PRIORITY", std::to_string(static_cast<int>(line.level)));
  entry.add("SYSLOG_IDENTIFIER", log::kIdentifier);
  if (line.event) {
    const log::EventInfo& event = log::info_of(*line.event);
    entry.add("MESSAGE_ID", event.message_id);
    entry.add("VPNTUN_EVENT", event.word);
  }
  entry.add("VPNTUN_TUNNEL", line.fields.tunnel);
  entry.add("VPNTUN_PEER", line.fields.peer);
  entry.add("VPNTUN_REASON", line.fields.reason);
  entry.add("VPNTUN_ENDPOINT", line.fields.endpoint);
  entry.add("INTERFACE", line.fields.interface);
  if (line.repeated != 0) entry.add("VPNTUN_REPEATED", std::to_string(line.repeated));
  return entry.send();
}

}  // namespace

log::Journal journal_of_stderr() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return {};
  if (fmt::format("{}:{}", status.st_dev, status.st_ino) != stream) return {};
  return send;
}

}  // namespace vpntun::service
