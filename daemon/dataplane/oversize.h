// What becomes of an inner packet that is larger than the path to its peer allows: an IPv4 packet
// without DF is cut into fragments, an IPv6 packet of at most 1280 bytes is sent in a datagram that
// is, any other is answered with "fragmentation needed" or "packet too big" to its inner sender.
// Pure, without allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"
#include "packet/fragment.h"

namespace vpntun::dataplane {

// Assumed where the kernel does not tell: IPv6's minimum MTU, which nearly every path has.
inline constexpr std::uint32_t kUnknownPathMtu = 1280;

// Bytes of the largest inner IP packet that one datagram to `remote` carries. path_mtu: bytes of an
// outer packet, 0 = unknown. link_header: bytes in front of the IP packet inside (TAP: 14, or 18
// with a VLAN tag; TUN: 0).
std::size_t inner_mtu(std::uint32_t path_mtu, const Endpoint& remote,
                      std::size_t link_header) noexcept;

// An inner packet as it lies on the inside.
class Oversize {
 public:
  // frame: bytes are an Ethernet frame. The packet was refused as too big for path_mtu.
  Oversize(std::span<const std::uint8_t> bytes, bool frame, std::uint32_t path_mtu,
           const Endpoint& remote) noexcept;

  // Bytes of the largest IP packet that fits; below the size of this one.
  std::size_t mtu() const noexcept { return mtu_; }
  // Its sender cannot make it smaller, so its datagram has to be cut (RFC 2473, section 7.1).
  bool must_pass() const noexcept;
  // Nothing: it may not be fragmented.
  std::optional<packet::Ipv4Fragments> fragments() const noexcept;
  // A fragment as it lies on the inside, written to out: its length, 0 when out is too small.
  std::size_t write(const packet::Ipv4Fragments::Piece& piece,
                    std::span<std::uint8_t> out) const noexcept;
  // The answer to the sender, as it lies on the inside: its length, 0 when none may be sent.
  std::size_t answer(std::span<std::uint8_t> out) const noexcept;

 private:
  std::span<const std::uint8_t> bytes_;
  std::span<const std::uint8_t> link_header_;  // empty for TUN
  std::span<const std::uint8_t> ip_;
  bool frame_;
  std::size_t mtu_;
};

}  // namespace vpntun::dataplane
