// The messages as bytes: layout, sizes, what is no message.
#include "wg/messages.h"

#include <numeric>
#include <random>

#include "vectors/vectors.h"

namespace vpntun::wg {
namespace {

using vectors::Octets;
using vectors::to_hex;

// A message of every type whose bytes behind the first four are 4, 5, 6, ...
Octets counting(MessageType type, std::size_t size) {
  Octets bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  bytes[0] = static_cast<std::uint8_t>(type);
  bytes[1] = bytes[2] = bytes[3] = 0;
  return bytes;
}
template <std::size_t Size>
std::array<std::uint8_t, Size> from(std::uint8_t first) {
  std::array<std::uint8_t, Size> bytes;
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

constexpr std::pair<MessageType, std::size_t> kFixed[] = {
    {MessageType::kInitiation, 148},
    {MessageType::kResponse, 92},
    {MessageType::kCookieReply, 64},
};

TEST(Messages, SizesAreThoseOfThePaper) {
  EXPECT_EQ(kInitiationSize, 148u);
  EXPECT_EQ(kResponseSize, 92u);
  EXPECT_EQ(kCookieReplySize, 64u);
  EXPECT_EQ(kDataHeaderSize, 16u);
  EXPECT_EQ(kDataOverhead, 32u);
}

TEST(Messages, HaveExactlyTheirSize) {
  for (const auto& [type, right] : kFixed)
    for (std::size_t size = 4; size <= 300; ++size)
      EXPECT_EQ(type_of(counting(type, size)).has_value(), size == right) << size;
}

TEST(Messages, DataHasRoomForHeaderAndTag) {
  for (std::size_t size = 4; size <= 300; ++size)
    EXPECT_EQ(type_of(counting(MessageType::kData, size)).has_value(), size >= 32) << size;
  EXPECT_EQ(type_of(counting(MessageType::kData, 65507)), MessageType::kData);
}

TEST(Messages, ShorterThanATypeIsNothing) {
  for (std::size_t size = 0; size < 4; ++size) EXPECT_FALSE(type_of(Octets(size, 1)));
}

TEST(Messages, OtherTypesAreNothing) {
  for (unsigned type = 0; type < 256; ++type)
    for (const std::size_t size : {32u, 64u, 92u, 148u}) {
      const auto found = type_of(counting(static_cast<MessageType>(type), size));
      const bool fits = type == 4 || (type == 3 && size == 64) || (type == 2 && size == 92) ||
                        (type == 1 && size == 148);
      ASSERT_EQ(found.has_value(), fits) << type << ' ' << size;
      if (fits) {
        EXPECT_EQ(static_cast<unsigned>(*found), type);
      }
    }
}

TEST(Messages, ReservedBytesAreZero) {
  for (const auto& [type, size] : {kFixed[0], kFixed[1], kFixed[2], {MessageType::kData, 48}})
    for (std::size_t bit = 8; bit < 32; ++bit) {
      Octets bytes = counting(type, size);
      bytes[bit / 8] |= static_cast<std::uint8_t>(1 << (bit % 8));
      EXPECT_FALSE(type_of(bytes)) << bit;
    }
}

TEST(Messages, InitiationIsReadFieldByField) {
  const Initiation message = read_initiation(counting(MessageType::kInitiation, kInitiationSize));
  EXPECT_EQ(message.sender, 0x07060504u);
  EXPECT_EQ(message.ephemeral.bytes, from<32>(8));
  EXPECT_EQ(message.sealed_static, from<48>(40));
  EXPECT_EQ(message.sealed_timestamp, from<28>(88));
  EXPECT_EQ(message.mac1, from<16>(116));
  EXPECT_EQ(message.mac2, from<16>(132));
}

TEST(Messages, ResponseIsReadFieldByField) {
  const Response message = read_response(counting(MessageType::kResponse, kResponseSize));
  EXPECT_EQ(message.sender, 0x07060504u);
  EXPECT_EQ(message.receiver, 0x0b0a0908u);
  EXPECT_EQ(message.ephemeral.bytes, from<32>(12));
  EXPECT_EQ(message.sealed_nothing, from<16>(44));
  EXPECT_EQ(message.mac1, from<16>(60));
  EXPECT_EQ(message.mac2, from<16>(76));
}

TEST(Messages, CookieReplyIsReadFieldByField) {
  const CookieReply message =
      read_cookie_reply(counting(MessageType::kCookieReply, kCookieReplySize));
  EXPECT_EQ(message.receiver, 0x07060504u);
  EXPECT_EQ(message.nonce, from<24>(8));
  EXPECT_EQ(message.sealed_cookie, from<32>(32));
}

TEST(Messages, DataHeaderIsReadFieldByField) {
  const DataHeader header = read_data_header(counting(MessageType::kData, kDataOverhead));
  EXPECT_EQ(header.receiver, 0x07060504u);
  EXPECT_EQ(header.counter, 0x0f0e0d0c0b0a0908u);
}

// Together with the tests above this says that writing puts each field where it is read.
TEST(Messages, AreWrittenAsTheyWereRead) {
  std::mt19937 chance(1);
  for (int i = 0; i < 100; ++i)
    for (const auto& [type, size] : kFixed) {
      Octets bytes = counting(type, size);
      for (std::size_t at = 4; at < size; ++at) bytes[at] = static_cast<std::uint8_t>(chance());
      if (type == MessageType::kInitiation)
        EXPECT_EQ(to_hex(write(read_initiation(bytes))), to_hex(bytes));
      else if (type == MessageType::kResponse)
        EXPECT_EQ(to_hex(write(read_response(bytes))), to_hex(bytes));
      else
        EXPECT_EQ(to_hex(write(read_cookie_reply(bytes))), to_hex(bytes));
    }
}

TEST(Messages, DataHeaderLeavesWhatIsBehindIt) {
  Octets bytes(40, 0xaa);
  write(DataHeader{0x01020304, 0x05060708090a0b0c}, bytes);
  EXPECT_EQ(to_hex(bytes),
            "04000000"
            "04030201"
            "0c0b0a0908070605" +
                to_hex(Octets(24, 0xaa)));
}

TEST(Messages, MacsCoverWhatIsBeforeThem) {
  for (const std::size_t size : {kInitiationSize, kResponseSize}) {
    const Octets bytes(size);
    EXPECT_EQ(before_mac1(bytes).data(), bytes.data());
    EXPECT_EQ(before_mac1(bytes).size(), size - 32);
    EXPECT_EQ(before_mac2(bytes).data(), bytes.data());
    EXPECT_EQ(before_mac2(bytes).size(), size - 16);
  }
}

}  // namespace
}  // namespace vpntun::wg
