#include "wg/peer.h"

#include <algorithm>
#include <utility>

#include "wg/timestamp.h"

namespace vpntun::wg {
namespace {

// The step of timestamps (timestamp.h).
constexpr std::chrono::nanoseconds kTimestampStep{1 << 24};

}  // namespace

Peer::Peer(PeerId number, const crypto::PublicKey& public_key) : id(number), cookies(public_key) {
  pairing.remote = public_key;
}

void Peer::pair(const std::optional<Identity>& own,
                const std::optional<crypto::SecretKey>& preshared) noexcept {
  paired = false;
  pairing.precomputed = {};
  pairing.preshared = preshared.value_or(crypto::SecretKey{});
  if (!own || own->public_key == pairing.remote) return;
  if (const auto made = pair_with(*own, pairing.remote, preshared)) {
    pairing = *made;
    paired = true;
  }
}

bool Peer::note_behind(const Timestamp& timestamp) noexcept {
  if (timestamp == greatest_received || timestamp <= greatest_behind) return false;
  return std::exchange(greatest_behind, timestamp) != Timestamp{};
}

Timestamp Peer::next_timestamp(std::chrono::nanoseconds wall_clock) noexcept {
  const bool first = last_timestamp == std::chrono::nanoseconds::min();
  last_timestamp = first ? wall_clock : std::max(wall_clock, last_timestamp + kTimestampStep);
  return timestamp_of(last_timestamp);
}

}  // namespace vpntun::wg
