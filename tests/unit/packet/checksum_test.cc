#include "packet/checksum.h"

#include <algorithm>

#include "base/wire.h"
#include "bytes.h"

namespace vpntun::packet {
namespace {

// RFC 1071 as it reads: 16-bit words, big-endian, an odd byte with a zero behind it.
std::uint16_t slow_checksum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) sum += bytes[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

TEST(Checksum, NumericalExampleOfRfc1071) {
  EXPECT_EQ(internet_checksum(hex("0001 f203 f4f5 f6f7")), static_cast<std::uint16_t>(~0xddf2));
}

TEST(Checksum, KnownIpv4Header) {
  EXPECT_EQ(internet_checksum(hex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7")), 0xb861);
  EXPECT_EQ(internet_checksum(hex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7")), 0);
}

TEST(Checksum, NothingSumsToZero) {
  EXPECT_EQ(internet_checksum({}), 0xffff);
}

TEST(Checksum, OddByteIsTheHighHalfOfAWord) {
  EXPECT_EQ(internet_checksum(hex("ab")), static_cast<std::uint16_t>(~0xab00));
}

TEST(Checksum, CarriesOfManyOnesAreKept) {
  for (const std::size_t length : {2u, 8u, 16u, 64u, 1500u, 65534u}) {
    const Bytes ones(length, 0xff);
    EXPECT_EQ(internet_checksum(ones), 0) << length;
  }
}

TEST(Checksum, EqualsTheSlowReferenceAtEveryLengthAndAlignment) {
  Chance chance;
  PRINT_SEED(chance);
  const Bytes bytes = chance.bytes(300);
  for (std::size_t start = 0; start < 9; ++start)
    for (std::size_t length = 0; length + start <= bytes.size(); ++length) {
      const auto part = std::span(bytes).subspan(start, length);
      ASSERT_EQ(internet_checksum(part), slow_checksum(part)) << start << "+" << length;
    }
}

TEST(Checksum, PiecesOfAnyLengthSumAsTheWhole) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 2000; ++round) {
    const Bytes bytes = chance.bytes(chance.between(0, 100));
    ChecksumSum sum;
    for (std::span<const std::uint8_t> rest = bytes; !rest.empty();) {
      const std::size_t length = chance.between(0, rest.size());
      sum.add(rest.first(length));
      rest = rest.subspan(length);
    }
    ASSERT_EQ(sum.checksum(), slow_checksum(bytes));
  }
}

TEST(Checksum, TheSumAndTheCopyOfOnePassEqualTheSlowReference) {
  Chance chance;
  PRINT_SEED(chance);
  const Bytes bytes = chance.bytes(700);
  for (const std::size_t start : {0u, 1u, 2u, 3u, 5u, 8u, 13u, 31u})
    for (std::size_t length = 0; length + start <= bytes.size(); ++length) {
      const auto part = std::span(bytes).subspan(start, length);
      const auto expected = static_cast<std::uint16_t>(~slow_checksum(part));
      ASSERT_EQ(sum_of(part), expected) << start << "+" << length;
      Bytes copy(length + 3, 0xee);
      ASSERT_EQ(copy_and_sum(part, copy.data() + 1), expected) << start << "+" << length;
      ASSERT_TRUE(std::ranges::equal(std::span(copy).subspan(1, length), part));
      ASSERT_EQ(copy.front(), 0xee);
      ASSERT_EQ(copy[length + 1], 0xee);
    }
}

TEST(Checksum, SumsOfOnesAndZerosKeepEveryCarry) {
  for (const std::size_t length : {64u, 65u, 96u, 1420u, 65535u, 65536u}) {
    EXPECT_EQ(sum_of(Bytes(length)), 0);
    Bytes ones(length, 0xff);
    EXPECT_EQ(sum_of(ones), static_cast<std::uint16_t>(~slow_checksum(ones))) << length;
    EXPECT_NE(sum_of(ones), 0) << "of something it is never zero";
  }
}

TEST(Checksum, UdpOverIpv4WithPseudoHeader) {
  // A DNS-like datagram: 10.0.0.1:1000 -> 10.0.0.2:53, "hi". Sum by hand:
  // 0a00+0001+0a00+0002+0011+000a + 03e8+0035+000a+6869 = 80ae
  const Bytes segment = hex("03e8 0035 000a 0000 6869");
  EXPECT_EQ(transport_checksum(ip("10.0.0.1"), ip("10.0.0.2"), 17, segment),
            static_cast<std::uint16_t>(~0x80ae));
}

TEST(Checksum, PseudoHeaderOfIpv6EqualsItsBytes) {
  const Bytes segment = hex("8000 0000 0001 0002 61");
  Bytes whole =
      hex("20010db8000000000000000000000001 20010db8000000000000000000000002"
          "00000009 0000003a");
  whole.insert(whole.end(), segment.begin(), segment.end());
  EXPECT_EQ(transport_checksum(ip("2001:db8::1"), ip("2001:db8::2"), 58, segment),
            slow_checksum(whole));
}

TEST(Checksum, ExampleOfRfc1624) {
  // Section 4: checksum 0xdd2f, the word 0x5555 becomes 0x3285, the checksum becomes 0x0000.
  EXPECT_EQ(updated_checksum(0xdd2f, 0x5555, 0x3285), 0x0000);
}

TEST(Checksum, UpdatedEqualsComputedAnew) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = chance.bytes(40);
    bytes[0] |= 1;  // never all zero: then both zeros of ones' complement are right
    const std::uint16_t before = internet_checksum(bytes);
    const std::size_t at = chance.between(1, 19) * 2;
    const auto old_word = load_be<std::uint16_t>(&bytes[at]);
    const auto new_word = static_cast<std::uint16_t>(chance.between(0, 65535));
    store_be(&bytes[at], new_word);
    ASSERT_EQ(updated_checksum(before, old_word, new_word), slow_checksum(bytes));
  }
}

}  // namespace
}  // namespace vpntun::packet
