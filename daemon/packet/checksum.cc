#include "packet/checksum.h"

#include <bit>
#include <cstring>

#include "base/wire.h"

namespace vpntun::packet {
namespace {

// 16 bits of a sum of 16-bit words: the carries added back in.
std::uint64_t folded(std::uint64_t sum) noexcept {
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// The sum of bytes as big-endian 16-bit words. It is the same in either byte order but for a swap
// of the result (RFC 1071 2.B), and 2^16 = 1 modulo 2^16 - 1 lets eight bytes be added at a time.
std::uint64_t sum_of(std::span<const std::uint8_t> bytes) noexcept {
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = 0;
  std::uint64_t carries = 0;
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    sum += word;
    carries += sum < word ? 1 : 0;
  }
  std::uint64_t last = 0;
  if (left != 0) std::memcpy(&last, at, left);  // an odd byte is followed by a zero
  sum += last;
  carries += sum < last ? 1 : 0;
  const std::uint64_t native = folded(folded(sum) + carries);
  if constexpr (std::endian::native == std::endian::little)
    return ((native & 0xff) << 8) | (native >> 8);
  return native;
}

}  // namespace

void ChecksumSum::add(std::span<const std::uint8_t> bytes) noexcept {
  if (odd_ && !bytes.empty()) {
    sum_ += bytes[0];
    bytes = bytes.subspan(1);
    odd_ = false;
  }
  sum_ = folded(sum_ + sum_of(bytes));
  if (bytes.size() % 2 != 0) odd_ = true;
}

void ChecksumSum::add_pseudo_header(const IpAddress& source, const IpAddress& destination,
                                    std::uint8_t protocol, std::size_t length) noexcept {
  add(source.bytes());
  add(destination.bytes());
  std::uint8_t rest[8] = {};
  store_be(rest, static_cast<std::uint32_t>(length));
  rest[7] = protocol;
  add(rest);
}

std::uint16_t ChecksumSum::checksum() const noexcept {
  return static_cast<std::uint16_t>(~folded(sum_));
}

std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes) noexcept {
  ChecksumSum sum;
  sum.add(bytes);
  return sum.checksum();
}

std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination,
                                 std::uint8_t protocol,
                                 std::span<const std::uint8_t> segment) noexcept {
  ChecksumSum sum;
  sum.add_pseudo_header(source, destination, protocol, segment.size());
  sum.add(segment);
  return sum.checksum();
}

std::uint16_t updated_checksum(std::uint16_t checksum, std::uint16_t old_word,
                               std::uint16_t new_word) noexcept {
  const std::uint64_t sum = std::uint64_t{static_cast<std::uint16_t>(~checksum)} +
                            static_cast<std::uint16_t>(~old_word) + new_word;
  return static_cast<std::uint16_t>(~folded(sum));
}

}  // namespace vpntun::packet
