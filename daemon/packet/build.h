// Builds packets with correct lengths and checksums: for `vpnctl inject`, the lab and the tests;
// and the outer headers of a captured datagram. Pure. Throws Error kInvalidArguments when the parts
// make no packet (families differ, longer than 65535 bytes), unless noexcept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"

namespace vpntun::packet {

using Bytes = std::vector<std::uint8_t>;

struct IpFields {
  IpAddress source;
  IpAddress destination;
  std::uint8_t ttl = 64;
  std::uint8_t traffic_class = 0;
  std::uint16_t id = 0;        // IPv4 only
  bool dont_fragment = false;  // IPv4 only
};

struct Echo {
  bool reply = false;
  std::uint16_t id = 0;
  std::uint16_t sequence = 0;
};

// An IP header in front of payload.
Bytes build_ip(const IpFields& ip, std::uint8_t protocol, std::span<const std::uint8_t> payload);
Bytes build_udp(const IpFields& ip, std::uint16_t source_port, std::uint16_t destination_port,
                std::span<const std::uint8_t> payload);
// ICMP or ICMPv6, by the family of ip.
Bytes build_echo(const IpFields& ip, const Echo& echo, std::span<const std::uint8_t> payload);

// Not padded: TAP interfaces take short frames.
Bytes build_frame(const MacAddress& destination, const MacAddress& source, std::uint16_t ethertype,
                  std::span<const std::uint8_t> payload);
// The broadcast frame "who-has wanted tell sender".
Bytes build_arp_request(const MacAddress& sender_mac, const IpAddress& sender,
                        const IpAddress& wanted);
// The frame "sender is-at sender_mac" for one asker.
Bytes build_arp_reply(const MacAddress& sender_mac, const IpAddress& sender,
                      const MacAddress& asker_mac, const IpAddress& asker);

// The IP and UDP headers that stand in front of a datagram's payload on the outside: 28 or 48
// bytes.
struct OuterHeaders {
  std::array<std::uint8_t, 48> storage{};
  std::size_t length = 0;
  std::span<const std::uint8_t> bytes() const noexcept { return {storage.data(), length}; }
};
// What the kernel puts around a datagram, as far as we know it: for captures, which see only the
// payload. An unspecified source takes the family of the destination. Lengths beyond 65535 are
// written as 65535.
OuterHeaders wrap_udp(const Endpoint& source, const Endpoint& destination,
                      std::span<const std::uint8_t> payload) noexcept;

}  // namespace vpntun::packet
