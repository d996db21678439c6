// Default routes and the kill switch of sessions, on the real kernel: what is there while they run,
// and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/error.h"
#include "hosts.h"
#include "os/link.h"
#include "os/rule.h"
#include "os/udp.h"
#include "packet/build.h"
#include "session/routing_mark.h"

namespace vpntun::session {
namespace {

using config::KillSwitch;

class FullTunnel : public testing::Test {
 protected:
  FullTunnel() {
    u_.connect(server_, "eth0", "10.0.2.7/24", "eth0", "10.0.2.8/24");
    u_.at([&](os::NetlinkSocket& netlink) {
      os::Route route;
      route.destination = prefix("0.0.0.0/0");
      route.gateway = address("10.0.2.8");
      route.index = os::get_link(netlink, "eth0").index;
      route.protocol = 3;
      os::add_route(netlink, route);
    });
    server_.set_up("lo", "203.0.113.5/32");
  }

  static config::Profile full(KillSwitch kill_switch = KillSwitch::kOff, bool lan = false) {
    config::Profile profile = client_profile();
    profile.peers[0].allowed_ips = prefixes({"0.0.0.0/0"});
    profile.routing.unrouted_family = config::UnroutedFamily::kBlock;
    profile.routing.kill_switch = kill_switch;
    profile.routing.kill_switch_allows_lan = lan;
    return profile;
  }
  void start(const config::Profile& profile) { session_.emplace(u_, loop_, profile); }
  void reload(const config::Profile& profile) {
    u_.at([&](os::NetlinkSocket&) { return (*session_)->reload(profile); });
  }
  // Where u sends a packet without a mark: the interface; "" if nowhere.
  std::string way_to(const std::string& destination) const {
    return u_.at([&](os::NetlinkSocket& netlink) -> std::string {
      os::RouteQuery query;
      query.destination = address(destination);
      const os::RouteAnswer answer = os::lookup_route(netlink, query);
      return answer.error_number != 0 ? "" : os::get_link(netlink, answer.index).name;
    });
  }
  bool locked() const {
    return u_.at(
        [](os::NetlinkSocket&) { return os::table_installed(os::NftTable::kKillSwitch, "lab"); });
  }
  // Whether u is answered from there in so many seconds.
  bool answers(const std::string& destination, int seconds) const {
    return u_.runs(fmt::format("ping -n -q -c 1 -W {} {} >/dev/null", seconds, destination));
  }
  // Not through the tunnel, where nobody answers, nor to a LAN.
  bool reaches_outside() const { return answers("203.0.113.5", 60); }
  bool reaches_lan() const { return answers("10.0.2.8", 60); }
  bool is_kept_from_outside() const { return !answers("203.0.113.5", 3); }
  bool is_kept_from_lan() const { return !answers("10.0.2.8", 3); }

