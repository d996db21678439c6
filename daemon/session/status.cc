#include "session/status.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

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

std::string_view state_word(const PeerStatus& peer) noexcept {
  return peer.public_key.empty() ? std::string_view() : to_string(peer.state);
}

namespace {

std::string heard(const std::vector<PeerStatus>& peers) {
  const auto count = std::ranges::count_if(
      peers, [](const PeerStatus& peer) { return peer.last_received_usec != 0; });
  return fmt::format("{} of {} peers heard", count, peers.size());
}

// As long as a peer is fresh, the last handshake is less than three minutes ago.
std::string fresh(const std::vector<PeerStatus>& peers) {
  const auto count = std::ranges::count(peers, PeerState::kFresh, &PeerStatus::state);
  std::uint64_t last = 0;
  for (const PeerStatus& peer : peers) last = std::max(last, peer.latest_handshake_usec);
  std::string text = fmt::format("{}/{} peers fresh", count, peers.size());
  if (count != 0 || last == 0) return text;
  const auto seconds = static_cast<std::time_t>(last / 1'000'000);
  return text + fmt::format(", last handshake {:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(seconds));
}

}  // namespace

std::string summary(const Status& status) {
  const bool bad = status.health == Health::kDegraded || status.health == Health::kFailing;
  if (bad)
    return fmt::format("{}: {}: {}", status.interface, to_string(status.health),
                       status.reason.text);
  const bool encrypted = status.encryption == config::Encryption::kWireguard;
  return fmt::format("{}: {}, {}", status.interface, to_string(status.health),
                     encrypted ? fresh(status.peers) : heard(status.peers));
}

}  // namespace vpntun::session
