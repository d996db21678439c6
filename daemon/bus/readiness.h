// When a start is done, and the line that the service manager shows: READY=1 goes out at once, or
// with ready-when = "handshake" when the first peer was heard. Called by the session daemon.
// Thread: control.
#pragma once

#include <functional>

#include "service/loop.h"
#include "session/session.h"

namespace vpntun::bus {

class Readiness {
 public:
  Readiness(session::Session& session, service::Loop& loop) : session_(session), loop_(loop) {}
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  // When everything is there that a peer or a caller needs. became_ready: called once.
  void begin(std::function<void()> became_ready);
  bool ready() const noexcept { return ready_; }
  // After a change of the session.
  void tell_status(const session::Status& now) const;

 private:
  void look();
  void be_ready();

  session::Session& session_;
  service::Loop& loop_;
  std::function<void()> became_ready_;
  bool ready_ = false;
  service::EventSource next_look_;
};

}  // namespace vpntun::bus
