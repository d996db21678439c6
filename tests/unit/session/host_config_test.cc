#include "session/host_config.h"

#include <gtest/gtest.h>

#include "session/status.h"
#include "values.h"

namespace vpntun::session {
namespace {

config::Profile profile_with(std::vector<IpPrefix> addresses, std::vector<IpPrefix> allowed_ips) {
  config::Profile profile;
  profile.interface.addresses = std::move(addresses);
  config::Peer peer;
  peer.name = "server";
  peer.allowed_ips = std::move(allowed_ips);
  profile.peers.push_back(peer);
  return profile;
}

TEST(HostConfig, RoutesEveryAllowedPrefixByItself) {
  const auto profile =
      profile_with(prefixes({"192.168.53.99/24"}), prefixes({"192.168.60.0/24", "2001:db8::/64"}));
  const HostConfig wanted = host_config_of(profile);
  EXPECT_EQ(wanted.addresses, prefixes({"192.168.53.99/24"}));
  EXPECT_EQ(wanted.routes, prefixes({"192.168.60.0/24", "2001:db8::/64"}));
}

TEST(HostConfig, LeavesOutWhatAnAddressBringsAsItsConnectedRoute) {
  const auto profile = profile_with(prefixes({"192.168.53.99/24", "fd00::1/64"}),
                                    prefixes({"192.168.53.0/24", "fd00::/64", "192.168.53.0/25"}));
  EXPECT_EQ(host_config_of(profile).routes, prefixes({"192.168.53.0/25"}));
}

TEST(HostConfig, RoutesAPrefixOfTwoPeersOnce) {
  auto profile = profile_with({}, prefixes({"10.0.0.0/8"}));
  profile.peers.push_back(profile.peers.front());
  EXPECT_EQ(host_config_of(profile).routes, prefixes({"10.0.0.0/8"}));
}

TEST(HostConfig, RoutesNothingWhenRoutesAreOff) {
  auto profile = profile_with({}, prefixes({"10.0.0.0/8"}));
  profile.routing.mode = config::RouteMode::kOff;
  EXPECT_TRUE(host_config_of(profile).routes.empty());
}

TEST(HostConfig, RoutesExactlyWhatIsListed) {
  auto profile = profile_with(prefixes({"192.168.53.99/24"}), prefixes({"10.0.0.0/8"}));
  profile.routing.mode = config::RouteMode::kListed;
  profile.routing.routes = prefixes({"172.16.0.0/12"});
  EXPECT_EQ(host_config_of(profile).routes, prefixes({"172.16.0.0/12"}));
}

TEST(HostConfig, RoutesNothingThroughAnInterfaceThatStaysDown) {
  auto profile = profile_with({}, prefixes({"10.0.0.0/8"}));
  profile.interface.up = false;
  const HostConfig wanted = host_config_of(profile);
  EXPECT_FALSE(wanted.up);
  EXPECT_TRUE(wanted.routes.empty());
}

TEST(HostConfig, ForwardsIpv6OnlyWhereThereIsSome) {
  auto profile = profile_with(prefixes({"192.168.53.98/24"}), prefixes({"192.168.53.0/24"}));
  profile.routing.forwarding = true;
  profile.routing.forwarding_interfaces = {"eth1"};
  EXPECT_TRUE(host_config_of(profile).forwarding);
  EXPECT_EQ(host_config_of(profile).forwarding_interfaces, std::vector<std::string>{"eth1"});
  EXPECT_FALSE(host_config_of(profile).forwarding_v6);
  profile.peers.front().allowed_ips.push_back(prefix("fd00::/64"));
  EXPECT_TRUE(host_config_of(profile).forwarding_v6);
  profile.routing.forwarding = false;
  EXPECT_FALSE(host_config_of(profile).forwarding_v6);
}

config::Profile full_tunnel(std::vector<IpPrefix> allowed_ips) {
  auto profile = profile_with(prefixes({"10.8.0.2/32"}), std::move(allowed_ips));
  profile.routing.unrouted_family = config::UnroutedFamily::kBlock;
  profile.routing.kill_switch = config::KillSwitch::kAlways;
  return profile;
}

TEST(HostConfig, ADefaultRouteIsNoPlainOne) {
  auto profile = full_tunnel(prefixes({"0.0.0.0/0", "::/0", "192.168.60.0/24"}));
  profile.interface.addresses = prefixes({"10.8.0.2/32", "fd42:8::2/128"});
  const HostConfig wanted = host_config_of(profile);
  EXPECT_EQ(wanted.routes, prefixes({"192.168.60.0/24"}));
  EXPECT_EQ(wanted.unrouted_v4, Unrouted::kTunnel);
  EXPECT_EQ(wanted.unrouted_v6, Unrouted::kTunnel);
  EXPECT_EQ(all_routes(wanted), prefixes({"192.168.60.0/24", "0.0.0.0/0", "::/0"}));
}

TEST(HostConfig, AFamilyBesideADefaultRouteIsRefusedOrLeftAlone) {
  auto profile = full_tunnel(prefixes({"0.0.0.0/0"}));
  EXPECT_EQ(host_config_of(profile).unrouted_v6, Unrouted::kRefused);
  profile.routing.unrouted_family = config::UnroutedFamily::kAllow;
  EXPECT_EQ(host_config_of(profile).unrouted_v6, Unrouted::kAsTheHost);
  EXPECT_EQ(host_config_of(full_tunnel(prefixes({"::/0"}))).unrouted_v4, Unrouted::kRefused);
}

TEST(HostConfig, OfTwoDefaultRoutesTheOneWithoutAnAddressIsRefused) {
  auto profile = full_tunnel(prefixes({"0.0.0.0/0", "::/0"}));
  EXPECT_EQ(host_config_of(profile).unrouted_v4, Unrouted::kTunnel);
  EXPECT_EQ(host_config_of(profile).unrouted_v6, Unrouted::kRefused);
  profile.routing.unrouted_family = config::UnroutedFamily::kAllow;
  EXPECT_EQ(host_config_of(profile).unrouted_v6, Unrouted::kTunnel);
  profile.routing.unrouted_family = config::UnroutedFamily::kBlock;
  profile.interface.addresses.clear();  // somebody else gives it some
  EXPECT_EQ(host_config_of(profile).unrouted_v4, Unrouted::kTunnel);
  EXPECT_EQ(host_config_of(profile).unrouted_v6, Unrouted::kTunnel);
}

TEST(HostConfig, NothingIsRefusedWithoutADefaultRoute) {
  const HostConfig wanted = host_config_of(full_tunnel(prefixes({"0.0.0.0/1", "128.0.0.0/1"})));
  EXPECT_EQ(wanted.unrouted_v4, Unrouted::kAsTheHost);
  EXPECT_EQ(wanted.unrouted_v6, Unrouted::kAsTheHost);
  EXPECT_EQ(wanted.routes.size(), 2u);
}

TEST(HostConfig, ANamespaceApartFromTheSocketJustHasTheDefaultRoute) {
  auto profile = full_tunnel(prefixes({"0.0.0.0/0"}));
  profile.netns = {config::Netns::Mode::kCreate, "box", config::Netns::Socket::kHost};
  HostConfig wanted = host_config_of(profile);
  EXPECT_EQ(wanted.routes, prefixes({"0.0.0.0/0"}));
  EXPECT_EQ(wanted.unrouted_v4, Unrouted::kAsTheHost);
  EXPECT_EQ(wanted.kill_switch, config::KillSwitch::kOff);
  profile.netns.socket = config::Netns::Socket::kInside;
  wanted = host_config_of(profile);
  EXPECT_EQ(wanted.unrouted_v4, Unrouted::kTunnel);
  EXPECT_EQ(wanted.kill_switch, config::KillSwitch::kAlways);
}

TEST(HostConfig, AllRoutesGoIntoTheTableThatTheProfileNames) {
  auto profile = full_tunnel(prefixes({"0.0.0.0/0", "10.0.0.0/8"}));
  profile.routing.table = 100;
  const HostConfig wanted = host_config_of(profile);
  EXPECT_EQ(wanted.table, 100u);
  EXPECT_EQ(wanted.routes, prefixes({"0.0.0.0/0", "10.0.0.0/8"}));
  EXPECT_EQ(wanted.unrouted_v4, Unrouted::kAsTheHost);
}

TEST(HostConfig, AnInterfaceThatStaysDownTakesNothingIn) {
  auto profile = full_tunnel(prefixes({"0.0.0.0/0"}));
  profile.interface.up = false;
  EXPECT_EQ(host_config_of(profile).unrouted_v4, Unrouted::kAsTheHost);
  EXPECT_EQ(host_config_of(profile).unrouted_v6, Unrouted::kAsTheHost);
}

TEST(HostDrift, IsEmptyWhenAllIsThere) {
  const auto profile = profile_with(prefixes({"192.168.53.99/24"}), prefixes({"10.0.0.0/8"}));
  // More than we want is the business of whoever added it.
  const HostSeen seen{true, prefixes({"fe80::1/64", "192.168.53.99/24"}),
                      prefixes({"192.168.53.0/24", "10.0.0.0/8"})};
  EXPECT_EQ(drift_of(host_config_of(profile), seen), HostDrift{});
}

TEST(HostDrift, NamesWhatIsGone) {
  const auto profile = profile_with(prefixes({"192.168.53.99/24"}), prefixes({"10.0.0.0/8"}));
  const HostDrift drift = drift_of(host_config_of(profile), HostSeen{false, {}, {}});
  EXPECT_TRUE(drift.interface_down);
  EXPECT_EQ(drift.addresses, prefixes({"192.168.53.99/24"}));
  EXPECT_EQ(drift.routes, prefixes({"10.0.0.0/8"}));
}

TEST(HostDrift, AnInterfaceThatIsToBeDownMayBeUp) {
  auto profile = profile_with({}, {});
  profile.interface.up = false;
  EXPECT_EQ(drift_of(host_config_of(profile), HostSeen{true, {}, {}}), HostDrift{});
  EXPECT_EQ(drift_of(host_config_of(profile), HostSeen{false, {}, {}}), HostDrift{});
}

HostConfig wanting(std::vector<IpPrefix> addresses, std::vector<IpPrefix> routes) {
  HostConfig wanted;
  wanted.addresses = std::move(addresses);
  wanted.routes = std::move(routes);
  return wanted;
}

TEST(HostSteps, AreNoneWhenAllIsAsWanted) {
  const HostConfig wanted = wanting(prefixes({"10.1.0.1/24"}), prefixes({"10.2.0.0/16"}));
  const HostSeen seen{true, wanted.addresses, prefixes({"10.1.0.0/24", "10.2.0.0/16"}),
                      wanted.routes};
  EXPECT_EQ(steps_to(wanted, seen, nullptr), HostSteps{});
  EXPECT_EQ(steps_to(wanted, seen, &wanted.addresses), HostSteps{});
}

TEST(HostSteps, LeaveWhatStaysAlone) {
  const HostConfig wanted =
      wanting(prefixes({"10.1.0.1/24", "10.1.0.2/24"}), prefixes({"10.2.0.0/16", "10.3.0.0/16"}));
  const HostSeen seen{true, prefixes({"10.1.0.1/24", "10.9.0.1/24"}),
                      prefixes({"10.1.0.0/24", "10.2.0.0/16", "10.4.0.0/16"}),
                      prefixes({"10.2.0.0/16", "10.4.0.0/16"})};
  const HostSteps steps = steps_to(wanted, seen, nullptr);
  EXPECT_EQ(steps.new_addresses, prefixes({"10.1.0.2/24"}));
  EXPECT_EQ(steps.new_routes, prefixes({"10.3.0.0/16"}));
  EXPECT_EQ(steps.old_routes, prefixes({"10.4.0.0/16"}));
  EXPECT_EQ(steps.old_addresses, prefixes({"10.9.0.1/24"}));
}

TEST(HostSteps, TakeAwayOnlyRoutesWithOurMark) {
  const HostSeen seen{true, {}, prefixes({"fe80::/64", "10.4.0.0/16"}), {}};
  EXPECT_EQ(steps_to(HostConfig{}, seen, nullptr), HostSteps{});
}

TEST(HostSteps, TakeAwayTheAddressesOfTheFormerProfileAlone) {
  const HostSeen seen{
      true, prefixes({"fe80::1/64", "fe80::53/64", "10.8.0.1/24", "10.9.0.1/24"}), {}, {}};
  const std::vector<IpPrefix> former = prefixes({"fe80::53/64", "10.9.0.1/24"});
  EXPECT_EQ(steps_to(HostConfig{}, seen, &former).old_addresses, former);
  // Without knowing: all but what the kernel may have made.
  EXPECT_EQ(steps_to(HostConfig{}, seen, nullptr).old_addresses,
            prefixes({"10.8.0.1/24", "10.9.0.1/24"}));
}

TEST(EndpointSource, HasTheWordsOfTheBus) {
  EXPECT_EQ(to_string(EndpointSource::kNone), "none");
  EXPECT_EQ(to_string(EndpointSource::kConfigured), "configured");
  EXPECT_EQ(to_string(EndpointSource::kResolved), "resolved");
  EXPECT_EQ(to_string(EndpointSource::kLearned), "learned");
}

}  // namespace
}  // namespace vpntun::session
