#include "packet/coalesce_flow.h"

#include <cstring>
#include <optional>

#include "base/wire.h"
#include "packet/checksum.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
constexpr std::uint8_t kNeverMerged = TcpView::kSyn | TcpView::kRst | TcpView::kUrg | TcpView::kCwr;

constexpr unsigned kDontFragment = 0x4000;

std::uint16_t word(std::span<const std::uint8_t> bytes, std::size_t offset) noexcept {
  return load_be<std::uint16_t>(&bytes[offset]);
}

bool equal(const FlowPacket& a, const FlowPacket& b, std::size_t offset,
           std::size_t length) noexcept {
  return std::memcmp(&a.bytes[offset], &b.bytes[offset], length) == 0;
}

std::size_t addresses_at(const FlowPacket& packet) noexcept {
  return packet.network + (packet.v4 ? std::size_t{12} : std::size_t{8});
}
std::size_t addresses_length(const FlowPacket& packet) noexcept {
  return packet.v4 ? 8 : 32;
}

// Not a secret: who chooses addresses and ports can make flows collide, which costs at most what a
// bounded search costs.
std::uint32_t hash_of(const FlowPacket& packet) noexcept {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;
  std::uint64_t hash = load_be<std::uint32_t>(&packet.bytes[packet.transport]) +
                       (packet.tcp ? std::uint64_t{1} << 32 : 0);
  const std::uint8_t* at = &packet.bytes[addresses_at(packet)];
  for (std::size_t i = 0; i < addresses_length(packet); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, at + i, 8);
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 32;
  }
  return static_cast<std::uint32_t>(hash);
}

FlowKind read_tcp(FlowPacket& packet) noexcept {
  const auto tcp = TcpView::parse(packet.bytes.subspan(packet.transport));
  if (!tcp) return FlowKind::kObscure;
  packet.headers = static_cast<std::uint8_t>(packet.transport + tcp->header_length());
  packet.sequence = tcp->sequence();
  packet.flags = tcp->flags();
  const bool plain = (tcp->flags() & (kNeverMerged | TcpView::kAck)) == TcpView::kAck;
  return plain && packet.payload() != 0 ? FlowKind::kData : FlowKind::kAlone;
}

FlowKind read_udp(FlowPacket& packet) noexcept {
  const auto segment = packet.bytes.subspan(packet.transport);
  const auto udp = UdpView::parse(segment);
  if (!udp) return FlowKind::kObscure;
  packet.headers = static_cast<std::uint8_t>(packet.transport + 8);
  const bool has_checksum = segment[6] != 0 || segment[7] != 0;
  return udp->length_fits() && has_checksum && packet.payload() != 0 ? FlowKind::kData
                                                                     : FlowKind::kAlone;
}

FlowKind read_transport(FlowPacket& packet, std::uint8_t protocol, std::size_t offset) noexcept {
  packet.tcp = protocol == kProtocolTcp;
  if (!packet.tcp && protocol != kProtocolUdp) return FlowKind::kNone;
  packet.transport = static_cast<std::uint8_t>(packet.network + offset);
  const FlowKind kind = packet.tcp ? read_tcp(packet) : read_udp(packet);
  if (kind != FlowKind::kObscure) packet.hash = hash_of(packet);
  return kind;
}

FlowKind read_ip(FlowPacket& packet) noexcept {
  const auto bytes = packet.bytes.subspan(packet.network);
  // What nearly every packet is: without options, whole, and no fragment.
  if (bytes.size() >= kIpv4Header && bytes[0] == 0x45 && word(bytes, 2) == bytes.size() &&
      (word(bytes, 6) & ~kDontFragment) == 0) {
    packet.v4 = true;
    packet.id = word(bytes, 4);
    return read_transport(packet, bytes[9], kIpv4Header);
  }
  const auto ip = IpView::parse(bytes);
  if (!ip || ip->is_v4() || ip->header_length() != kIpv6Header) return FlowKind::kObscure;
  return read_transport(packet, ip->protocol(), kIpv6Header);
}

// A frame that carries IP, without padding; anything else has no flow, or an obscure one.
FlowKind read_frame(FlowPacket& packet) noexcept {
  const auto ethernet = EthernetView::parse(packet.bytes);
  if (!ethernet) return FlowKind::kNone;
  const std::uint16_t type = ethernet->ethertype();
  if (type == kEtherArp) return FlowKind::kNone;
  const auto payload = ethernet->payload();
  if (payload.empty() || (type != kEtherIpv4 && type != kEtherIpv6) ||
      payload[0] >> 4 != (type == kEtherIpv4 ? 4 : 6))
    return FlowKind::kObscure;
  packet.network = static_cast<std::uint8_t>(ethernet->header_length());
  return read_ip(packet);
}

}  // namespace

FlowPacket FlowPacket::of(std::span<const std::uint8_t> bytes, Layer layer) noexcept {
  FlowPacket packet;
  packet.bytes = bytes;
  packet.kind = layer == Layer::kIp ? read_ip(packet) : read_frame(packet);
  return packet;
}

bool FlowPacket::same_flow(const FlowPacket& other) const noexcept {
  if (hash != other.hash || v4 != other.v4 || tcp != other.tcp) return false;
  return std::memcmp(&bytes[addresses_at(*this)], &other.bytes[addresses_at(other)],
                     addresses_length(*this)) == 0 &&
         std::memcmp(&bytes[transport], &other.bytes[other.transport], 4) == 0;
}

bool FlowPacket::same_headers(const FlowPacket& other) const noexcept {
  if (headers != other.headers || network != other.network || !equal(*this, other, 0, network))
    return false;
  if (v4) {
    // Type of service; flags, offset and time to live.
    if (bytes[network + 1] != other.bytes[network + 1] || !equal(*this, other, network + 6, 3))
      return false;
  } else if (!equal(*this, other, network, 4) ||
             bytes[network + 7] != other.bytes[network + 7]) {  // traffic class, label; hop limit
    return false;
  }
  if (!tcp) return true;
  // Acknowledgment and data offset; window; urgent pointer and options.
  constexpr std::uint8_t kMayDiffer = TcpView::kFin | TcpView::kPsh;
  return equal(*this, other, transport + 8, 5) &&
         ((bytes[transport + 13] ^ other.bytes[transport + 13]) & ~kMayDiffer) == 0 &&
         equal(*this, other, transport + 14, 2) &&
         equal(*this, other, transport + 18, headers - transport - std::size_t{18});
}

bool FlowPacket::ends_here() const noexcept {
  return (flags & (TcpView::kFin | TcpView::kPsh)) != 0;
}

std::uint64_t FlowPacket::pseudo_sum(std::size_t length) const noexcept {
  return std::uint64_t{sum_of(bytes.subspan(addresses_at(*this), addresses_length(*this)))} +
         length + (tcp ? kProtocolTcp : kProtocolUdp);
}

bool FlowPacket::checksums_hold() const noexcept {
  constexpr std::uint16_t kHolds = 0xffff;
  if (v4 && sum_of(bytes.subspan(network, kIpv4Header)) != kHolds) return false;
  const auto segment = bytes.subspan(transport);
  return folded_sum(pseudo_sum(segment.size()) + sum_of(segment)) == kHolds;
}

}  // namespace vpntun::packet
