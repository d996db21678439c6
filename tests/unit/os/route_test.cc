#include "os/route.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "kernel_test.h"
#include "os/address.h"
#include "os/tun.h"

namespace vpntun::os {
namespace {

using RouteTest = TwoHostsTest;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Not;

Route via(std::string_view destination, std::string_view gateway, unsigned index) {
  Route route;
  route.destination = prefix(destination);
  route.gateway = ip(gateway);
  route.index = index;
  return route;
}

Route on_link(std::string_view destination, unsigned index) {
  Route route;
  route.destination = prefix(destination);
  route.index = index;
  return route;
}

TEST_F(RouteTest, RoutesAreListedAsAdded) {
  Route v6_via = via("2001:db8::/32", "fd00:9::2", left());
  v6_via.metric = 77;
  Route v6_link = on_link("2001:db9::/32", left());
  v6_link.metric = 1024;
  Route with_all = via("192.0.2.0/24", "10.9.0.2", left());
  with_all.metric = 5;
  with_all.mtu = 1300;
  with_all.source = ip("10.9.0.1");
  for (const Route& route : {on_link("10.10.0.0/16", left()), with_all, v6_via, v6_link}) {
    add_route(netlink(), route);
    EXPECT_THAT(list_routes(netlink()), Contains(route)) << route.destination.to_string();
    remove_route(netlink(), route);
    EXPECT_THAT(list_routes(netlink()), Not(Contains(route)));
  }
}

TEST_F(RouteTest, ThoseOfOneInterfaceAreListedAlone) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  add_address(netlink(), tun.index(), prefix("10.77.0.1/24"));
  set_link_up(netlink(), tun.index(), true);
  Route v6 = on_link("2001:db8::/32", tun.index());
  for (const Route& route :
       {on_link("10.10.0.0/16", left()), on_link("10.11.0.0/16", tun.index()), v6})
    add_route(netlink(), route);
  v6.metric = 1024;
  const std::vector<Route> routes = list_routes(netlink(), tun.index());
  EXPECT_THAT(routes, Contains(on_link("10.11.0.0/16", tun.index())));
  EXPECT_THAT(routes, Contains(v6));
  for (const Route& route : routes) EXPECT_EQ(route.index, tun.index());
  const std::vector<InterfaceAddress> addresses = list_addresses(netlink(), tun.index());
  EXPECT_THAT(addresses, Contains(InterfaceAddress{tun.index(), prefix("10.77.0.1/24")}));
  for (const InterfaceAddress& address : addresses) EXPECT_EQ(address.index, tun.index());
}

TEST_F(RouteTest, DefaultRoutesOfBothFamilies) {
  for (const Route& route :
       {via("0.0.0.0/0", "10.9.0.2", left()), via("::/0", "fd00:9::2", left())}) {
    add_route(netlink(), route);
    const IpAddress far_away = route.gateway->is_v4() ? ip("8.8.8.8") : ip("2600::1");
    const RouteAnswer answer = lookup_route(netlink(), {.destination = far_away});
    EXPECT_EQ(answer.error_number, 0);
    EXPECT_EQ(answer.gateway, route.gateway);
  }
}

TEST_F(RouteTest, HostBitsOfTheDestinationAreIgnored) {
  add_route(netlink(), on_link("10.10.1.2/16", left()));
  EXPECT_THAT(list_routes(netlink()), Contains(on_link("10.10.0.0/16", left())));
}

TEST_F(RouteTest, AConflictNamesTheInterfaceOfTheExistingRoute) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  set_link_up(netlink(), tun.index(), true);
  for (const char* text : {"10.10.0.0/16", "2001:db8::/32"}) {
    add_route(netlink(), on_link(text, left()));
    EXPECT_THAT(error_of([&] { add_route(netlink(), on_link(text, tun.index())); }),
                IsError(ErrorKind::kRouteConflict, std::string(text) + " dev left"));
  }
}

