// Explicit congestion notification across a tunnel (RFC 6040): a marked outer packet marks the
// inner one. Pure.
#pragma once

#include <cstdint>
#include <span>

namespace vpntun::packet {

// The ECN field of an IP packet, two bits; 0 when the bytes are none.
std::uint8_t ecn_of(std::span<const std::uint8_t> packet) noexcept;

// The outer packet's traffic class says "congestion experienced": so does the inner packet then, if
// its ends understand it. packet: a whole IP packet.
void carry_congestion(std::uint8_t outer_traffic_class, std::span<std::uint8_t> packet) noexcept;

}  // namespace vpntun::packet
