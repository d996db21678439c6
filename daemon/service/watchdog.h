// The service manager's watchdog (WatchdogSec=): fed only while everything that has to be alive
// answers. A question is asked several times in each of its periods; an answer feeds it. A control
// thread that hangs asks nothing, a worker that hangs answers nothing: both starve it, and the
// service manager ends the process. Thread: control.
#pragma once

#include <functional>

#include "service/loop.h"

namespace vpntun::service {

class Watchdog {
 public:
  // ask: has to bring about one call of answered, soon and from the loop. Without a watchdog
  // ($WATCHDOG_USEC) nothing is asked.
  using Ask = std::function<void(std::function<void()> answered)>;
  Watchdog(Loop& loop, Ask ask);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void turn();
  void answered();

  Loop& loop_;
  Ask ask_;
  Duration interval_{};  // between two questions; 0: there is no watchdog
  int waiting_ = 0;      // turns without an answer
  EventSource timer_;
};

}  // namespace vpntun::service