TEST_F(RouteTest, ErrorsNameTheRoute) {
  EXPECT_THAT(error_of([&] { add_route(netlink(), via("10.10.0.0/16", "203.0.113.1", left())); }),
              IsError(ErrorKind::kFailed, "add route 10.10.0.0/16 via 203.0.113.1 dev left: "));
  EXPECT_THAT(
      error_of([&] { remove_route(netlink(), on_link("10.10.0.0/16", left())); }),
      IsError(ErrorKind::kFailed, "remove route 10.10.0.0/16 dev left: there is none such"));
}

TEST_F(RouteTest, SweepTakesOnlyOurRoutes) {
  Route foreign = on_link("10.20.0.0/16", left());
  foreign.protocol = RTPROT_STATIC;
  add_route(netlink(), foreign);
  add_route(netlink(), on_link("10.10.0.0/16", left()));
  add_route(netlink(), via("2001:db8::/32", "fd00:9::2", left()));
  EXPECT_EQ(sweep_routes(netlink()), 2u);
  EXPECT_EQ(sweep_routes(netlink()), 0u);
  EXPECT_THAT(list_routes(netlink()), Contains(foreign));
}

TEST_F(RouteTest, RoutesOfADeletedInterfaceVanish) {
  {
    const Tun tun = Tun::open("tun0", TunKind::kTun);
    set_link_up(netlink(), tun.index(), true);
    add_route(netlink(), on_link("10.10.0.0/16", tun.index()));
  }
  EXPECT_EQ(sweep_routes(netlink()), 0u);
}

TEST_F(RouteTest, LookupTellsInterfaceAndSource) {
  const RouteAnswer v4 = lookup_route(netlink(), {.destination = ip("10.9.0.2")});
  EXPECT_EQ(v4.type, RouteType::kUnicast);
  EXPECT_EQ(v4.index, left());
  EXPECT_EQ(v4.source, ip("10.9.0.1"));
  EXPECT_EQ(v4.gateway, std::nullopt);
  const RouteAnswer v6 = lookup_route(netlink(), {.destination = ip("fd00:9::2")});
  EXPECT_EQ(v6.index, left());
  EXPECT_EQ(v6.source, ip("fd00:9::1"));
  EXPECT_EQ(lookup_route(netlink(), {.destination = ip("10.9.0.1")}).type, RouteType::kLocal);
}

TEST_F(RouteTest, NoRouteIsAnAnswer) {
  for (const char* text : {"203.0.113.1", "2001:db8::1"}) {
    const RouteAnswer answer = lookup_route(netlink(), {.destination = ip(text)});
    EXPECT_EQ(answer.error_number, ENETUNREACH) << text;
    EXPECT_EQ(answer.type, RouteType::kNone);
  }
}

TEST_F(RouteTest, PathMtuIsTheRoutesElseTheLinks) {
  EXPECT_EQ(path_mtu(netlink(), {.destination = ip("10.9.0.2")}), 1500u);
  Route narrow = via("192.0.2.0/24", "10.9.0.2", left());
  narrow.mtu = 1280;
  add_route(netlink(), narrow);
  EXPECT_EQ(path_mtu(netlink(), {.destination = ip("192.0.2.1")}), 1280u);
  EXPECT_EQ(path_mtu(netlink(), {.destination = ip("203.0.113.1")}), 0u);
}

// What the kernel would do with a packet of `source` that came in on the veth for a destination out
// of a TUN.
class InputLookupTest : public TwoHostsTest {
 protected:
  void SetUp() override {
    TwoHostsTest::SetUp();
    tun_.emplace(Tun::open("tun0", TunKind::kTun));
    set_link_up(netlink(), tun_->index(), true);
    add_address(netlink(), tun_->index(), prefix("192.168.53.98/24"));
    set_forwarding_v4(netlink(), left(), true);
    set_rp_filter_v4(netlink(), left(), 0);
  }
  unsigned tun() const { return tun_->index(); }
  RouteAnswer ask(std::string_view source) {
    return lookup_route(
        netlink(),
        {.destination = ip("192.168.53.99"), .source = ip(source), .input_index = left()});
  }

