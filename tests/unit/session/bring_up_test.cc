// A session puts on the host what its profile says, and takes all of it away again: at its end, and
// when its start fails half-way.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "hosts.h"

namespace vpntun::session {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BringUp : public testing::Test {
 protected:
  BringUp() { host_.connect(other_, "eth0", "10.0.2.7/24", "eth0", "10.0.2.8/24"); }

  // The start fails with this kind and text and leaves the host as it was.
  void refused(const config::Profile& profile, ErrorKind kind, const std::string& text) {
    const auto before = host_.state(profile.name);
    try {
      const HostedSession session(host_, loop_, profile);
      ADD_FAILURE() << "the session started";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(text));
    }
    EXPECT_EQ(host_.state(profile.name), before);
  }

  bool forwarding(const std::string& name) {
    return host_.at([&](os::NetlinkSocket& netlink) {
      return os::forwarding_v4(netlink, os::get_link(netlink, name).index);
    });
  }

  service::Loop loop_;
  Host host_;
  Host other_;
};

TEST_F(BringUp, SetsUpTheInterfaceAsTheProfileSays) {
  const HostedSession session(host_, loop_, client_profile());
  host_.at([](os::NetlinkSocket& netlink) {
    const os::Link link = os::get_link(netlink, "tun0");
    EXPECT_TRUE(link.up);
    EXPECT_EQ(link.kind, "tun");
    EXPECT_EQ(link.mtu, 1472u);
    const auto owner = os::find_owner(netlink, address("192.168.53.99"));
    ASSERT_TRUE(owner);
    EXPECT_EQ(owner->index, link.index);
    os::RouteQuery query;
    query.destination = address("192.168.60.101");
    EXPECT_EQ(os::lookup_route(netlink, query).index, link.index);
  });
}

TEST_F(BringUp, TellsInItsStatusWhatItSetUp) {
  const HostedSession session(host_, loop_, client_profile());
  const Status status = session->status();
  EXPECT_EQ(status.name, "lab");
  EXPECT_EQ(status.interface, "tun0");
  EXPECT_NE(status.interface_index, 0u);
  EXPECT_THAT(status.addresses, ElementsAre("192.168.53.99/24"));
  EXPECT_THAT(status.routes, ElementsAre("192.168.60.0/24"));
  EXPECT_NE(status.listen_port, 0);
  EXPECT_EQ(status.mtu, 1472u);
  EXPECT_EQ(status.mtu_derivation, "1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)");
  std::string offloads;
  for (const packet::OffloadState& state : status.offloads)
    offloads += std::string(to_string(state.kind)) + ' ';
  EXPECT_EQ(offloads, "tso4 tso6 uso4 uso6 udp-segment udp-gro ");
  EXPECT_TRUE(status.offloads[0].on());
  EXPECT_EQ(status.health, Health::kUnknown);
  EXPECT_EQ(status.reason.code, "no-traffic");
  ASSERT_EQ(status.peers.size(), 1u);
  EXPECT_EQ(status.peers[0].configured_endpoint, "10.0.2.8:9090");
  EXPECT_EQ(status.peers[0].endpoint, endpoint("10.0.2.8:9090"));
  EXPECT_EQ(status.peers[0].endpoint_source, EndpointSource::kConfigured);
  EXPECT_NE(status.since_usec, 0u);
}

TEST_F(BringUp, TakesAllOfItDownAgain) {
  auto profile = client_profile();
  profile.routing.forwarding = true;
  profile.routing.forwarding_interfaces = {"eth0"};
  profile.routing.masquerade = true;
  const auto before = host_.state("lab");
  {
    const HostedSession session(host_, loop_, profile);
    EXPECT_NE(host_.state("lab"), before);
  }
  EXPECT_EQ(host_.state("lab"), before);
}

TEST_F(BringUp, ReportsTheNameTheKernelMadeOfAPattern) {
  auto profile = client_profile();
  profile.interface.name = "zhang%d";
  const HostedSession session(host_, loop_, profile);
  EXPECT_EQ(session->status().interface, "zhang0");
}

TEST_F(BringUp, LeavesTheInterfaceDownWhenTheProfileSaysSo) {
  auto profile = client_profile();
  profile.interface.up = false;
  profile.interface.addresses.clear();
  const HostedSession session(host_, loop_, profile);
  host_.at([](os::NetlinkSocket& netlink) { EXPECT_FALSE(os::get_link(netlink, "tun0").up); });
  EXPECT_TRUE(session->status().routes.empty());
  EXPECT_EQ(session->status().health, Health::kUnknown);
}

