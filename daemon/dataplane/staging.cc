#include "dataplane/staging.h"

#include <utility>

namespace vpntun::dataplane {

std::size_t Staging::hold(wg::PeerId peer, std::span<const std::uint8_t> packet) {
  Packets& packets = waiting_[peer];
  std::size_t dropped = 0;
  while (!packets.empty() &&
         (packets.size() == kMaxPackets || bytes_ + packet.size() > kMaxBytes)) {
    bytes_ -= packets.front().size();
    packets.pop_front();
    ++dropped;
  }
  if (bytes_ + packet.size() > kMaxBytes) {
    if (packets.empty()) waiting_.erase(peer);
    return dropped + 1;
  }
  packets.emplace_back(packet.begin(), packet.end());
  bytes_ += packet.size();
  return dropped;
}

Staging::Packets Staging::take(wg::PeerId peer) {
  auto node = waiting_.extract(peer);
  if (!node) return {};
  for (const auto& packet : node.mapped()) bytes_ -= packet.size();
  return std::move(node.mapped());
}

}  // namespace vpntun::dataplane
