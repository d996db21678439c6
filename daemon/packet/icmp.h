// The answer to a packet that does not fit: ICMP "fragmentation needed" (RFC 792, RFC 1191) or
// ICMPv6 "packet too big" (RFC 4443 3.2), so that the inner sender learns the path MTU. Called by
// the data plane. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "packet/ethernet.h"

namespace vpntun::packet {

// The most an answer takes: IPv6's minimum MTU. The IPv4 answer stays within 576 bytes (RFC
// 1812 4.3.2.3).
inline constexpr std::size_t kMaxTooBig = 1280;
inline constexpr std::size_t kMaxTooBigFrame = kMaxTooBig + kTaggedHeader;

// Writes the answer to an offending IP packet into out, from the packet's destination to its
// source. mtu: bytes of the largest IP packet that fits. Whether the packet could have been
// fragmented instead is the caller's question. Returns its length in bytes; 0: none may be sent
// (the packet is broken, an ICMP error, a later fragment, from or to an address that is not one
// host's: RFC 1122 3.2.2, RFC 4443 2.4) or out is too small.
std::size_t build_too_big(std::span<const std::uint8_t> offending, std::uint32_t mtu,
                          std::span<std::uint8_t> out) noexcept;

// The same for an Ethernet frame that carries IP, MAC addresses swapped; mtu counts no Ethernet
// header. 0 also for a frame from or to a group address.
std::size_t build_too_big_frame(std::span<const std::uint8_t> offending, std::uint32_t mtu,
                                std::span<std::uint8_t> out) noexcept;

}  // namespace vpntun::packet
