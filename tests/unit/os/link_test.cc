#include "os/link.h"

#include <linux/rtnetlink.h>

#include "kernel_test.h"
#include "os/address.h"
#include "os/sysctl.h"
#include "os/tun.h"

namespace vpntun::os {
namespace {

using LinkTest = KernelTest;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;

TEST_F(LinkTest, LoopbackIsFoundByNameAndIndex) {
  const Link link = get_link(netlink(), "lo");
  EXPECT_EQ(get_link(netlink(), link.index), link);
  EXPECT_TRUE(link.loopback);
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.mtu, 65536u);
  EXPECT_EQ(link.kind, "");
}

TEST_F(LinkTest, AMissingInterfaceIsNotFound) {
  EXPECT_FALSE(find_link(netlink(), "none0"));
  EXPECT_FALSE(find_link(netlink(), 4711));
  EXPECT_FALSE(find_link(netlink(), ""));
  EXPECT_FALSE(find_link(netlink(), "a-name-that-is-far-too-long"));
  EXPECT_THAT(error_of([&] { get_link(netlink(), "none0"); }),
              IsError(ErrorKind::kFailed, "there is no interface none0"));
}

TEST_F(LinkTest, VethPairHasOneEndInEachNamespace) {
  const Netns other = Netns::create_anonymous();
  create_veth(netlink(), "u-net", "net-u", other.fd());
  const Link here = get_link(netlink(), "u-net");
  EXPECT_EQ(here.kind, "veth");
  EXPECT_FALSE(here.up);
  EXPECT_NE(here.mac, MacAddress{});
  EXPECT_FALSE(find_link(netlink(), "net-u"));
  const NetnsScope scope(other);
  NetlinkSocket there;
  EXPECT_EQ(get_link(there, "net-u").kind, "veth");
}

TEST_F(LinkTest, ATakenVethNameIsNamed) {
  const Netns here = Netns::current();
  create_veth(netlink(), "a", "b", here.fd());
  EXPECT_THAT(error_of([&] { create_veth(netlink(), "a", "c", here.fd()); }),
              IsError(ErrorKind::kInterfaceExists, "create the veth pair a and c"));
  EXPECT_THAT(error_of([&] { create_veth(netlink(), "c", "b", here.fd()); }),
              IsError(ErrorKind::kInterfaceExists, "create the veth pair c and b"));
  EXPECT_FALSE(find_link(netlink(), "c"));
}

TEST_F(LinkTest, CarrierNeedsBothEndsUp) {
  const Netns here = Netns::current();
  create_veth(netlink(), "a", "b", here.fd());
  const unsigned a = get_link(netlink(), "a").index;
  set_link_up(netlink(), a, true);
  EXPECT_TRUE(get_link(netlink(), a).up);
  EXPECT_FALSE(get_link(netlink(), a).lower_up);
  set_link_up(netlink(), get_link(netlink(), "b").index, true);
  EXPECT_TRUE(eventually([&] { return get_link(netlink(), a).lower_up; }));
  set_link_up(netlink(), a, false);
  EXPECT_FALSE(get_link(netlink(), a).up);
}

TEST_F(LinkTest, SettingsAreReadBack) {
  const Netns here = Netns::current();
  create_veth(netlink(), "a", "b", here.fd());
  const unsigned index = get_link(netlink(), "a").index;
  const MacAddress mac = MacAddress::parse("02:00:00:00:00:07").value();
  set_link_mtu(netlink(), index, 1420);
  set_link_mac(netlink(), index, mac);
  set_link_name(netlink(), index, "renamed");
  const Link link = get_link(netlink(), index);
  EXPECT_EQ(link.mtu, 1420u);
  EXPECT_EQ(link.mac, mac);
  EXPECT_EQ(link.name, "renamed");
  EXPECT_THAT(list_links(netlink()), Contains(Field(&Link::name, "renamed")));
  delete_link(netlink(), index);
  EXPECT_FALSE(find_link(netlink(), index));
}

TEST_F(LinkTest, ErrorsNameTheInterface) {
  const Netns here = Netns::current();
  create_veth(netlink(), "a", "b", here.fd());
  const unsigned index = get_link(netlink(), "a").index;
  EXPECT_THAT(error_of([&] { set_link_mtu(netlink(), index, 7); }),
              IsError(ErrorKind::kFailed, "set the MTU 7 of a: "));
  EXPECT_THAT(error_of([&] { set_link_name(netlink(), index, "b"); }),
              IsError(ErrorKind::kInterfaceExists, "interface b exists already"));
  EXPECT_THAT(error_of([&] { set_link_up(netlink(), 4711, true); }),
              IsError(ErrorKind::kFailed, "interface 4711 (gone)"));
  EXPECT_THAT(error_of([&] { delete_link(netlink(), loopback()); }),
              IsError(ErrorKind::kNotSupported, "delete lo"));
}

TEST_F(LinkTest, AlternativeNamesComeAndGo) {
  const Tun tun = Tun::open("tun%d", TunKind::kTun);
  const std::string first = "a-name-longer-than-that-of-an-interface";
  for (int time = 0; time < 2; ++time) add_alternative_name(netlink(), tun.index(), first);
  add_alternative_name(netlink(), tun.index(), "second");
  EXPECT_THAT(get_link(netlink(), tun.index()).alternative_names, ElementsAre(first, "second"));
  EXPECT_THAT(error_of([&] { add_alternative_name(netlink(), loopback(), "second"); }),
              IsError(ErrorKind::kFailed, "add the name second to lo"));
  remove_alternative_name(netlink(), loopback(), "second");
  for (int time = 0; time < 2; ++time) remove_alternative_name(netlink(), tun.index(), first);
  EXPECT_THAT(get_link(netlink(), tun.index()).alternative_names, ElementsAre("second"));
}

TEST_F(LinkTest, ForwardingIsSetForOneInterfaceByMessage) {
  const Tun tun = Tun::open("tun%d", TunKind::kTun);
  EXPECT_FALSE(forwarding_v4(netlink(), tun.index()));
  set_forwarding_v4(netlink(), tun.index(), true);
  EXPECT_TRUE(forwarding_v4(netlink(), tun.index()));
  EXPECT_EQ(read_sysctl("ipv4/conf/" + tun.name() + "/forwarding"), 1);
  EXPECT_FALSE(forwarding_v4(netlink(), loopback()));
  set_forwarding_v4(netlink(), tun.index(), false);
  EXPECT_FALSE(forwarding_v4(netlink(), tun.index()));
}

TEST_F(LinkTest, RpFilterIsSetForOneInterfaceByMessage) {
  const Tun tun = Tun::open("tun%d", TunKind::kTun);
  for (const unsigned mode : {1u, 2u, 0u}) {
    set_rp_filter_v4(netlink(), tun.index(), mode);
    EXPECT_EQ(rp_filter_v4(netlink(), tun.index()), mode);
    EXPECT_EQ(read_sysctl("ipv4/conf/" + tun.name() + "/rp_filter"), static_cast<long>(mode));
  }
}

TEST_F(LinkTest, AnInterfaceMayBeKeptFromMakingItselfALinkLocalAddress) {
  const Tun plain = Tun::open("tun%d", TunKind::kTun);
  set_link_up(netlink(), plain.index(), true);
  EXPECT_TRUE(eventually([&] { return !list_addresses(netlink(), plain.index()).empty(); }))
      << "else the rest proves nothing";
  const Tun tun = Tun::open("tun%d", TunKind::kTun);
  set_no_link_local_v6(netlink(), tun.index());
  set_link_up(netlink(), tun.index(), true);
  EXPECT_TRUE(list_addresses(netlink(), tun.index()).empty());
  const Tun narrow = Tun::open("tun%d", TunKind::kTun);
  set_link_mtu(netlink(), narrow.index(), 1000);
  EXPECT_NO_THROW(set_no_link_local_v6(netlink(), narrow.index())) << "it has no IPv6";
}

TEST_F(LinkTest, SrcValidMarkIsSetForOneInterfaceByMessage) {
  const Tun tun = Tun::open("tun%d", TunKind::kTun);
  for (const bool on : {true, false}) {
    set_src_valid_mark_v4(netlink(), tun.index(), on);
    EXPECT_EQ(src_valid_mark_v4(netlink(), tun.index()), on);
    EXPECT_EQ(read_sysctl("ipv4/conf/" + tun.name() + "/src_valid_mark"), on ? 1 : 0);
  }
}

TEST_F(LinkTest, SettingsOfAMissingInterfaceAreAnError) {
  EXPECT_THAT(error_of([&] { forwarding_v4(netlink(), 4711); }),
              IsError(ErrorKind::kFailed, "read IPv4 forwarding of interface 4711"));
  EXPECT_THAT(error_of([&] { set_forwarding_v4(netlink(), 4711, true); }),
              IsError(ErrorKind::kFailed, "set IPv4 forwarding of interface 4711"));
}

TEST(LinkMessageTest, MalformedOrForeignMessagesAreRefused) {
  NetlinkMessage short_one(RTM_NEWLINK, 0);
  EXPECT_FALSE(parse_link(*short_one.header()));
  NetlinkMessage nameless(RTM_NEWLINK, 0);
  nameless.put_header<ifinfomsg>().ifi_index = 3;
  EXPECT_FALSE(parse_link(*nameless.header()));
  NetlinkMessage bridge(RTM_NEWLINK, 0);
  bridge.put_header<ifinfomsg>().ifi_family = AF_BRIDGE;
  mnl_attr_put_strz(bridge.header(), IFLA_IFNAME, "eth0");
  EXPECT_FALSE(parse_link(*bridge.header()));
  NetlinkMessage unterminated(RTM_NEWLINK, 0);
  unterminated.put_header<ifinfomsg>().ifi_index = 3;
  mnl_attr_put(unterminated.header(), IFLA_IFNAME, 4, "eth0");
  EXPECT_FALSE(parse_link(*unterminated.header()));
}

}  // namespace
}  // namespace vpntun::os
