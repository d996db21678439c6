#include "dataplane/own_datagram.h"

#include <algorithm>

#include "packet/ip_view.h"

namespace vpntun::dataplane {

bool is_own_datagram(std::span<const std::uint8_t> packet, const Endpoint& endpoint) noexcept {
  // Where both IP headers have the destination; nearly every packet ends here.
  const std::span<const std::uint8_t> address = endpoint.address.bytes();
  const std::size_t offset = endpoint.address.is_v4() ? 16 : 24;
  if (packet.size() < offset + address.size() ||
      !std::equal(address.begin(), address.end(),
                  packet.begin() + static_cast<std::ptrdiff_t>(offset)))
    return false;
  const auto ip = packet::IpView::parse(packet);
  if (!ip || ip->protocol() != packet::kProtocolUdp || ip->is_later_fragment()) return false;
  const auto udp = packet::UdpView::parse(ip->payload());
  return udp && udp->destination_port() == endpoint.port && ip->destination() == endpoint.address;
}

}  // namespace vpntun::dataplane