TEST_F(BringUp, DerivesTheMtuFromTheWayToTheEndpoint) {
  host_.at([](os::NetlinkSocket& netlink) {
    os::set_link_mtu(netlink, os::get_link(netlink, "eth0").index, 1400);
  });
  const HostedSession session(host_, loop_, client_profile());
  EXPECT_EQ(session->status().mtu_derivation, "1372 = 1400 (eth0) - 20 (IPv4) - 8 (UDP)");
}

TEST_F(BringUp, AssumesAnMtuForALearnedEndpoint) {
  const HostedSession session(host_, loop_, server_profile());
  EXPECT_EQ(session->status().mtu_derivation, "1452 = 1500 (assumed) - 40 (IPv6) - 8 (UDP)");
  EXPECT_EQ(session->status().listen_port, 9090);
  EXPECT_EQ(session->status().reason.code, "waiting");
}

TEST_F(BringUp, TakesTheMtuOfTheProfile) {
  auto profile = client_profile();
  profile.interface.mtu = 1300;
  const HostedSession session(host_, loop_, profile);
  EXPECT_EQ(session->status().mtu, 1300u);
  EXPECT_EQ(session->status().mtu_derivation, "1300 (profile)");
}

TEST_F(BringUp, GivesATapItsMacAddress) {
  auto profile = client_profile();
  profile.kind = config::Kind::kTap;
  profile.interface.name = "tap0";
  profile.interface.mac = MacAddress::parse("02:00:00:00:00:07");
  profile.peers[0].allowed_ips.clear();
  const HostedSession session(host_, loop_, profile);
  host_.at([](os::NetlinkSocket& netlink) {
    EXPECT_EQ(os::get_link(netlink, "tap0").mac.to_string(), "02:00:00:00:00:07");
  });
  EXPECT_EQ(session->status().mtu, 1458u);
}

TEST_F(BringUp, GivesIpv6AddressesAndRoutesToo) {
  auto profile = client_profile();
  profile.interface.addresses.push_back(prefix("fd53::99/64"));
  profile.peers[0].allowed_ips.push_back(prefix("fd60::/64"));
  const HostedSession session(host_, loop_, profile);
  host_.at([](os::NetlinkSocket& netlink) {
    os::RouteQuery query;
    query.destination = address("fd60::101");
    EXPECT_EQ(os::lookup_route(netlink, query).index, os::get_link(netlink, "tun0").index);
    EXPECT_TRUE(os::find_owner(netlink, address("fd53::99")));
  });
}

TEST_F(BringUp, SetsForwardingAndPutsItBack) {
  auto profile = client_profile();
  profile.routing.forwarding = true;
  profile.routing.forwarding_interfaces = {"eth0"};
  ASSERT_FALSE(forwarding("eth0"));
  {
    const HostedSession session(host_, loop_, profile);
    EXPECT_TRUE(forwarding("eth0"));
    EXPECT_TRUE(forwarding("tun0"));
    EXPECT_TRUE(session->status().forwarding);
  }
  EXPECT_FALSE(forwarding("eth0"));
}

TEST_F(BringUp, ForwardingStaysOnWhereAnInterfaceIsRenamed) {
  auto profile = client_profile();
  profile.routing.forwarding = true;
  const auto before = host_.state("lab");
  {
    const HostedSession session(host_, loop_, profile);
    host_.rename("tun0", "vpn0");
    host_.at([&](os::NetlinkSocket&) { return session->reload(profile); });
    EXPECT_TRUE(forwarding("vpn0"));
    EXPECT_TRUE(session->status().findings.empty() ||
                session->status().reason.code == "no-traffic");
  }
  EXPECT_EQ(host_.state("lab"), before);
}

TEST_F(BringUp, LeavesForwardingOnWhereItWasOn) {
  host_.at([](os::NetlinkSocket& netlink) {
    os::set_forwarding_v4(netlink, os::get_link(netlink, "eth0").index, true);
  });
  auto profile = client_profile();
  profile.routing.forwarding_interfaces = {"eth0"};
  { const HostedSession session(host_, loop_, profile); }
  EXPECT_TRUE(forwarding("eth0"));
}

