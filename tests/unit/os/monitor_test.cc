#include "os/monitor.h"

#include <poll.h>

#include "kernel_test.h"
#include "os/tun.h"

namespace vpntun::os {
namespace {

using MonitorTest = KernelTest;

// Whether a notice for which `matches` holds arrives in time; the others are dropped.
template <typename Wanted, typename Matches>
bool arrives(Monitor& monitor, Matches matches) {
  return eventually([&] {
    for (const Notice& notice : monitor.take()) {
      const Wanted* wanted = std::get_if<Wanted>(&notice);
      if (wanted != nullptr && matches(*wanted)) return true;
    }
    return false;
  });
}

TEST_F(MonitorTest, NothingHappensNothingIsTold) {
  Monitor monitor;
  pollfd waiting{monitor.fd(), POLLIN, 0};
  // What was done to the namespace before may still be told.
  EXPECT_TRUE(eventually([&] {
    if (::poll(&waiting, 1, 200) == 0) return true;
    (void)monitor.take();
    return false;
  }));
  EXPECT_TRUE(monitor.take().empty());
}

TEST_F(MonitorTest, AnInterfaceThatComesChangesAndGoesIsTold) {
  Monitor monitor;
  {
    const Tun tun = Tun::open("tun7", TunKind::kTun);
    EXPECT_TRUE(wait_readable(monitor.fd()));
    EXPECT_TRUE(arrives<LinkNotice>(
        monitor, [](const LinkNotice& n) { return !n.removed && n.link.name == "tun7"; }));
    set_link_up(netlink(), tun.index(), true);
    EXPECT_TRUE(arrives<LinkNotice>(
        monitor, [](const LinkNotice& n) { return n.link.name == "tun7" && n.link.up; }));
  }
  EXPECT_TRUE(arrives<LinkNotice>(
      monitor, [](const LinkNotice& n) { return n.removed && n.link.name == "tun7"; }));
}

TEST_F(MonitorTest, AddressesAndRoutesOfBothFamiliesAreTold) {
  const Tun tun = Tun::open("tun7", TunKind::kTun);
  set_link_up(netlink(), tun.index(), true);
  for (const auto& [address, destination] :
       {std::pair("10.7.0.1/24", "10.8.0.0/16"), std::pair("fd07::1/64", "fd08::/32")}) {
    Monitor monitor;
    const InterfaceAddress wanted{tun.index(), prefix(address)};
    add_address(netlink(), wanted.index, wanted.prefix);
    EXPECT_TRUE(arrives<AddressNotice>(
        monitor, [&](const AddressNotice& n) { return !n.removed && n.address == wanted; }));
    Route route;
    route.destination = prefix(destination);
    route.index = tun.index();
    add_route(netlink(), route);
    const auto is_it = [&](const RouteNotice& n) {
      return n.route.destination == route.destination;
    };
    EXPECT_TRUE(arrives<RouteNotice>(monitor,
                                     [&](const RouteNotice& n) { return is_it(n) && !n.removed; }));
    remove_route(netlink(), route);
    EXPECT_TRUE(
        arrives<RouteNotice>(monitor, [&](const RouteNotice& n) { return is_it(n) && n.removed; }));
    remove_address(netlink(), wanted.index, wanted.prefix);
    EXPECT_TRUE(arrives<AddressNotice>(
        monitor, [&](const AddressNotice& n) { return n.removed && n.address == wanted; }));
  }
}

TEST_F(MonitorTest, RoutingRulesOfBothFamiliesAreTold) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    Monitor monitor;
    const Rule rule{.family = family, .priority = 100, .mark = 7, .table = 77};
    add_rule(netlink(), rule);
    EXPECT_TRUE(arrives<RuleNotice>(
        monitor, [&](const RuleNotice& n) { return !n.removed && n.rule == rule; }));
    remove_rule(netlink(), rule);
    EXPECT_TRUE(arrives<RuleNotice>(
        monitor, [&](const RuleNotice& n) { return n.removed && n.rule == rule; }));
  }
}

TEST_F(MonitorTest, AnOverflowIsToldInsteadOfHidden) {
  Monitor monitor;
  const Tun tun = Tun::open("tun7", TunKind::kTun);
  for (unsigned i = 0; i < 3000; ++i) set_link_mtu(netlink(), tun.index(), 1000 + i % 2);
  bool lost = false;
  for (const Notice& notice : monitor.take()) lost |= std::holds_alternative<NoticesLost>(notice);
  EXPECT_TRUE(lost);
}

TEST(NoticeMessageTest, CutOffDatagramsGiveNothing) {
  EXPECT_TRUE(parse_notices({}).empty());
  const std::vector<std::uint8_t> garbage(40, 0xff);
  EXPECT_TRUE(parse_notices(garbage).empty());
}

}  // namespace
}  // namespace vpntun::os
