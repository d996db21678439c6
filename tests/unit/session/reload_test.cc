// A running session takes in a changed profile, on the real kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "hosts.h"

namespace vpntun::session {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Reload : public testing::Test {
 protected:
  Reload() {
    profile = client_profile();
    profile.path = "/etc/vpntund/lab.toml";
    profile.modified_usec = 1;
    u.connect(server, "eth0", "10.0.2.7/24", "eth0", "10.0.2.8/24");
  }

  ReloadResult reload(const config::Profile& changed) {
    return u.at([&](os::NetlinkSocket&) { return (*session)->reload(changed); });
  }
  config::Profile changed() const {
    config::Profile next = profile;
    next.modified_usec = 2;
    return next;
  }
  // Of tun0.
  std::vector<std::string> addresses() const {
    return u.at([](os::NetlinkSocket& netlink) {
      std::vector<std::string> texts;
      for (const os::InterfaceAddress& address :
           os::list_addresses(netlink, os::get_link(netlink, "tun0").index))
        if (!address.prefix.address.is_link_local()) texts.push_back(address.prefix.to_string());
      return texts;
    });
  }
  std::vector<std::string> own_routes() const {
    return u.at([](os::NetlinkSocket& netlink) {
      std::vector<std::string> texts;
      for (const os::Route& route : os::list_routes(netlink, os::get_link(netlink, "tun0").index))
        if (route.protocol == os::kRouteProtocol) texts.push_back(route.destination.to_string());
      std::sort(texts.begin(), texts.end());
      return texts;
    });
  }
  os::Link link() const {
    return u.at([](os::NetlinkSocket& netlink) { return os::get_link(netlink, "tun0"); });
  }
  bool forwards(const std::string& name) const {
    return u.at([&](os::NetlinkSocket& netlink) {
      return os::forwarding_v4(netlink, os::get_link(netlink, name).index);
    });
  }
  void start() { session.emplace(u, loop, profile); }

