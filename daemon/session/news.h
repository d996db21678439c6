// The lines of the log about what a look at a running session found changed. Called by Running.
// Thread: control.
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "session/health.h"
#include "session/status_of.h"

namespace vpntun::session {

void log_health(const Assessment& assessment);
void log_endpoint(const std::string& peer, const std::optional<Endpoint>& before,
                  const std::optional<Endpoint>& now);
// The first session with a peer, or one after the former had expired: not every renewal.
void log_session(const std::string& peer, const Shown::Peer& before, const Shown::Peer& now);

// That ICMP refuses what is sent to it, and who says so.
void log_refused(const PeerFacts& peer, const Shown::Peer& before, const Shown::Peer& now);

// What the kernel did for many packets at once, and does not any more.
void log_lost_offloads(const packet::OffloadStates& before, const packet::OffloadStates& now);

}  // namespace vpntun::session
