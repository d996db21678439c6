#include "packet/checksum.h"

#include <bit>
#include <cstring>

#include "base/wire.h"

namespace vpntun::packet {
namespace {

// Fewer bytes are not worth the call.
constexpr std::size_t kWideFrom = 64;

typedef std::uint64_t Vector16 __attribute__((vector_size(16)));
typedef std::uint64_t Vector32 __attribute__((vector_size(32)));

// Adds up 32-bit words in the machine's order, with two operations a vector and none for carries:
// a lane of `all` is the sum of its 64-bit words modulo 2^64, one of `high` the sum of their upper
// halves. That of the lower halves is what remains of `all`, as it is below 2^64.
// length: a multiple of the vector's.
template <typename Vector, bool kCopy>
[[gnu::always_inline]] inline std::uint64_t sum_of_vectors(const std::uint8_t* from,
                                                           std::uint8_t* to,
                                                           std::size_t length) noexcept {
  constexpr std::size_t kWidth = sizeof(Vector);
  Vector all = {};
  Vector high = {};
  Vector all_second = {};  // a second chain of additions, so that neither waits for the other
  Vector high_second = {};
  Vector words;
  std::size_t at = 0;
  for (; at + 2 * kWidth <= length; at += 2 * kWidth) {
    Vector second;
    std::memcpy(&words, from + at, kWidth);
    std::memcpy(&second, from + at + kWidth, kWidth);
    if constexpr (kCopy) {
      std::memcpy(to + at, &words, kWidth);
      std::memcpy(to + at + kWidth, &second, kWidth);
    }
    all += words;
    high += words >> 32;
    all_second += second;
    high_second += second >> 32;
  }
  if (at < length) {
    std::memcpy(&words, from + at, kWidth);
    if constexpr (kCopy) std::memcpy(to + at, &words, kWidth);
    all += words;
    high += words >> 32;
  }
  // Both sums of lower halves fit one lane.
  high += high_second;
  const Vector sums = high + (all + all_second - (high << 32));
  std::uint64_t sum = 0;
  for (std::size_t lane = 0; lane < kWidth / 8; ++lane) sum += sums[lane];
  return sum;
}

#if defined(__x86_64__)
// Every CPU of this kind adds 16 bytes at once, those of the last ten years 32.
template <bool kCopy>
[[gnu::target("avx2")]] std::uint64_t sum_avx2(const std::uint8_t* from, std::uint8_t* to,
                                               std::size_t length) noexcept {
  return sum_of_vectors<Vector32, kCopy>(from, to, length);
}
const bool kHasAvx2 = (__builtin_cpu_init(), __builtin_cpu_supports("avx2") != 0);
#endif

// length: a multiple of 32.
template <bool kCopy>
std::uint64_t sum_wide(const std::uint8_t* from, std::uint8_t* to, std::size_t length) noexcept {
#if defined(__x86_64__)
  if (kHasAvx2) return sum_avx2<kCopy>(from, to, length);
#endif
  return sum_of_vectors<Vector16, kCopy>(from, to, length);
}

// The sum is the same in either byte order but for a swap of the result (RFC 1071 2.B), and
// 2^16 = 1 modulo 2^16 - 1 lets wider words be added.
template <bool kCopy>
std::uint16_t sum_pass(std::span<const std::uint8_t> bytes, std::uint8_t* to) noexcept {
  const std::size_t size = bytes.size();
  std::size_t at = 0;
  std::uint64_t sum = 0;
  if (size >= kWideFrom) {
    at = size / 32 * 32;
    sum = sum_wide<kCopy>(bytes.data(), to, at);
  }
  for (; at + 4 <= size; at += 4) {
    std::uint32_t word;
    std::memcpy(&word, &bytes[at], 4);
    if constexpr (kCopy) std::memcpy(to + at, &word, 4);
    sum += word;
  }
  if (at < size) {
    std::uint32_t last = 0;
    std::memcpy(&last, &bytes[at], size - at);  // an odd byte is followed by a zero
    if constexpr (kCopy) std::memcpy(to + at, &bytes[at], size - at);
    sum += last;
  }
  const std::uint16_t native = folded_sum(sum);
  if constexpr (std::endian::native == std::endian::little)
    return static_cast<std::uint16_t>((native << 8) | (native >> 8));
  return native;
}

}  // namespace

std::uint16_t sum_of(std::span<const std::uint8_t> bytes) noexcept {
  return sum_pass<false>(bytes, nullptr);
}
std::uint16_t copy_and_sum(std::span<const std::uint8_t> bytes, std::uint8_t* to) noexcept {
  return sum_pass<true>(bytes, to);
}

void ChecksumSum::add(std::span<const std::uint8_t> bytes) noexcept {
  if (odd_ && !bytes.empty()) {
    sum_ += bytes[0];
    bytes = bytes.subspan(1);
    odd_ = false;
  }
  sum_ = folded_sum(sum_ + sum_of(bytes));
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
  return static_cast<std::uint16_t>(~folded_sum(sum_));
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
  return static_cast<std::uint16_t>(~folded_sum(sum));
}

}  // namespace vpntun::packet
