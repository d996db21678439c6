// Who may call what: one table, one decision point. Today: what changes something is for root and
// for the user this process runs as. A polkit authority would answer the same question. Called by
// the objects. Thread: control.
#pragma once

#include <sdbus-c++/Error.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "bus/connection.h"

namespace vpntun::bus {

enum class Action {
  kInspect,  // everybody
  kManage,   // start and stop tunnels
  kCapture,  // see or forge the packets inside
};

// none: not in the table, so nobody may.
std::optional<Action> action_of(std::string_view interface, std::string_view method) noexcept;

class Authority {
 public:
  // Nothing: allowed. Else the error to reply.
  using Decided = std::function<void(std::optional<sdbus::Error> refused)>;
  static constexpr int kMaximumPending = 16;  // questions of one caller

  explicit Authority(Connection& connection);
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  // caller: its unique bus name. Decided exactly once, from inside the call only for kInspect and
  // for too many questions. An error, a timeout and a caller that is gone are all a refusal.
  void check(const std::string& caller, std::optional<Action> action, Decided decided);

 private:
  Connection& connection_;
  std::map<std::string, int> pending_;
};

}  // namespace vpntun::bus
