// The Internet checksum (RFC 1071), with the pseudo-headers of IPv4 (RFC 793) and IPv6 (RFC
// 8200 8.1). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/address.h"

namespace vpntun::packet {

// Adds up what a checksum covers, piece by piece; pieces of odd length continue in the next one.
class ChecksumSum {
 public:
  void add(std::span<const std::uint8_t> bytes) noexcept;
  // Both addresses, the protocol and the length of header and payload in bytes.
  void add_pseudo_header(const IpAddress& source, const IpAddress& destination,
                         std::uint8_t protocol, std::size_t length) noexcept;
  // The complement of the sum, as store_be writes it into the header.
  std::uint16_t checksum() const noexcept;

 private:
  std::uint64_t sum_ = 0;  // of 16-bit words in host order
  bool odd_ = false;
};

// Over a header whose checksum field is zero: the value for the field. Over one that has it: 0 when
// correct.
std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes) noexcept;

// The same for a TCP, UDP or ICMPv6 segment with its pseudo-header. UDP writes a computed 0 as
// 0xffff.
std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination,
                                 std::uint8_t protocol,
                                 std::span<const std::uint8_t> segment) noexcept;

// 16 bits of a sum of 16-bit words: the carries added back in. 0 only for 0.
constexpr std::uint16_t folded_sum(std::uint64_t sum) noexcept {
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// The folded sum of bytes as big-endian 16-bit words, for code that puts a checksum together from
// parts that change and parts that do not. An odd last byte is followed by a zero.
std::uint16_t sum_of(std::span<const std::uint8_t> bytes) noexcept;
// The same of bytes that are copied to `to` in the same pass. They must not overlap.
std::uint16_t copy_and_sum(std::span<const std::uint8_t> bytes, std::uint8_t* to) noexcept;

// The checksum after one 16-bit word of what it covers changed (RFC 1624, equation 3).
std::uint16_t updated_checksum(std::uint16_t checksum, std::uint16_t old_word,
                               std::uint16_t new_word) noexcept;

}  // namespace vpntun::packet
