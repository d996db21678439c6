#include "base/wire.h"

#include <gtest/gtest.h>

#include <array>

namespace vpntun {
namespace {

TEST(Wire, LoadsInBothOrdersWithoutAlignment) {
  constexpr std::uint8_t kBytes[] = {0, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
  static_assert(load_be<std::uint8_t>(kBytes + 1) == 0x01);
  static_assert(load_be<std::uint16_t>(kBytes + 1) == 0x0102);
  static_assert(load_be<std::uint32_t>(kBytes + 1) == 0x01020304);
  static_assert(load_be<std::uint64_t>(kBytes + 1) == 0x0102030405060708);
  static_assert(load_le<std::uint16_t>(kBytes + 1) == 0x0201);
  static_assert(load_le<std::uint32_t>(kBytes + 1) == 0x04030201);
  EXPECT_EQ(load_le<std::uint64_t>(kBytes + 1), 0x0807060504030201u);
}

TEST(Wire, StoresInBothOrders) {
  std::array<std::uint8_t, 9> bytes{};
  store_be(bytes.data() + 1, std::uint32_t{0x01020304});
  EXPECT_EQ(bytes, (std::array<std::uint8_t, 9>{0, 1, 2, 3, 4}));
  store_le(bytes.data() + 1, std::uint64_t{0x0102030405060708});
  EXPECT_EQ(bytes, (std::array<std::uint8_t, 9>{0, 8, 7, 6, 5, 4, 3, 2, 1}));
  store_be(bytes.data(), std::uint16_t{0xfffe});
  EXPECT_EQ(bytes[0], 0xff);
  EXPECT_EQ(bytes[1], 0xfe);
  EXPECT_EQ(bytes[2], 7);
}

TEST(Wire, HighBitsSurvive) {
  std::array<std::uint8_t, 8> bytes{};
  store_be(bytes.data(), ~std::uint64_t{0});
  EXPECT_EQ(load_be<std::uint64_t>(bytes.data()), ~std::uint64_t{0});
  EXPECT_EQ(load_le<std::uint16_t>(bytes.data()), 0xffff);
}

}  // namespace
}  // namespace vpntun
