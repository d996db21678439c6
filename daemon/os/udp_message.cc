#include "os/udp_message.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

#include "base/wire.h"

namespace vpntun::os {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

in6_addr mapped(const IpAddress& address) noexcept {
  in6_addr out{};
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.s6_addr);
  std::copy_n(address.bytes().begin(), 4, out.s6_addr + kMappedPrefix.size());
  return out;
}

template <typename Value>
Value value_of(cmsghdr* part) noexcept {
  Value value{};
  std::memcpy(&value, CMSG_DATA(part), sizeof(value));
  return value;
}

// Appends to msg_control, which has room.
template <typename Info>
void put_control(msghdr& header, int level, int type, const Info& info) noexcept {
  auto* part = reinterpret_cast<cmsghdr*>(static_cast<std::uint8_t*>(header.msg_control) +
                                          header.msg_controllen);
  part->cmsg_level = level;
  part->cmsg_type = type;
  part->cmsg_len = CMSG_LEN(sizeof(info));
  std::memcpy(CMSG_DATA(part), &info, sizeof(info));
  header.msg_controllen += CMSG_SPACE(sizeof(info));
}

}  // namespace

IpAddress address_of(const in_addr& address) noexcept {
  std::array<std::uint8_t, 4> bytes;
  std::memcpy(bytes.data(), &address, bytes.size());
  return IpAddress::v4(bytes);
}

IpAddress address_of(const in6_addr& address) noexcept {
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &address, bytes.size());
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()))
    return IpAddress::v4(std::span<const std::uint8_t>(bytes).last<4>());
  return IpAddress::v6(bytes);
}

Endpoint endpoint_of(const sockaddr_storage& address) noexcept {
  Endpoint endpoint;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    endpoint.address = address_of(v4.sin_addr);
    endpoint.port = load_be<std::uint16_t>(reinterpret_cast<const std::uint8_t*>(&v4.sin_port));
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    endpoint.address = address_of(v6.sin6_addr);
    endpoint.port = load_be<std::uint16_t>(reinterpret_cast<const std::uint8_t*>(&v6.sin6_port));
    if (endpoint.address.is_v6() && endpoint.address.is_link_local())
      endpoint.scope_id = v6.sin6_scope_id;
  }
  return endpoint;
}

socklen_t encode_endpoint(const Endpoint& endpoint, Family socket_family,
                          sockaddr_storage& out) noexcept {
  out = {};
  if (socket_family == Family::kIpv4) {
    if (endpoint.address.is_v6()) return 0;
    auto& v4 = reinterpret_cast<sockaddr_in&>(out);
    v4.sin_family = AF_INET;
    std::copy_n(endpoint.address.bytes().begin(), 4, reinterpret_cast<std::uint8_t*>(&v4.sin_addr));
    store_be(reinterpret_cast<std::uint8_t*>(&v4.sin_port), endpoint.port);
    return sizeof(v4);
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
  v6.sin6_family = AF_INET6;
  if (endpoint.address.is_v4()) {
    v6.sin6_addr = mapped(endpoint.address);
  } else {
    std::copy_n(endpoint.address.bytes().begin(), 16, v6.sin6_addr.s6_addr);
    v6.sin6_scope_id = endpoint.scope_id;
  }
  store_be(reinterpret_cast<std::uint8_t*>(&v6.sin6_port), endpoint.port);
  return sizeof(v6);
}

Arrival arrival_of(msghdr& header) noexcept {
  Arrival arrival;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    const int level = part->cmsg_level;
    const int type = part->cmsg_type;
    // ip(7): ipi_addr is the destination in the header, ipi_spec_dst the local address of the
    // packet; they differ for a broadcast, to which one cannot answer from. A mapped datagram tells
    // the former at the level of IPv6 too, which counts for nothing then.
    if (level == IPPROTO_IP && type == IP_PKTINFO)
      arrival.local = address_of(value_of<in_pktinfo>(part).ipi_spec_dst);
    else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO && arrival.local.is_unspecified())
      arrival.local = address_of(value_of<in6_pktinfo>(part).ipi6_addr);
    // One byte here, an int in host order there.
    else if (level == IPPROTO_IP && type == IP_TOS)
      arrival.traffic_class = *CMSG_DATA(part);
    else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS)
      arrival.traffic_class = static_cast<std::uint8_t>(value_of<int>(part));
    else if (level == SOL_UDP && type == UDP_GRO)
      arrival.segment_size = static_cast<std::size_t>(std::max(value_of<int>(part), 0));
  }
  return arrival;
}

// DSCP and ECN of a datagram to be sent.
void put_traffic_class(msghdr& header, const packet::Packet& packet) noexcept {
  if (packet.traffic_class == 0) return;
  const int value = packet.traffic_class;
  if (packet.remote.address.is_v4())
    put_control(header, IPPROTO_IP, IP_TOS, value);
  else
    put_control(header, IPPROTO_IPV6, IPV6_TCLASS, value);
}

// The source of a datagram to be sent. An address of the other family is no source.
void put_source(msghdr& header, const packet::Packet& packet) noexcept {
  if (packet.local.is_unspecified() || packet.local.family() != packet.remote.address.family())
    return;
  if (packet.local.is_v4()) {
    in_pktinfo info{};
    std::copy_n(packet.local.bytes().begin(), 4,
                reinterpret_cast<std::uint8_t*>(&info.ipi_spec_dst));
    put_control(header, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    std::copy_n(packet.local.bytes().begin(), 16, info.ipi6_addr.s6_addr);
    info.ipi6_ifindex = packet.remote.scope_id;
    put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

void put_segment_size(msghdr& header, std::size_t size) noexcept {
  put_control(header, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(size));
}

}  // namespace vpntun::os