TEST_F(BringUp, MasqueradesInATableOfItsOwn) {
  auto profile = client_profile();
  profile.routing.masquerade = true;
  const auto installed = [&] {
    return host_.at(
        [](os::NetlinkSocket&) { return os::table_installed(os::NftTable::kMasquerade, "lab"); });
  };
  {
    const HostedSession session(host_, loop_, profile);
    EXPECT_TRUE(installed());
    EXPECT_TRUE(session->status().masquerade);
  }
  EXPECT_FALSE(installed());
}

TEST_F(BringUp, PutsTheTableBackThatSomebodyRemoved) {
  auto profile = client_profile();
  profile.routing.masquerade = true;
  const HostedSession session(host_, loop_, profile);
  ASSERT_TRUE(host_.at(
      [](os::NetlinkSocket&) { return os::remove_table(os::NftTable::kMasquerade, "lab"); }));
  EXPECT_TRUE(run_until(loop_, [&] {
    return host_.at(
        [](os::NetlinkSocket&) { return os::table_installed(os::NftTable::kMasquerade, "lab"); });
  }));
}

TEST_F(BringUp, PutsTheRulesBackThatSomebodyTookOutOfTheTable) {
  auto profile = client_profile();
  profile.routing.masquerade = true;
  const HostedSession session(host_, loop_, profile);
  const std::size_t all = host_.rules(os::NftTable::kMasquerade, "lab");
  ASSERT_TRUE(host_.runs("nft flush table inet vpntun_lab"));
  ASSERT_EQ(host_.rules(os::NftTable::kMasquerade, "lab"), 0u);
  EXPECT_TRUE(
      run_until(loop_, [&] { return host_.rules(os::NftTable::kMasquerade, "lab") == all; }));
}

TEST_F(BringUp, SweepsTheTableACrashLeft) {
  host_.at([](os::NetlinkSocket&) { os::install_masquerade("lab", 7); });
  const HostedSession session(host_, loop_, client_profile());
  EXPECT_FALSE(host_.at(
      [](os::NetlinkSocket&) { return os::table_installed(os::NftTable::kMasquerade, "lab"); }));
}

TEST_F(BringUp, IsRefusedATakenInterfaceName) {
  auto profile = client_profile();
  profile.interface.name = "eth0";
  refused(profile, ErrorKind::kInterfaceExists, "eth0");
}

TEST_F(BringUp, IsRefusedATakenAddress) {
  auto profile = client_profile();
  profile.interface.addresses = prefixes({"192.168.53.99/24", "10.0.2.7/24"});
  refused(profile, ErrorKind::kAddressInUse, "10.0.2.7 is already on eth0");
}

TEST_F(BringUp, IsRefusedATakenPort) {
  const UniqueFd taken(host_.at([](os::NetlinkSocket&) {
    const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(9090);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    return fd;
  }));
  refused(server_profile(), ErrorKind::kAddressInUse, "9090");
}

TEST_F(BringUp, IsRefusedATakenRoute) {
  host_.at([](os::NetlinkSocket& netlink) {
    os::Route route;
    route.destination = prefix("192.168.60.0/24");
    route.index = os::get_link(netlink, "eth0").index;
    os::add_route(netlink, route);
  });
  refused(client_profile(), ErrorKind::kRouteConflict, "192.168.60.0/24");
}

TEST_F(BringUp, IsRefusedForwardingOnAnInterfaceThatIsNotThere) {
  auto profile = client_profile();
  profile.routing.forwarding = true;
  profile.routing.forwarding_interfaces = {"eth0", "eth7"};
  refused(profile, ErrorKind::kFailed, "eth7");
}

TEST_F(BringUp, TwoTunnelsLiveSideBySideAndASecondOfTheSameIsRefused) {
  const HostedSession first(host_, loop_, client_profile());
  auto profile = server_profile();
  profile.interface.name = "tun%d";
  profile.interface.addresses = prefixes({"192.168.54.98/24"});
  profile.peers[0].allowed_ips = prefixes({"192.168.54.0/24"});
  const HostedSession second(host_, loop_, profile);
  EXPECT_EQ(second->status().interface, "tun1");
  refused(client_profile(), ErrorKind::kInterfaceExists, "tun0");
}

}  // namespace
}  // namespace vpntun::session
