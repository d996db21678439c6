// The Status of a running session, and the part of it whose changes are announced, put together
// from values. Called by Running. Pure, but for the clock that turns instants into dates.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/profile.h"
#include "dataplane/workers.h"
#include "session/health.h"
#include "session/host_config.h"
#include "session/status.h"

namespace vpntun::session {

std::uint64_t unix_usec(std::chrono::system_clock::time_point when);
std::vector<std::string> texts_of(const std::vector<IpPrefix>& prefixes);

// What follows from profile, facts and counters; what only the running session knows (process,
// ports, mtu) it adds itself.
Status status_of(const config::Profile& profile, const HostConfig& wanted, const Facts& seen,
                 const Assessment& assessment, const dataplane::Snapshot& snapshot);

// What on_changed() is about: reasons by their code, since their text may carry a running time.
struct Shown {
  struct Peer {
    Health health = Health::kUnknown;
    std::string code;
    std::optional<Endpoint> endpoint;
    PeerState state = PeerState::kNever;
    bool has_session = false;
    bool operator==(const Peer&) const = default;
  };
  Health health = Health::kUnknown;
  std::vector<std::string> codes;
  packet::OffloadStates offloads;
  std::vector<Peer> peers;
  bool operator==(const Shown&) const = default;
};

Shown shown_of(const Facts& facts, const Assessment& assessment, Instant now);

}  // namespace vpntun::session
