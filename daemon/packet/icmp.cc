#include "packet/icmp.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/wire.h"
#include "packet/checksum.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kIcmpHeader = 8;
constexpr std::size_t kMaxIpv4Answer = 576;
constexpr std::uint8_t kAnswerTtl = 64;

// One host's address: an answer to it, or in its name, goes to one place.
bool is_one_host(const IpAddress& address) noexcept {
  if (address.is_unspecified() || address.is_multicast() || address.is_loopback()) return false;
  return !address.is_v4() || address.bytes()[0] < 240;  // class E and limited broadcast
}

bool may_answer(const IpView& packet) noexcept {
  if (packet.is_later_fragment()) return false;
  if (!is_one_host(packet.source()) || !is_one_host(packet.destination())) return false;
  if (packet.protocol() != (packet.is_v4() ? kProtocolIcmp : kProtocolIcmpv6)) return true;
  const auto message = packet.payload();
  return !message.empty() && !is_icmp_error(packet.family(), message[0]);
}

// type 3, code 4 behind an IPv4 header without options.
void write_v4(const IpView& packet, std::uint32_t mtu, std::span<std::uint8_t> out) noexcept {
  std::uint8_t* ip = out.data();
  ip[0] = 0x45;
  ip[1] = 0xc0;  // precedence 6, internetwork control (RFC 1812 4.3.2.5)
  store_be(ip + 2, static_cast<std::uint16_t>(out.size()));
  ip[8] = kAnswerTtl;
  ip[9] = kProtocolIcmp;
  std::ranges::copy(packet.destination().bytes(), ip + 12);
  std::ranges::copy(packet.source().bytes(), ip + 16);
  store_be(ip + 10, internet_checksum(out.first(20)));
  const auto icmp = out.subspan(20);
  icmp[0] = 3;
  icmp[1] = 4;
  store_be(icmp.data() + 6, static_cast<std::uint16_t>(std::min<std::uint32_t>(mtu, 65535)));
  std::ranges::copy(packet.bytes().first(icmp.size() - kIcmpHeader), icmp.begin() + kIcmpHeader);
  store_be(icmp.data() + 2, internet_checksum(icmp));
}

// Type 2, code 0.
void write_v6(const IpView& packet, std::uint32_t mtu, std::span<std::uint8_t> out) noexcept {
  std::uint8_t* ip = out.data();
  ip[0] = 0x60;
  store_be(ip + 4, static_cast<std::uint16_t>(out.size() - 40));
  ip[6] = kProtocolIcmpv6;
  ip[7] = kAnswerTtl;
  std::ranges::copy(packet.destination().bytes(), ip + 8);
  std::ranges::copy(packet.source().bytes(), ip + 24);
  const auto icmp = out.subspan(40);
  icmp[0] = 2;
  store_be(icmp.data() + 4, mtu);
  std::ranges::copy(packet.bytes().first(icmp.size() - kIcmpHeader), icmp.begin() + kIcmpHeader);
  store_be(icmp.data() + 2,
           transport_checksum(packet.destination(), packet.source(), kProtocolIcmpv6, icmp));
}

}  // namespace

std::size_t build_too_big(std::span<const std::uint8_t> offending, std::uint32_t mtu,
                          std::span<std::uint8_t> out) noexcept {
  const auto packet = IpView::parse(offending);
  if (!packet || !may_answer(*packet)) return 0;
  const std::size_t overhead = (packet->is_v4() ? 20 : 40) + kIcmpHeader;
  const std::size_t most = packet->is_v4() ? kMaxIpv4Answer : kMaxTooBig;
  const std::size_t size = std::min(most, overhead + offending.size());
  if (out.size() < size) return 0;
  const auto answer = out.first(size);
  std::memset(answer.data(), 0, overhead);
  if (packet->is_v4())
    write_v4(*packet, mtu, answer);
  else
    write_v6(*packet, mtu, answer);
  return size;
}

std::size_t build_too_big_frame(std::span<const std::uint8_t> offending, std::uint32_t mtu,
                                std::span<std::uint8_t> out) noexcept {
  const auto frame = EthernetView::parse(offending);
  if (!frame || frame->destination().is_multicast() || frame->source().is_multicast()) return 0;
  const std::size_t header = frame->header_length();
  if (out.size() < header) return 0;
  const std::size_t length = build_too_big(ip_of_frame(offending), mtu, out.subspan(header));
  if (length == 0) return 0;
  std::ranges::copy(frame->header(), out.begin());
  std::swap_ranges(out.begin(), out.begin() + 6, out.begin() + 6);
  return header + length;
}

}  // namespace vpntun::packet
