// Cuts a superpacket, as the kernel hands it over with segmentation left undone, into packets of
// wire size: the kernel's own segmentation (net/ipv4/tcp_offload.c, udp_offload.c) byte for byte.
// Called by the inside port for what it has read. Pure, without allocation:
//   auto segments = Segments::of(superpacket, offload, Layer::kIp);
//   while (const auto length = segments->next(room)) ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "packet/ethernet.h"
#include "packet/vnet_header.h"

namespace vpntun::packet {

class Segments {
 public:
  // Nothing when the bytes are not what the offload says: whole, TCP or UDP of that family, no
  // fragment, the checksum where the protocol has it. An Ethernet frame may have one VLAN tag, and
  // no padding. The superpacket must outlive the result, unchanged.
  static std::optional<Segments> of(std::span<const std::uint8_t> superpacket,
                                    const Offload& offload, Layer layer) noexcept;

  // Bytes of the largest segment, headers included.
  std::size_t largest() const noexcept;
  // Segments still to come; the first call of next() always gives one.
  std::size_t left() const noexcept;
  // Writes the next segment to the front of `out`, which has room for largest() bytes, with all
  // lengths and checksums right; returns its length, 0 after the last.
  std::size_t next(std::span<std::uint8_t> out) noexcept;

 private:
  Segments() noexcept = default;
  bool find_headers(Layer layer) noexcept;
  bool accepts(const Offload& offload) const noexcept;
  void sum_constant_parts(const Offload& offload) noexcept;
  void finish_ip(std::uint8_t* ip, std::size_t length) const noexcept;
  void finish_tcp(std::uint8_t* tcp, std::size_t length, std::uint64_t payload_sum,
                  bool is_last) const noexcept;
  void finish_udp(std::uint8_t* udp, std::size_t length, std::uint64_t payload_sum) const noexcept;

  std::span<const std::uint8_t> bytes_;
  std::size_t network_ = 0;    // offset of the IP header
  std::size_t transport_ = 0;  // offset of the TCP or UDP header
  std::size_t headers_ = 0;    // bytes of all headers, the offset of the payload
  std::size_t size_ = 0;       // bytes of payload in a segment
  std::size_t at_ = 0;         // offset in the payload of the next segment
  std::uint16_t index_ = 0;    // of the next segment
  bool v4_ = false;
  bool tcp_ = false;
  bool done_ = false;
  std::uint64_t ip_sum_ = 0;         // of what no segment changes in the IPv4 header
  std::uint64_t transport_sum_ = 0;  // the same of TCP or UDP header and pseudo-header
};

// Writes the transport checksum that is missing in a packet which is not to be cut. False: the
// offload does not fit the packet, which is unchanged.
bool complete_checksum(std::span<std::uint8_t> packet, const Offload& offload,
                       Layer layer) noexcept;

}  // namespace vpntun::packet
