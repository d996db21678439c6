// What ICMP says of a datagram that did not arrive (RFC 792, RFC 1812, RFC 4443). Anybody on the
// way can forge it: it informs, and decides nothing. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/address.h"

namespace vpntun::packet {

enum class Obstacle : std::uint8_t {
  kPort,        // nothing listens there
  kHost,        // the host does not answer
  kNetwork,     // no route leads there
  kProhibited,  // a filter forbids it
};
// port host network prohibited
std::string_view to_string(Obstacle obstacle) noexcept;

// Of an ICMP or ICMPv6 message by type and code; nothing: it speaks of something else.
std::optional<Obstacle> obstacle_of(Family family, std::uint8_t type, std::uint8_t code) noexcept;

struct Unreachable {
  Endpoint remote;  // whom the datagram was for
  Obstacle obstacle{};
  IpAddress said_by;
  bool said_here = false;  // by this host itself
  bool operator==(const Unreachable&) const = default;
};

}  // namespace vpntun::packet
