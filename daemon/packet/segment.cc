#include "packet/segment.h"

#include <algorithm>
#include <cstring>

#include "base/wire.h"
#include "packet/checksum.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

constexpr std::uint16_t kEtherServiceVlan = 0x88a8;  // the tag of 802.1ad

// Offsets in the headers.
constexpr std::size_t kIpv4Length = 2;
constexpr std::size_t kIpv4Id = 4;
constexpr std::size_t kIpv4Checksum = 10;
constexpr std::size_t kIpv6Length = 4;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kTcpSequence = 4;
constexpr std::size_t kTcpFlags = 13;
constexpr std::size_t kTcpChecksum = 16;
constexpr std::size_t kUdpLength = 4;
constexpr std::size_t kUdpChecksum = 6;
constexpr std::size_t kUdpHeader = 8;

std::uint16_t word(const std::uint8_t* at) noexcept {
  return load_be<std::uint16_t>(at);
}

// Modulo 2^16 - 1, so that taking a word out of a sum is adding its complement.
std::uint64_t without(std::uint64_t value) noexcept {
  return static_cast<std::uint16_t>(~value);
}

std::uint16_t checksum_of(std::uint64_t sum) noexcept {
  return static_cast<std::uint16_t>(~folded_sum(sum));
}

// What is said instead of a checksum of 0, which means "none" in UDP.
std::uint16_t never_zero(std::uint16_t checksum) noexcept {
  return checksum == 0 ? std::uint16_t{0xffff} : checksum;
}

// The offset of the IP header, or nothing: no IP packet in here.
std::optional<std::size_t> network_offset(std::span<const std::uint8_t> bytes,
                                          Layer layer) noexcept {
  if (layer == Layer::kIp) return 0;
  if (bytes.size() < kTaggedHeader) return std::nullopt;
  std::uint16_t type = word(&bytes[12]);
  std::size_t length = kEthernetHeader;
  if (type == kEtherVlan || type == kEtherServiceVlan) {
    type = word(&bytes[16]);
    length += kVlanTag;
  }
  const std::uint8_t version = length < bytes.size() ? bytes[length] >> 4 : 0;
  if ((type == kEtherIpv4 && version == 4) || (type == kEtherIpv6 && version == 6)) return length;
  return std::nullopt;
}

}  // namespace

std::optional<Segments> Segments::of(std::span<const std::uint8_t> superpacket,
                                     const Offload& offload, Layer layer) noexcept {
  Segments segments;
  segments.bytes_ = superpacket;
  segments.size_ = offload.segment_size;
  if (!segments.find_headers(layer) || !segments.accepts(offload)) return std::nullopt;
  segments.sum_constant_parts(offload);
  return segments;
}

bool Segments::find_headers(Layer layer) noexcept {
  const auto network = network_offset(bytes_, layer);
  if (!network) return false;
  network_ = *network;
  const auto ip = IpView::parse(bytes_.subspan(network_));
  if (!ip || ip->is_fragment()) return false;
  v4_ = ip->is_v4();
  transport_ = network_ + ip->header_length();
  if (ip->protocol() == kProtocolTcp) {
    const auto tcp = TcpView::parse(ip->payload());
    if (!tcp) return false;
    tcp_ = true;
    headers_ = transport_ + tcp->header_length();
    return true;
  }
  if (ip->protocol() != kProtocolUdp) return false;
  const auto udp = UdpView::parse(ip->payload());
  if (!udp || !udp->length_fits()) return false;
  headers_ = transport_ + kUdpHeader;
  return true;
}

bool Segments::accepts(const Offload& offload) const noexcept {
  if (offload.segment_size == 0) return false;
  if (offload.checksum_missing && (offload.checksum_start != transport_ ||
                                   offload.checksum_offset != (tcp_ ? kTcpChecksum : kUdpChecksum)))
    return false;
  switch (offload.segmentation) {
    case Segmentation::kTcp4:
      return tcp_ && v4_;
    case Segmentation::kTcp6:
      return tcp_ && !v4_;
    case Segmentation::kUdp:
      return !tcp_;
    case Segmentation::kNone:
      break;
  }
  return false;
}

// Each term that next() will put into the headers is taken out here, or left out.
void Segments::sum_constant_parts(const Offload& offload) noexcept {
  const std::uint8_t* ip = &bytes_[network_];
  const std::uint8_t* transport = &bytes_[transport_];
  const std::size_t length = bytes_.size() - transport_;
  if (v4_)
    ip_sum_ = sum_of({ip, transport_ - network_}) + without(word(ip + kIpv4Length)) +
              without(word(ip + kIpv4Id)) + without(word(ip + kIpv4Checksum));

  const std::size_t checksum = tcp_ ? kTcpChecksum : kUdpChecksum;
  transport_sum_ = sum_of({transport, headers_ - transport_}) + without(word(transport + checksum));
  if (offload.checksum_missing) {
    // Believed rather than made anew: with a routing header the destination is another one.
    transport_sum_ += word(transport + checksum) + without(length);
  } else {
    const std::size_t addresses = v4_ ? 12 : 8;  // where they begin; both are 4 or 16 bytes long
    transport_sum_ += sum_of({ip + addresses, v4_ ? std::size_t{8} : std::size_t{32}}) +
                      (tcp_ ? kProtocolTcp : kProtocolUdp);
  }
  if (tcp_)
    transport_sum_ += without(word(transport + kTcpSequence)) +
                      without(word(transport + kTcpSequence + 2)) + without(transport[kTcpFlags]);
  else
    transport_sum_ += without(word(transport + kUdpLength));
}

