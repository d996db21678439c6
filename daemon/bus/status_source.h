// A session's status for many property getters: read once for each turn of the loop, and not kept
// longer, for it is large where there are many peers. Called by the session's objects. Thread:
// control.
#pragma once

#include <optional>

#include "service/loop.h"
#include "session/session.h"

namespace vpntun::bus {

class StatusSource {
 public:
  StatusSource(const session::Session& session, service::Loop& loop)
      : session_(session), turn_(loop.add_post([this] { status_.reset(); })) {}
  // The loop calls back into this object.
  StatusSource(const StatusSource&) = delete;
  StatusSource& operator=(const StatusSource&) = delete;

  // Valid until the turn ends, or again().
  const session::Status& now() { return status_ ? *status_ : again(); }
  // The same after a change that the session told of.
  const session::Status& again() { return status_.emplace(session_.status()); }

 private:
  const session::Session& session_;
  std::optional<session::Status> status_;
  service::EventSource turn_;
};

}  // namespace vpntun::bus
