#include "packet/ecn.h"

#include <gtest/gtest.h>

#include "packet/build.h"
#include "packet/checksum.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kCongestion = 3;

Bytes packet(const std::string& source, const std::string& destination, std::uint8_t ecn) {
  IpFields ip;
  ip.source = *IpAddress::parse(source);
  ip.destination = *IpAddress::parse(destination);
  Bytes bytes = build_udp(ip, 1, 2, Bytes(8, 0));
  if (ip.source.is_v6()) {
    bytes[1] = static_cast<std::uint8_t>(bytes[1] | (ecn << 4));
    return bytes;
  }
  bytes[1] = ecn;
  bytes[10] = bytes[11] = 0;
  const std::uint16_t checksum = internet_checksum(std::span(bytes).first(20));
  bytes[10] = static_cast<std::uint8_t>(checksum >> 8);
  bytes[11] = static_cast<std::uint8_t>(checksum);
  return bytes;
}

class Ecn : public ::testing::TestWithParam<std::pair<const char*, const char*>> {
 protected:
  Bytes of(std::uint8_t ecn) const { return packet(GetParam().first, GetParam().second, ecn); }
};

TEST_P(Ecn, IsReadFromThePacket) {
  for (std::uint8_t ecn = 0; ecn < 4; ++ecn) EXPECT_EQ(ecn_of(of(ecn)), ecn);
}

// RFC 6040, figure 4: of the outer field only "congestion experienced" is taken over.
TEST_P(Ecn, IsTakenOverByPacketsWhoseEndsUnderstandIt) {
  for (std::uint8_t outer = 0; outer < 4; ++outer) {
    for (std::uint8_t inner = 0; inner < 4; ++inner) {
      Bytes bytes = of(inner);
      carry_congestion(outer, bytes);
      const bool marks = outer == kCongestion && inner != 0;
      EXPECT_EQ(ecn_of(bytes), marks ? kCongestion : inner);
      const auto view = IpView::parse(bytes);
      ASSERT_TRUE(view);
      EXPECT_TRUE(!view->is_v4() || internet_checksum(view->header()) == 0) << +outer << +inner;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Ecn,
                         ::testing::Values(std::pair("10.0.0.1", "10.0.0.2"),
                                           std::pair("fd00::1", "fd00::2")));

TEST(EcnOfNoPacket, IsNoneAndChangesNothing) {
  Bytes junk{0x45, 1, 2};
  EXPECT_EQ(ecn_of(junk), 0);
  const Bytes before = junk;
  carry_congestion(kCongestion, junk);
  EXPECT_EQ(junk, before);
  EXPECT_EQ(ecn_of({}), 0);
}

}  // namespace
}  // namespace vpntun::packet