std::size_t Segments::largest() const noexcept {
  return headers_ + std::min(size_, bytes_.size() - headers_);
}

std::size_t Segments::left() const noexcept {
  if (done_) return 0;
  const std::size_t payload = bytes_.size() - headers_ - at_;
  return std::max<std::size_t>(1, (payload + size_ - 1) / size_);
}

std::size_t Segments::next(std::span<std::uint8_t> out) noexcept {
  if (done_) return 0;
  const auto rest = bytes_.subspan(headers_ + at_);
  const auto payload = rest.first(std::min(size_, rest.size()));
  done_ = payload.size() == rest.size();
  std::memcpy(out.data(), bytes_.data(), headers_);
  const std::uint64_t sum = copy_and_sum(payload, out.data() + headers_);
  const std::size_t length = headers_ - transport_ + payload.size();
  finish_ip(out.data() + network_, transport_ - network_ + length);
  if (tcp_)
    finish_tcp(out.data() + transport_, length, sum, done_);
  else
    finish_udp(out.data() + transport_, length, sum);
  at_ += payload.size();
  ++index_;
  return headers_ + payload.size();
}

// length: of the IP packet.
void Segments::finish_ip(std::uint8_t* ip, std::size_t length) const noexcept {
  if (!v4_) {
    store_be(ip + kIpv6Length, static_cast<std::uint16_t>(length - kIpv6Header));
    return;
  }
  const auto id = static_cast<std::uint16_t>(word(ip + kIpv4Id) + index_);
  store_be(ip + kIpv4Length, static_cast<std::uint16_t>(length));
  store_be(ip + kIpv4Id, id);
  store_be(ip + kIpv4Checksum, checksum_of(ip_sum_ + length + id));
}

// length: of TCP header and payload. FIN and PSH belong to the last byte, CWR to the first segment
// (RFC 3168 6.1.2).
void Segments::finish_tcp(std::uint8_t* tcp, std::size_t length, std::uint64_t payload_sum,
                          bool is_last) const noexcept {
  const auto sequence =
      load_be<std::uint32_t>(tcp + kTcpSequence) + static_cast<std::uint32_t>(at_);
  unsigned flags = tcp[kTcpFlags];
  if (!is_last) flags &= ~unsigned{TcpView::kFin | TcpView::kPsh};
  if (index_ != 0) flags &= ~unsigned{TcpView::kCwr};
  store_be(tcp + kTcpSequence, sequence);
  tcp[kTcpFlags] = static_cast<std::uint8_t>(flags);
  store_be(tcp + kTcpChecksum, checksum_of(transport_sum_ + length + (sequence >> 16) +
                                           (sequence & 0xffff) + flags + payload_sum));
}

// length: of UDP header and payload, which counts in the header and in the pseudo-header.
void Segments::finish_udp(std::uint8_t* udp, std::size_t length,
                          std::uint64_t payload_sum) const noexcept {
  store_be(udp + kUdpLength, static_cast<std::uint16_t>(length));
  store_be(udp + kUdpChecksum, never_zero(checksum_of(transport_sum_ + 2 * length + payload_sum)));
}

bool complete_checksum(std::span<std::uint8_t> packet, const Offload& offload,
                       Layer layer) noexcept {
  if (!offload.checksum_missing) return true;
  const std::size_t start = offload.checksum_start;
  const std::size_t field = start + offload.checksum_offset;
  if (field + 2 > packet.size()) return false;
  // TCP and UDP have one place for it. Of another protocol the kernel may know more than we do: it
  // must only stay out of the headers before it.
  std::size_t least = layer == Layer::kIp ? 1 : kEthernetHeader;
  if (const auto network = network_offset(packet, layer)) {
    const auto ip = IpView::parse_quoted(packet.subspan(*network));
    if (!ip) return false;
    least = *network + ip->header_length();
    const bool tcp = ip->protocol() == kProtocolTcp;
    if ((tcp || ip->protocol() == kProtocolUdp) &&
        (start != least || offload.checksum_offset != (tcp ? kTcpChecksum : kUdpChecksum)))
      return false;
  }
  if (start < least) return false;
  store_be(&packet[field], never_zero(checksum_of(sum_of(packet.subspan(start)))));
  return true;
}

}  // namespace vpntun::packet
