// The two axes of a tunnel's state: lifecycle (what was asked for and done) and health (whether
// traffic passes). `running` never claims that traffic passes. The strings are the D-Bus and JSON
// words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vpntun {

enum class Lifecycle {
  kStopped,    // no session process; nothing of ours on the host
  kStarting,   // a session process is on its way and has not said it is ready; also in the place
               // of an earlier one
  kRunning,    // interface, addresses, routes and sockets are as the profile wants them
  kReloading,  // running, a changed profile is being applied
  kStopping,   // the session was told to end
  kFailed,     // the last start failed or the session died; the reason is kept
};

enum class Health {
  kUnknown,   // nothing can be said yet (no traffic)
  kHealthy,   // packets go both ways
  kDegraded,  // works in part: a peer silent, a name unresolved, a setting refused
  kFailing,   // packets go out and none come back, or nothing can be sent
};

std::string_view to_string(Lifecycle state) noexcept;
std::string_view to_string(Health health) noexcept;
std::optional<Health> parse_health(std::string_view word) noexcept;

// Whether the state machine allows the move; anything else is a bug of the caller.
bool is_legal(Lifecycle from, Lifecycle to) noexcept;

// Why health is as it is: a stable code such as "no-reply" (empty: nothing to say) and one
// sentence.
struct Reason {
  std::string code;
  std::string text;
  bool operator==(const Reason&) const = default;
};

}  // namespace vpntun
