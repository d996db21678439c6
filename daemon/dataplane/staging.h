// Packets that wait for a session with their peer: the last kMaxPackets of each, and kMaxBytes of
// all. Thread: a worker that holds the tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

#include "wg/device.h"

namespace vpntun::dataplane {

class Staging {
 public:
  static constexpr std::size_t kMaxPackets = 128;     // of a peer; the oldest goes
  static constexpr std::size_t kMaxBytes = 8u << 20;  // of all peers

  using Packets = std::deque<std::vector<std::uint8_t>>;

  // Returns how many packets had to go for it, this one included when there is no room at all.
  std::size_t hold(wg::PeerId peer, std::span<const std::uint8_t> packet);
  bool has(wg::PeerId peer) const noexcept {
    return !waiting_.empty() && waiting_.find(peer) != waiting_.end();
  }
  // All that waits for the peer, oldest first. It waits no longer.
  Packets take(wg::PeerId peer);

 private:
  std::size_t bytes_ = 0;
  std::unordered_map<wg::PeerId, Packets> waiting_;
};

}  // namespace vpntun::dataplane
