// One packet as coalescing sees it: where its headers lie, to which flow it belongs, and whether it
// may go on where another one ended. Private to this room. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "packet/ethernet.h"

namespace vpntun::packet {

enum class FlowKind : std::uint8_t {
  kNone,     // no TCP or UDP: no flow that could be mixed up
  kObscure,  // may belong to any flow: a fragment, IPv4 options, IPv6 extension headers, broken
  kAlone,    // of a flow, but never merged: SYN, no payload, UDP without checksum, ...
  kData,
};

struct FlowPacket {
  std::span<const std::uint8_t> bytes;
  FlowKind kind = FlowKind::kNone;
  bool v4 = false;
  bool tcp = false;
  std::uint8_t flags = 0;      // TCP
  std::uint8_t network = 0;    // offset of the IP header
  std::uint8_t transport = 0;  // offset of the TCP or UDP header
  std::uint8_t headers = 0;    // bytes of all headers
  std::uint16_t id = 0;        // IPv4
  std::uint32_t hash = 0;      // of addresses, ports and protocol
  std::uint32_t sequence = 0;  // TCP

  static FlowPacket of(std::span<const std::uint8_t> bytes, Layer layer) noexcept;

  std::size_t payload() const noexcept { return bytes.size() - headers; }
  // FIN or PSH: nothing may follow in the same superpacket.
  bool ends_here() const noexcept;
  // Addresses, ports and protocol are equal.
  bool same_flow(const FlowPacket& other) const noexcept;
  // So is all that a superpacket has only once. Not looked at: lengths, checksums, id, sequence,
  // FIN and PSH. Requires the same flow.
  bool same_headers(const FlowPacket& other) const noexcept;
  // Of the pseudo-header, with a transport header and payload of `length` bytes. Not folded.
  std::uint64_t pseudo_sum(std::size_t length) const noexcept;
  // IPv4 header checksum and transport checksum.
  bool checksums_hold() const noexcept;
};

}  // namespace vpntun::packet
