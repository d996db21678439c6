#include "session/status.h"

#include <fmt/format.h>

#include <algorithm>

namespace vpntun::session {

std::string_view to_string(EndpointSource source) noexcept {
  switch (source) {
    case EndpointSource::kConfigured:
      return "configured";
    case EndpointSource::kResolved:
      return "resolved";
    case EndpointSource::kLearned:
      return "learned";
    case EndpointSource::kNone:
      break;
  }
  return "none";
}

std::string summary(const Status& status) {
  const auto heard =
      std::count_if(status.peers.begin(), status.peers.end(),
                    [](const PeerStatus& peer) { return peer.last_received_usec != 0; });
  const bool bad = status.health == Health::kDegraded || status.health == Health::kFailing;
  if (bad)
    return fmt::format("{}: {}: {}", status.interface, to_string(status.health),
                       status.reason.text);
  return fmt::format("{}: {}, {} of {} peers heard", status.interface, to_string(status.health),
                     heard, status.peers.size());
}

}  // namespace vpntun::session
