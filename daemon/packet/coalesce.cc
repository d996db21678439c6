#include "packet/coalesce.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/wire.h"
#include "packet/checksum.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

// The longest mergeable headers: a tagged frame, IPv6, TCP with all options: 118 bytes.
constexpr std::size_t kHeaderRoom = 128;
// Flows that are looked at before one is left alone.
constexpr std::size_t kMaxProbes = 8;
constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
// Offsets in the headers.
constexpr std::size_t kIpv4Length = 2;
constexpr std::size_t kIpv4Checksum = 10;
constexpr std::size_t kIpv6Length = 4;
constexpr std::size_t kTcpFlags = 13;
constexpr std::size_t kTcpChecksum = 16;
constexpr std::size_t kUdpLength = 4;
constexpr std::size_t kUdpChecksum = 6;

Segmentation segmentation_of(const FlowPacket& flow) noexcept {
  if (!flow.tcp) return Segmentation::kUdp;
  return flow.v4 ? Segmentation::kTcp4 : Segmentation::kTcp6;
}

}  // namespace

Coalescer::Coalescer(std::size_t capacity, Layer layer)
    : layer_(layer),
      after_(capacity),
      writes_(capacity),
      ends_(capacity),
      flows_(std::bit_ceil(2 * capacity + kMaxProbes)),
      headers_(capacity / 2 * kHeaderRoom) {}

std::span<const Coalescer::Write> Coalescer::coalesce(std::span<const Packet> packets,
                                                      const Mergeable& mergeable) noexcept {
  size_ = 0;
  first_open_ = 0;
  mergeable_ = mergeable;
  std::fill(flows_.begin(), flows_.end(), std::uint16_t{0});
  for (std::size_t i = 0; i < packets.size(); ++i)
    take(static_cast<std::uint16_t>(i), FlowPacket::of(packets[i].bytes, layer_));

  std::span<std::uint8_t> room(headers_);
  for (std::size_t i = 0; i < size_; ++i) {
    if (writes_[i].count == 1) continue;
    finish(writes_[i], ends_[i], room.first(kHeaderRoom));
    room = room.subspan(kHeaderRoom);
  }
  return {writes_.data(), size_};
}

void Coalescer::take(std::uint16_t index, const FlowPacket& packet) noexcept {
  if (packet.kind == FlowKind::kNone) return begin_write(index, packet, false);
  if (packet.kind == FlowKind::kObscure) {
    begin_write(index, packet, false);
    first_open_ = size_;
    return;
  }
  std::uint16_t* place = place_of(packet);
  // A flow without a place has no open write either.
  if (place == nullptr) return begin_write(index, packet, false);
  if (*place > first_open_ && join(*place - 1, index, packet)) return;
  begin_write(index, packet, may_merge(packet) && !packet.ends_here());
  *place = static_cast<std::uint16_t>(size_);
}

void Coalescer::begin_write(std::uint16_t index, const FlowPacket& packet, bool open) noexcept {
  writes_[size_] = {.offload = {}, .header = {}, .first = index, .count = 1};
  ends_[size_] = {.flow = packet,
                  .open = open,
                  .verified = false,
                  .id_step = {},
                  .id = packet.id,
                  .last = index,
                  .last_flags = packet.flags,
                  .sequence = packet.sequence + static_cast<std::uint32_t>(packet.payload()),
                  .length = packet.bytes.size() - packet.network};
  ++size_;
}

// Where the flow's latest write is noted, or is to be.
std::uint16_t* Coalescer::place_of(const FlowPacket& packet) noexcept {
  const std::size_t mask = flows_.size() - 1;
  for (std::size_t probe = 0; probe < kMaxProbes; ++probe) {
    std::uint16_t& place = flows_[(packet.hash + probe) & mask];
    if (place == 0 || ends_[place - 1].flow.same_flow(packet)) return &place;
  }
  return nullptr;
}

bool Coalescer::may_merge(const FlowPacket& packet) const noexcept {
  if (packet.kind != FlowKind::kData) return false;
  if (!packet.tcp) return mergeable_.udp;
  return packet.v4 ? mergeable_.tcp4 : mergeable_.tcp6;
}

bool Coalescer::fits(const End& end, std::size_t count, const FlowPacket& packet) const noexcept {
  if (packet.kind != FlowKind::kData || packet.payload() > end.flow.payload() ||
      end.length + packet.payload() > kMaxSuperpacket ||
      count >= (packet.tcp ? kMaxPieces : kMaxUdpPieces) || !packet.same_headers(end.flow))
    return false;
  if (packet.tcp && packet.sequence != end.sequence) return false;
  if (!packet.v4) return true;
  const auto step = static_cast<std::uint16_t>(packet.id - end.id);
  if (end.id_step) return step == *end.id_step;
  // Without DF the identification has to tell packets apart (RFC 6864 4.1).
  const bool dont_fragment = (packet.bytes[packet.network + 6u] & 0x40) != 0;
  return step == 1 || (step == 0 && dont_fragment);
}

bool Coalescer::join(std::uint16_t write, std::uint16_t index, const FlowPacket& packet) noexcept {
  End& end = ends_[write];
  if (!end.open) return false;
  end.open = false;
  if (!fits(end, writes_[write].count, packet)) return false;
  if (!end.verified && !end.flow.checksums_hold()) return false;
  end.verified = true;
  if (!packet.checksums_hold()) return false;
  end.open = !packet.ends_here() && packet.payload() == end.flow.payload();
  end.id_step = static_cast<std::uint16_t>(packet.id - end.id);
  end.id = packet.id;
  end.sequence += static_cast<std::uint32_t>(packet.payload());
  end.length += packet.payload();
  after_[end.last] = index;
  end.last = index;
  end.last_flags = packet.flags;
  ++writes_[write].count;
  return true;
}

// Makes a superpacket of the first packet's headers.
void Coalescer::finish(Write& write, const End& end, std::span<std::uint8_t> header) noexcept {
  const FlowPacket& flow = end.flow;
  std::memcpy(header.data(), flow.bytes.data(), flow.headers);
  std::uint8_t* ip = &header[flow.network];
  std::uint8_t* transport = &header[flow.transport];
  const std::size_t transport_length = end.length - (flow.transport - flow.network);
  if (flow.v4) {
    store_be(ip + kIpv4Length, static_cast<std::uint16_t>(end.length));
    store_be(ip + kIpv4Checksum, std::uint16_t{0});
    store_be(ip + kIpv4Checksum, internet_checksum({ip, kIpv4Header}));
  } else {
    store_be(ip + kIpv6Length, static_cast<std::uint16_t>(end.length - kIpv6Header));
  }
  if (flow.tcp)
    transport[kTcpFlags] |= end.last_flags;  // FIN, PSH
  else
    store_be(transport + kUdpLength, static_cast<std::uint16_t>(transport_length));
  const std::size_t checksum = flow.tcp ? kTcpChecksum : kUdpChecksum;
  store_be(transport + checksum, folded_sum(flow.pseudo_sum(transport_length)));

  write.header = header.first(flow.headers);
  write.offload.segmentation = segmentation_of(flow);
  write.offload.segment_size = static_cast<std::uint16_t>(flow.payload());
  write.offload.checksum_missing = true;
  write.offload.checksum_start = flow.transport;
  write.offload.checksum_offset = static_cast<std::uint16_t>(checksum);
  write.offload.header_length = flow.headers;
}

}  // namespace vpntun::packet
