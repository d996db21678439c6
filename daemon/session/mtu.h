// The inner MTU from the outer paths: what is left of the smallest of them after the headers that
// the transport puts around a packet. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/address.h"

namespace vpntun::session {

// The way to one peer. With no interface the path is not known (a learned endpoint, a name not yet
// resolved, no route): 1500 bytes over IPv6 is assumed.
struct OuterPath {
  std::string interface;
  Family family = Family::kIpv6;
  std::uint32_t mtu = 1500;  // bytes of an outer IP packet
};

struct Mtu {
  std::uint32_t bytes = 0;  // of an inner IP packet
  std::string derivation;   // "1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)"
};

struct InnerNeeds {
  bool frames = false;     // TAP: an Ethernet header travels too
  bool encrypted = false;  // and WireGuard's header and tag
  bool ipv6 = false;       // IPv6 inside, which needs 1280 bytes (RFC 8200, section 5)
};

// No path at all counts as one that is not known.
Mtu derive_mtu(std::span<const OuterPath> paths, InnerNeeds needs);

}  // namespace vpntun::session