  service::Loop loop_;
  Host u_;
  Host server_;
  std::optional<HostedSession> session_;
};

TEST_F(FullTunnel, TakesInWhatOnlyADefaultRouteCovers) {
  const std::vector<std::string> before = u_.state("lab");
  start(full());
  EXPECT_EQ(way_to("203.0.113.5"), "tun0");
  EXPECT_EQ(way_to("10.0.2.8"), "eth0");
  EXPECT_EQ(way_to("2001:db8::5"), "") << "nothing of IPv6 goes past";
  EXPECT_TRUE((*session_)->status().findings.empty() ||
              (*session_)->status().reason.code == "no-traffic");
  session_.reset();
  EXPECT_EQ(u_.state("lab"), before);
  EXPECT_EQ(way_to("203.0.113.5"), "eth0");
}

TEST_F(FullTunnel, RenamedInterfaceGivesOutWhatComesThroughTheTunnel) {
  start(full());
  u_.rename("tun0", "vpn0");
  EXPECT_TRUE(run_until(loop_, [&] { return way_to("203.0.113.5") == "vpn0"; }));
  os::UdpSocket program = u_.at([](os::NetlinkSocket&) { return os::UdpSocket::bind(4000); });
  const std::uint8_t payload[] = {'h', 'i'};
  const auto packet =
      packet::build_udp({.source = address("203.0.113.5"), .destination = address("192.168.53.99")},
                        53, 4000, payload);
  (*session_)->inject(packet, [](int error_number) { EXPECT_EQ(error_number, 0); });
  packet::Batch batch(1);
  EXPECT_TRUE(run_until(loop_, [&] {
    std::ignore = program.receive(batch);
    return !batch.empty();
  }));
}

// The tunnel's datagrams leave on eth0, and the way back of their answers is looked up by mark.
TEST_F(FullTunnel, SourceCheckOfARenamedInterfaceGoesOnLookingAtTheMark) {
  const unsigned eth0 =
      u_.at([](os::NetlinkSocket& netlink) { return os::get_link(netlink, "eth0").index; });
  const auto checks_mark = [&] {
    return u_.at([&](os::NetlinkSocket& netlink) { return os::src_valid_mark_v4(netlink, eth0); });
  };
  ASSERT_TRUE(u_.runs("sysctl -qw net.ipv4.conf.eth0.rp_filter=1"));
  start(full());
  ASSERT_TRUE(checks_mark());
  u_.rename("eth0", "lan0");
  reload(full());
  EXPECT_TRUE(checks_mark());
  session_.reset();
  EXPECT_FALSE(checks_mark());
}

TEST_F(FullTunnel, ReloadChangesTheUnroutedFamily) {
  auto profile = full();
  start(profile);
  const auto v6_rules = [&] {
    return u_.at([](os::NetlinkSocket& netlink) {
      return std::ranges::count_if(os::list_rules(netlink), [](const os::Rule& rule) {
        return rule.family == Family::kIpv6 && rule.protocol == os::kRuleProtocol;
      });
    });
  };
  EXPECT_EQ(v6_rules(), 2);
  profile.routing.unrouted_family = config::UnroutedFamily::kAllow;
  reload(profile);
  EXPECT_EQ(v6_rules(), 0);
  EXPECT_EQ(way_to("203.0.113.5"), "tun0");
}

TEST_F(FullTunnel, AnotherUsersMarkIsNotTaken) {
  const std::uint32_t first = first_choice("lab");
  u_.at([&](os::NetlinkSocket& netlink) {
    os::Rule foreign;
    foreign.priority = 100;
    foreign.mark = first;
    foreign.table = 7;
    foreign.protocol = 4;
    os::add_rule(netlink, foreign);
    EXPECT_EQ(choose_mark(netlink, full()), first + 1);
    config::Profile named = full();
    named.interface.fwmark = first;
    EXPECT_EQ(choose_mark(netlink, named), first) << "the profile decides";
  });
}

TEST_F(FullTunnel, StartThatFailsLeavesNothing) {
  const std::vector<std::string> before = u_.state("lab");
  auto profile = full(KillSwitch::kWhileUp);
  profile.routing.forwarding = true;
  profile.routing.forwarding_interfaces = {"eth9"};
  EXPECT_THROW(start(profile), Error);
  EXPECT_EQ(u_.state("lab"), before);
  EXPECT_FALSE(locked());
}

TEST_F(FullTunnel, KillSwitchEndsWithAStop) {
  start(full(KillSwitch::kWhileUp));
  EXPECT_TRUE(locked());
  EXPECT_TRUE(is_kept_from_lan());
  session_.reset();
  EXPECT_FALSE(locked());
  EXPECT_TRUE(reaches_outside());
}

// The loop's thread is elsewhere here, as no session's is.
TEST_F(FullTunnel, KillSwitchIsPutBackWhereTheTunnelIsAndNowhereElse) {
  start(full(KillSwitch::kWhileUp));
  u_.at([](os::NetlinkSocket&) { os::remove_table(os::NftTable::kKillSwitch, "lab"); });
  EXPECT_TRUE(run_until(loop_, [&] { return locked(); }));
  EXPECT_FALSE(os::table_installed(os::NftTable::kKillSwitch, "lab"));
}

TEST_F(FullTunnel, KillSwitchAlwaysStaysUntilTheProfileSaysOtherwise) {
  start(full(KillSwitch::kAlways));
  session_.reset();
  EXPECT_TRUE(locked());
  EXPECT_TRUE(is_kept_from_outside());
  start(full(KillSwitch::kAlways));
  session_.reset();
  EXPECT_TRUE(is_kept_from_outside());
  start(full());
  EXPECT_FALSE(locked());
  session_.reset();
  EXPECT_TRUE(reaches_outside());
}

TEST_F(FullTunnel, KillSwitchAlwaysStaysWhenAStartFails) {
  auto profile = full(KillSwitch::kAlways);
  profile.routing.forwarding_interfaces = {"eth9"};
  EXPECT_THROW(start(profile), Error);
  EXPECT_TRUE(locked());
}

TEST_F(FullTunnel, KillSwitchLeftByACrashStaysWhenTheNextStartFails) {
  start(full(KillSwitch::kWhileUp));
  u_.at([&](os::NetlinkSocket&) { (*session_)->release(); });
  session_.reset();
  EXPECT_TRUE(locked());
  auto profile = full(KillSwitch::kWhileUp);
  profile.routing.forwarding_interfaces = {"eth9"};
  EXPECT_THROW(start(profile), Error);
  EXPECT_TRUE(locked());
  EXPECT_TRUE(is_kept_from_outside());
}

TEST_F(FullTunnel, ReloadChangesTheKillSwitch) {
  start(full());
  EXPECT_TRUE(reaches_lan());
  reload(full(KillSwitch::kWhileUp));
  EXPECT_TRUE(is_kept_from_lan());
  reload(full(KillSwitch::kWhileUp, true));
  EXPECT_TRUE(reaches_lan());
  EXPECT_TRUE(locked());
  reload(full());
  EXPECT_FALSE(locked());
}

TEST_F(FullTunnel, KillSwitchThatSomebodyFlushesIsPutBack) {
  start(full(KillSwitch::kWhileUp));
  u_.runs("nft flush ruleset");
  EXPECT_FALSE(locked());
  EXPECT_TRUE(
      u_.at([&](os::NetlinkSocket&) { return run_until(loop_, [&] { return locked(); }); }));
  EXPECT_TRUE(is_kept_from_lan());
}

TEST_F(FullTunnel, RulesThatSomebodyTakesOutOfATableArePutBack) {
  start(full(KillSwitch::kWhileUp));
  const std::size_t all = u_.rules(os::NftTable::kKillSwitch, "lab");
  ASSERT_TRUE(u_.runs("nft flush chain inet vpntun-killswitch_lab output"));
  ASSERT_LT(u_.rules(os::NftTable::kKillSwitch, "lab"), all);
  EXPECT_TRUE(run_until(loop_, [&] { return u_.rules(os::NftTable::kKillSwitch, "lab") == all; }));
  EXPECT_TRUE(is_kept_from_lan());
}

// Long after the start, with whose changes of the host others are looked at too.
TEST_F(FullTunnel, RulesOfTheDefaultRouteArePutBackThoughNothingElseChanges) {
  start(full());
  const std::size_t all = u_.rules(os::NftTable::kReplyPath, "lab");
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(u_.runs("nft flush table inet vpntun-routing_lab"));
    ASSERT_EQ(u_.rules(os::NftTable::kReplyPath, "lab"), 0u);
    ASSERT_TRUE(run_until(loop_, [&] { return u_.rules(os::NftTable::kReplyPath, "lab") == all; }));
  }
}

}  // namespace
}  // namespace vpntun::session