  Host u, server;
  service::Loop loop;
  config::Profile profile;
  std::optional<HostedSession> session;
};

TEST_F(Reload, OfTheSameProfileChangesNothing) {
  start();
  const std::vector<std::string> before = u.state("lab");
  const ReloadResult result = reload(changed());
  EXPECT_THAT(result.applied, IsEmpty());
  EXPECT_THAT(result.needs_restart, IsEmpty());
  EXPECT_EQ(u.state("lab"), before);
  EXPECT_EQ((*session)->status().profile_time_usec, 2u) << "the file is what runs";
}

TEST_F(Reload, ChangesAddressesRoutesAndMtu) {
  start();
  const unsigned index = link().index;
  config::Profile next = changed();
  next.interface.addresses = prefixes({"192.168.53.77/24", "fd53::77/64"});
  next.interface.mtu = 1333;
  next.peers[0].allowed_ips = prefixes({"192.168.53.0/24", "192.168.61.0/24", "fd61::/64"});
  const ReloadResult result = reload(next);
  EXPECT_THAT(result.applied,
              ElementsAre("interface.address", "interface.mtu", "peer[server].allowed-ips"));
  EXPECT_THAT(addresses(), ElementsAre("192.168.53.77/24", "fd53::77/64"));
  EXPECT_THAT(own_routes(), ElementsAre("192.168.61.0/24", "fd61::/64"));
  EXPECT_EQ(link().mtu, 1333u);
  EXPECT_EQ(link().index, index);
  const Status status = (*session)->status();
  EXPECT_THAT(status.addresses, ElementsAre("192.168.53.77/24", "fd53::77/64"));
  EXPECT_EQ(status.mtu, 1333u);
  EXPECT_EQ(status.peers[0].allowed_ips, next.peers[0].allowed_ips);
}

// The first address of a network is what the kernel hangs the others on.
TEST_F(Reload, TakesTheFirstAddressOfANetworkAndLeavesTheSecond) {
  profile.interface.addresses = prefixes({"192.168.53.99/24", "192.168.53.100/24"});
  start();
  config::Profile next = changed();
  next.interface.addresses = prefixes({"192.168.53.100/24"});
  reload(next);
  EXPECT_THAT(addresses(), ElementsAre("192.168.53.100/24"));
  EXPECT_THAT(own_routes(), ElementsAre("192.168.60.0/24"));
}

// The connected route of an address may be wanted when the address is not, and the last IPv4
// address takes every route with it.
TEST_F(Reload, KeepsRoutesWhenTheirAddressGoes) {
  start();
  config::Profile next = changed();
  next.interface.addresses.clear();
  reload(next);
  EXPECT_THAT(addresses(), IsEmpty());
  EXPECT_THAT(own_routes(), ElementsAre("192.168.53.0/24", "192.168.60.0/24"));
  reload(profile);
  EXPECT_THAT(addresses(), ElementsAre("192.168.53.99/24"));
  EXPECT_THAT(own_routes(), ElementsAre("192.168.60.0/24"));
}

TEST_F(Reload, LeavesAloneWhatSomebodyElsePutThere) {
  start();
  u.at([](os::NetlinkSocket& netlink) {
    os::add_address(netlink, os::get_link(netlink, "tun0").index, prefix("10.77.0.1/24"));
  });
  config::Profile next = changed();
  next.interface.addresses = prefixes({"192.168.54.99/24"});
  reload(next);
  EXPECT_THAT(addresses(), testing::UnorderedElementsAre("10.77.0.1/24", "192.168.54.99/24"));
}

TEST_F(Reload, TakesTheInterfaceDownAndUp) {
  profile.interface.addresses = prefixes({"192.168.53.99/24", "fd53::99/64"});
  start();
  config::Profile next = changed();
  next.interface.up = false;
  reload(next);
  EXPECT_FALSE(link().up);
  EXPECT_THAT(own_routes(), IsEmpty());
  reload(profile);
  EXPECT_TRUE(link().up);
  EXPECT_THAT(addresses(), ElementsAre("192.168.53.99/24", "fd53::99/64"));
  EXPECT_THAT(own_routes(), ElementsAre("192.168.60.0/24"));
}

TEST_F(Reload, SwitchesForwardingAndMasqueradingOnAndOff) {
  start();
  config::Profile next = changed();
  next.routing.forwarding = true;
  next.routing.forwarding_interfaces = {"eth0"};
  next.routing.masquerade = true;
  reload(next);
  EXPECT_TRUE(forwards("tun0"));
  EXPECT_TRUE(forwards("eth0"));
  EXPECT_TRUE(u.at(
      [](os::NetlinkSocket&) { return os::table_installed(os::NftTable::kMasquerade, "lab"); }));
  next.routing.masquerade = false;
  next.routing.forwarding_interfaces.clear();
  reload(next);
  EXPECT_TRUE(forwards("tun0"));
  EXPECT_FALSE(forwards("eth0"));
  EXPECT_FALSE(u.at(
      [](os::NetlinkSocket&) { return os::table_installed(os::NftTable::kMasquerade, "lab"); }));
  reload(profile);
  EXPECT_FALSE(forwards("tun0"));
}

TEST_F(Reload, ReplacesPeersAndKeepsTheirCounters) {
  start();
  u.runs("ping -c 1 -W 1 192.168.60.1 >/dev/null");
  ASSERT_TRUE(
      run_until(loop, [&] { return (*session)->status().peers[0].traffic.tx_packets > 0; }));
  const std::uint64_t sent = (*session)->status().peers[0].traffic.tx_packets;
  config::Profile next = changed();
  config::Peer other;
  other.name = "other";
  other.endpoints = {endpoint_spec("10.0.2.9", 9090)};
  other.allowed_ips = prefixes({"192.168.70.0/24"});
  next.peers.insert(next.peers.begin(), other);
  next.peers[1].endpoints = {endpoint_spec("10.0.2.8", 9091)};
  EXPECT_THAT(reload(next).applied, ElementsAre("peer[other]", "peer[server].endpoint"));
  Status status = (*session)->status();
  ASSERT_EQ(status.peers.size(), 2u);
  EXPECT_EQ(status.peers[0].name, "other");
  EXPECT_EQ(status.peers[1].traffic.tx_packets, sent);
  EXPECT_EQ(status.peers[1].endpoint->to_string(), "10.0.2.8:9091");
  EXPECT_THAT(own_routes(), ElementsAre("192.168.60.0/24", "192.168.70.0/24"));
  EXPECT_THAT(reload(profile).applied, ElementsAre("peer[other]", "peer[server].endpoint"));
  EXPECT_EQ((*session)->status().peers.size(), 1u);
  ASSERT_TRUE(run_until(loop, [&] {
    return (*session)->status().peers[0].endpoint->to_string() == "10.0.2.8:9090";
  }));
}

TEST_F(Reload, LeavesToARestartWhatNeedsOne) {
  start();
  const std::uint16_t port = (*session)->status().listen_port;
  config::Profile next = changed();
  next.interface.listen_port = 9999;
  next.interface.name = "tun7";
  next.description = "new";
  const ReloadResult result = reload(next);
  EXPECT_THAT(result.applied, ElementsAre("description"));
  EXPECT_THAT(result.needs_restart, ElementsAre("interface.name", "interface.listen-port"));
  const Status status = (*session)->status();
  EXPECT_EQ(status.listen_port, port);
  EXPECT_EQ(status.interface, "tun0");
  EXPECT_EQ(status.description, "new");
  EXPECT_EQ(status.profile_time_usec, 1u) << "the file is not what runs";
}

TEST_F(Reload, ThatFailsPutsEverythingBack) {
  profile.routing.forwarding = true;
  start();
  const std::vector<std::string> before = u.state("lab");
  config::Profile next = changed();
  next.interface.addresses = prefixes({"192.168.54.1/24"});
  next.interface.mtu = 1300;
  next.peers[0].allowed_ips = prefixes({"192.168.61.0/24"});
  next.routing.masquerade = true;
  next.routing.forwarding_interfaces = {"eth0", "eth9"};  // the second is not there
  EXPECT_THROW(reload(next), Error);
  EXPECT_EQ(u.state("lab"), before);
  const Status status = (*session)->status();
  EXPECT_THAT(status.addresses, ElementsAre("192.168.53.99/24"));
  EXPECT_EQ(status.peers[0].allowed_ips, profile.peers[0].allowed_ips);
  EXPECT_EQ(status.profile_time_usec, 1u);
}

TEST_F(Reload, RefusesAnAddressThatAnotherInterfaceHas) {
  start();
  const std::vector<std::string> before = u.state("lab");
  config::Profile next = changed();
  next.interface.addresses = prefixes({"192.168.54.1/24", "10.0.2.7/24"});
  try {
    reload(next);
    FAIL() << "it took the address of eth0";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kAddressInUse);
    EXPECT_STREQ(error.what(), "the address 10.0.2.7 is already on eth0");
  }
  EXPECT_EQ(u.state("lab"), before);
}

TEST_F(Reload, ChangesTheMacAddressOfATap) {
  profile.kind = config::Kind::kTap;
  profile.peers[0].allowed_ips.clear();
  start();
  config::Profile next = changed();
  next.interface.mac = MacAddress::parse("02:00:00:00:53:63");
  EXPECT_THAT(reload(next).applied, ElementsAre("interface.mac"));
  EXPECT_EQ(link().mac, *next.interface.mac);
  EXPECT_TRUE(link().up);
}

TEST_F(Reload, LeavesNothingBehindWhenTheSessionEnds) {
  const std::vector<std::string> before = u.state("lab");
  start();
  config::Profile next = changed();
  next.interface.addresses = prefixes({"192.168.54.1/24"});
  next.routing.forwarding = true;
  next.routing.forwarding_interfaces = {"eth0"};
  next.routing.masquerade = true;
  reload(next);
  session.reset();
  EXPECT_EQ(u.state("lab"), before);
}

TEST_F(Reload, TellsOfItself) {
  start();
  int told = 0;
  (*session)->on_changed([&] { ++told; });
  reload(changed());
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace vpntun::session
