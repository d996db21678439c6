// The parts of a UDP message as the kernel has them: addresses and control messages. Used by
// datagram_reader and datagram_writer; apart from them because these are functions on bytes.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "packet/batch.h"

namespace vpntun::os {

IpAddress address_of(const in_addr& address) noexcept;
// A v4-mapped one becomes plain IPv4.
IpAddress address_of(const in6_addr& address) noexcept;

// A received sockaddr_in or sockaddr_in6; a v4-mapped address becomes plain IPv4.
Endpoint endpoint_of(const sockaddr_storage& address) noexcept;

// `endpoint` as destination for a socket of the family (IPv4 mapped for an IPv6 socket). Returns
// the length, 0 if such a socket cannot reach it.
socklen_t encode_endpoint(const Endpoint& endpoint, Family socket_family,
                          sockaddr_storage& out) noexcept;

// What the kernel tells with a datagram.
struct Arrival {
  IpAddress local;                 // our own address; unspecified: not told
  std::uint8_t traffic_class = 0;  // DSCP and ECN
  std::size_t segment_size = 0;    // bytes of each datagram when it is a run of them; 0: one
};
Arrival arrival_of(msghdr& header) noexcept;

// Room for packet information and traffic class of both levels (a mapped datagram has both), and
// the size of segments.
inline constexpr std::size_t kControlSize =
    CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(in6_pktinfo)) + 3 * CMSG_SPACE(sizeof(int));
struct Control {
  alignas(cmsghdr) std::array<char, kControlSize> bytes;
};

// These append to msg_control, which has room.
// The source of a datagram to be sent. An address of the other family is no source.
void put_source(msghdr& header, const packet::Packet& packet) noexcept;
// DSCP and ECN of a datagram to be sent.
void put_traffic_class(msghdr& header, const packet::Packet& packet) noexcept;
// To be cut by the kernel into datagrams of `size` bytes, and a rest.
void put_segment_size(msghdr& header, std::size_t size) noexcept;

}  // namespace vpntun::os