 private:
  std::optional<Tun> tun_;
};

TEST_F(InputLookupTest, AForwardedPacketGetsItsWayOut) {
  const RouteAnswer answer = ask("10.9.0.2");
  EXPECT_EQ(answer.error_number, 0);
  EXPECT_EQ(answer.type, RouteType::kUnicast);
  EXPECT_EQ(answer.index, tun());
}

TEST_F(InputLookupTest, StrictReversePathFilterRefusesASourceFromElsewhere) {
  EXPECT_EQ(ask("192.168.30.99").error_number, 0) << "without the filter it passes";
  set_rp_filter_v4(netlink(), left(), 1);
  EXPECT_THAT(ask("192.168.30.99").error_number, AnyOf(EINVAL, EXDEV));
  EXPECT_EQ(ask("10.9.0.2").error_number, 0) << "the right source still passes";
}

TEST_F(InputLookupTest, WithoutForwardingThereIsNoWay) {
  set_forwarding_v4(netlink(), left(), false);
  EXPECT_NE(ask("10.9.0.2").error_number, 0);
}

TEST_F(InputLookupTest, WithoutARouteThereIsNoWay) {
  const RouteAnswer answer = lookup_route(
      netlink(),
      {.destination = ip("192.168.30.99"), .source = ip("10.9.0.2"), .input_index = left()});
  EXPECT_THAT(answer.error_number, AnyOf(ENETUNREACH, EHOSTUNREACH));
}

TEST_F(InputLookupTest, AMissingInterfaceIsAnError) {
  EXPECT_THAT(error_of([&] {
                lookup_route(
                    netlink(),
                    {.destination = ip("10.9.0.2"), .source = ip("10.9.0.7"), .input_index = 4711});
              }),
              IsError(ErrorKind::kFailed, "look up the route to 10.9.0.2"));
}

TEST_F(RouteTest, OtherTablesAreApart) {
  for (const char* destination : {"0.0.0.0/0", "::/0", "10.10.0.0/16"}) {
    Route route = on_link(destination, left());
    route.table = 52117;
    add_route(netlink(), route);
    if (route.destination.address.is_v6()) route.metric = 1024;
    EXPECT_THAT(list_routes_beside_main(netlink(), left()), Contains(route)) << destination;
    EXPECT_THAT(list_routes(netlink(), left()), Not(Contains(route)));
    EXPECT_THAT(error_of([&] { add_route(netlink(), route); }),
                IsError(ErrorKind::kRouteConflict, "table 52117"));
    remove_route(netlink(), route);
    EXPECT_THAT(list_routes_beside_main(netlink(), left()), Not(Contains(route)));
  }
}

TEST(RouteMessageTest, OnlyUnicastRoutesWithTheirTable) {
  NetlinkMessage message(RTM_NEWROUTE, 0);
  EXPECT_FALSE(parse_route(*message.header()));
  rtmsg& info = message.put_header<rtmsg>();
  info.rtm_family = AF_INET;
  info.rtm_table = RT_TABLE_MAIN;
  info.rtm_type = RTN_UNICAST;
  ASSERT_TRUE(parse_route(*message.header()));
  EXPECT_EQ(parse_route(*message.header())->table, kMainTable);
  info.rtm_table = 77;
  EXPECT_EQ(parse_route(*message.header())->table, 77u);
  info.rtm_type = RTN_BLACKHOLE;
  EXPECT_FALSE(parse_route(*message.header()));
  info.rtm_type = RTN_UNICAST;
  info.rtm_dst_len = 33;
  EXPECT_FALSE(parse_route(*message.header()));
}

}  // namespace
}  // namespace vpntun::os
