// What can be known of the host's wall clock: handshakes of WireGuard carry it, and a peer refuses
// one whose time is not later than that of the last. It is not told, so all an end can do is to
// look at its own clock. Called by Running. Thread: any.
#pragma once

#include "config/profile.h"
#include "session/health.h"

namespace vpntun::session {

OwnClock own_clock(const config::Profile& profile);

}  // namespace vpntun::session
