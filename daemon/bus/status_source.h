// A session's status for many property getters: read once for each turn of the loop. Called by the
// session's objects. Thread: control.
#pragma once

#include "service/loop.h"
#include "session/session.h"

namespace vpntun::bus {

class StatusSource {
 public:
  StatusSource(const session::Session& session, const service::Loop& loop)
      : session_(session), loop_(loop), status_(session.status()), read_at_(loop.now()) {}

  const session::Status& now();
  // The same after a change that the session told of.
  const session::Status& again();

 private:
  const session::Session& session_;
  const service::Loop& loop_;
  session::Status status_;
  Instant read_at_;
};

}  // namespace vpntun::bus
