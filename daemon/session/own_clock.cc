#include "session/own_clock.h"

#include <unistd.h>

#include <chrono>

#include "session/status_of.h"

namespace vpntun::session {
namespace {

// systemd-timesyncd(8) makes the first when it starts, and the second when it has set the clock.
// The kernel knows too, but adjtimex(2) is a call that a sandboxed service does not have.
constexpr const char* kTimeService = "/run/systemd/timesync";
constexpr const char* kSynchronised = "/run/systemd/timesync/synchronized";

}  // namespace

OwnClock own_clock(const config::Profile& profile) {
  if (unix_usec(std::chrono::system_clock::now()) < profile.modified_usec) return OwnClock::kBehind;
  if (::access(kTimeService, F_OK) == 0 && ::access(kSynchronised, F_OK) != 0)
    return OwnClock::kUnsynchronised;
  return OwnClock::kNothingKnown;
}

}  // namespace vpntun::session
