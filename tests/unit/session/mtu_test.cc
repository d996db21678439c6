#include "session/mtu.h"

#include <gtest/gtest.h>

#include <vector>

namespace vpntun::session {
namespace {

Mtu derive(const std::vector<OuterPath>& paths, InnerNeeds needs = {}) {
  return derive_mtu(paths, needs);
}

TEST(Mtu, TakesTheHeadersOffTheOutgoingLink) {
  const Mtu mtu = derive({{"eth0", Family::kIpv4, 1500}});
  EXPECT_EQ(mtu.bytes, 1472u);
  EXPECT_EQ(mtu.derivation, "1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)");
}

TEST(Mtu, CountsTheLargerHeaderOfIpv6) {
  const Mtu mtu = derive({{"eth0", Family::kIpv6, 1500}});
  EXPECT_EQ(mtu.bytes, 1452u);
  EXPECT_EQ(mtu.derivation, "1452 = 1500 (eth0) - 40 (IPv6) - 8 (UDP)");
}

TEST(Mtu, LeavesRoomForTheEthernetHeaderOfATap) {
  const Mtu mtu = derive({{"eth0", Family::kIpv4, 1500}}, {.frames = true});
  EXPECT_EQ(mtu.bytes, 1458u);
  EXPECT_EQ(mtu.derivation, "1458 = 1500 (eth0) - 20 (IPv4) - 8 (UDP) - 14 (Ethernet)");
}

TEST(Mtu, AssumesTheWorstUsualPathForAPeerNotKnownYet) {
  EXPECT_EQ(derive({}).derivation, "1452 = 1500 (assumed) - 40 (IPv6) - 8 (UDP)");
  EXPECT_EQ(derive({OuterPath{}}).derivation, "1452 = 1500 (assumed) - 40 (IPv6) - 8 (UDP)");
}

TEST(Mtu, IsTheSmallestOverThePeers) {
  const Mtu mtu = derive({{"eth0", Family::kIpv4, 1500},
                          {"ppp0", Family::kIpv4, 1400},
                          {"eth1", Family::kIpv4, 9000}});
  EXPECT_EQ(mtu.derivation, "1372 = 1400 (ppp0) - 20 (IPv4) - 8 (UDP)");
  EXPECT_EQ(derive({{"jumbo0", Family::kIpv4, 9000}, OuterPath{}}).bytes, 1452u);
}

TEST(Mtu, ComparesWhatIsLeftNotTheLinks) {
  EXPECT_EQ(derive({{"a", Family::kIpv4, 1490}, {"b", Family::kIpv6, 1500}}).bytes, 1452u);
}

TEST(Mtu, NeverExceedsWhatAUdpDatagramCarries) {
  const Mtu mtu = derive({{"lo", Family::kIpv4, 65536}});
  EXPECT_EQ(mtu.bytes, 65507u);
  EXPECT_EQ(mtu.derivation, "65507 = 65535 (lo) - 20 (IPv4) - 8 (UDP)");
}

TEST(Mtu, IsAtLeastWhatIpv6InsideNeeds) {
  const Mtu mtu = derive({{"eth0", Family::kIpv4, 1280}}, {.ipv6 = true});
  EXPECT_EQ(mtu.bytes, 1280u);
  EXPECT_EQ(mtu.derivation,
            "1280 (least for IPv6 inside; the path leaves 1252 = 1280 (eth0) - 20 (IPv4) - 8 "
            "(UDP))");
  EXPECT_EQ(derive({{"eth0", Family::kIpv4, 1280}}).bytes, 1252u);
}

TEST(Mtu, IsAtLeastWhatIpv4Needs) {
  EXPECT_EQ(derive({{"tiny0", Family::kIpv4, 20}}).bytes, 68u);
  EXPECT_EQ(derive({{"tiny0", Family::kIpv4, 90}}).bytes, 68u);
}

}  // namespace
}  // namespace vpntun::session
