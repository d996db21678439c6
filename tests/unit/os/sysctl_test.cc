#include "os/sysctl.h"

#include <fstream>
#include <tuple>

#include "kernel_test.h"
#include "os/address.h"
#include "os/route.h"
#include "os/tun.h"
#include "os/udp.h"
#include "packet/build.h"

namespace vpntun::os {
namespace {

using SysctlTest = TwoHostsTest;
using ::testing::Contains;
using ::testing::Key;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST_F(SysctlTest, SettingsAreThoseOfTheCallersNamespace) {
  {
    const NetnsScope scope(far());
    std::ofstream("/proc/sys/net/ipv6/conf/all/forwarding") << "1";
    std::ofstream("/proc/sys/net/ipv4/conf/all/rp_filter") << "2";
    EXPECT_TRUE(ipv6_forwarding());
    EXPECT_EQ(rp_filter_all(), 2u);
  }
  EXPECT_FALSE(ipv6_forwarding());
  EXPECT_EQ(read_sysctl("ipv6/conf/all/forwarding"), 0);
}

TEST_F(SysctlTest, AMissingSettingIsNone) {
  EXPECT_EQ(read_sysctl("ipv4/no_such_setting"), std::nullopt);
  EXPECT_EQ(read_sysctl("ipv4/conf"), std::nullopt);
}

TEST_F(SysctlTest, CountersAreThoseOfTheCallersNamespace) {
  const Counters before = read_counters();
  for (const char* name : {"TcpExt.IPReversePathFilter", "IpExt.InNoRoutes", "Ip.ForwDatagrams",
                           "Udp.InDatagrams", "Ip6InNoRoutes"})
    EXPECT_THAT(before, Contains(Key(name)));

  UdpSocket here = UdpSocket::bind(0);
  std::optional<UdpSocket> there;
  {
    const NetnsScope scope(far());
    there.emplace(UdpSocket::bind(4000));
  }
  packet::Batch batch(4);
  const std::uint8_t payload[] = {1};
  batch.append_copy(payload).remote = endpoint("10.9.0.2:4000");
  here.send(batch);
  ASSERT_TRUE(wait_readable(there->fd()));
  batch.clear();
  std::ignore = there->receive(batch);
  EXPECT_EQ(read_counters().at("Udp.InDatagrams"), before.at("Udp.InDatagrams"));
  const NetnsScope scope(far());
  EXPECT_EQ(read_counters().at("Udp.InDatagrams"), 1u);
}

TEST_F(SysctlTest, AReversePathRefusalIsCounted) {
  Tun tun = Tun::open("tun0", TunKind::kTun);
  set_link_up(netlink(), tun.index(), true);
  add_address(netlink(), tun.index(), prefix("192.168.53.98/24"));
  set_forwarding_v4(netlink(), tun.index(), true);
  set_rp_filter_v4(netlink(), tun.index(), 1);
  add_route(netlink(),
            {.destination = prefix("0.0.0.0/0"), .index = left(), .gateway = ip("10.9.0.2")});
  packet::Batch batch(1);
  batch.append_copy(
      packet::build_udp({.source = ip("192.168.30.99"), .destination = ip("10.9.0.2")}, 1, 2, {}));
  tun.send(batch);
  EXPECT_TRUE(eventually([] { return read_counters().at("TcpExt.IPReversePathFilter") == 1; }));
  EXPECT_EQ(read_counters().at("Ip.ForwDatagrams"), 0u);
}

TEST(CountersTest, NamesAndValuesArePaired) {
  Counters counters;
  parse_counters(
      "Ip: Forwarding ForwDatagrams\nIp: 2 17\nTcp: MaxConn InSegs\nTcp: -1 18446744073709551615\n",
      counters);
  EXPECT_THAT(counters, UnorderedElementsAre(Pair("Ip.Forwarding", 2), Pair("Ip.ForwDatagrams", 17),
                                             Pair("Tcp.InSegs", 18446744073709551615u)));
}

TEST(CountersTest, BrokenTextGivesWhatCanBeRead) {
  Counters counters;
  parse_counters("Ip: A B\nIp: 1\nTcp: C\nUdp: 3\n", counters);
  EXPECT_THAT(counters, UnorderedElementsAre(Pair("Ip.A", 1)));
  parse_counters("", counters);
  parse_counters("\n\n", counters);
  parse_counters("no colon\nno colon\n", counters);
  parse_counters_v6("Ip6InNoRoutes   \t 4\nbroken\n\nIp6InReceives x\n", counters);
  EXPECT_EQ(counters.at("Ip6InNoRoutes"), 4u);
  EXPECT_FALSE(counters.contains("Ip6InReceives"));
}

}  // namespace
}  // namespace vpntun::os
