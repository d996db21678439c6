// Ctrl-C and SIGTERM as something to wait for, so that --watch and capture end in order. Thread:
// main.
#pragma once

#include <signal.h>

#include <chrono>

#include "base/unique_fd.h"

namespace vpntun::ctl {

// While it lives, SIGINT and SIGTERM do not kill the program.
class StopSignal {
 public:
  StopSignal();  // throws Error
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  enum class Woken { kStop, kReadable, kTimeout };
  // Until the user stops us, fd (-1: none) is readable or at its end, or the time is over. A
  // negative timeout: no end.
  Woken wait(int fd, std::chrono::milliseconds timeout) const;

 private:
  sigset_t before_{};
  UniqueFd signals_;
};

}  // namespace vpntun::ctl
