#include "base/tunnel_state.h"

#include <array>

namespace vpntun {

std::string_view to_string(Lifecycle state) noexcept {
  switch (state) {
    case Lifecycle::kStopped:
      return "stopped";
    case Lifecycle::kStarting:
      return "starting";
    case Lifecycle::kRunning:
      return "running";
    case Lifecycle::kReloading:
      return "reloading";
    case Lifecycle::kStopping:
      return "stopping";
    case Lifecycle::kFailed:
      break;
  }
  return "failed";
}

std::string_view to_string(Health health) noexcept {
  switch (health) {
    case Health::kUnknown:
      return "unknown";
    case Health::kHealthy:
      return "healthy";
    case Health::kDegraded:
      return "degraded";
    case Health::kFailing:
      break;
  }
  return "failing";
}

std::optional<Health> parse_health(std::string_view word) noexcept {
  for (const Health health :
       std::array{Health::kUnknown, Health::kHealthy, Health::kDegraded, Health::kFailing})
    if (to_string(health) == word) return health;
  return std::nullopt;
}

bool is_legal(Lifecycle from, Lifecycle to) noexcept {
  using enum Lifecycle;
  switch (from) {
    case kStopped:
    case kFailed:
      // Running without starting: a session found on the bus (started by systemd, or before this
      // manager). From the one to the other: what somebody else started failed; it was forgotten.
      return to == kStarting || to == kRunning || to == (from == kFailed ? kStopped : kFailed);
    case kStarting:
      return to == kRunning || to == kStopping || to == kFailed || to == kStopped;
    case kRunning:
      return to == kReloading || to == kStarting || to == kStopping || to == kFailed ||
             to == kStopped;
    case kReloading:
      return to == kRunning || to == kStarting || to == kStopping || to == kFailed ||
             to == kStopped;
    case kStopping:
      // Running: it could not be stopped. Starting: it was a restart that somebody else asked for.
      return to == kStopped || to == kFailed || to == kRunning || to == kStarting;
  }
  return false;
}

}  // namespace vpntun
