#include "session/host_config.h"

#include <algorithm>
#include <set>

namespace vpntun::session {

namespace {

// Of thousands of peers, so no list is searched for each of another one.
using Prefixes = std::set<IpPrefix>;

Prefixes set_of(const std::vector<IpPrefix>& prefixes) {
  return {prefixes.begin(), prefixes.end()};
}

std::vector<IpPrefix> automatic_routes(const config::Profile& profile) {
  Prefixes known;
  for (const IpPrefix& address : profile.interface.addresses) known.insert(address.network());
  std::vector<IpPrefix> routes;
  for (const config::Peer& peer : profile.peers)
    for (const IpPrefix& allowed : peer.allowed_ips)
      if (known.insert(allowed.network()).second) routes.push_back(allowed.network());
  return routes;
}

std::vector<IpPrefix> missing(const std::vector<IpPrefix>& wanted,
                              const std::vector<IpPrefix>& seen) {
  const Prefixes there = set_of(seen);
  std::vector<IpPrefix> gone;
  for (const IpPrefix& prefix : wanted)
    if (!there.contains(prefix)) gone.push_back(prefix);
  return gone;
}

// Takes the default route of a family out of the plain ones.
bool take_default(std::vector<IpPrefix>& routes, Family family) {
  return std::erase(routes, IpPrefix{IpAddress::unspecified(family), 0}) != 0;
}

// Then the other end would drop what comes from here: a peer has its addresses, and no others.
bool has_only_the_other(const std::vector<IpPrefix>& addresses, Family family) {
  return !addresses.empty() && std::ranges::none_of(addresses, [&](const IpPrefix& address) {
    return address.address.family() == family;
  });
}

void choose_unrouted(HostConfig& wanted, const config::Routing& routing) {
  const bool v4 = take_default(wanted.routes, Family::kIpv4);
  const bool v6 = take_default(wanted.routes, Family::kIpv6);
  if (!v4 && !v6) return;
  const bool block = routing.unrouted_family == config::UnroutedFamily::kBlock;
  const auto choose = [&](bool routed, Family family) {
    const bool useless = block && v4 && v6 && has_only_the_other(wanted.addresses, family);
    if (routed && !useless) return Unrouted::kTunnel;
    return block ? Unrouted::kRefused : Unrouted::kAsTheHost;
  };
  wanted.unrouted_v4 = choose(v4, Family::kIpv4);
  wanted.unrouted_v6 = choose(v6, Family::kIpv6);
}

}  // namespace

bool shares_a_namespace(const config::Netns& netns) {
  return netns.mode == config::Netns::Mode::kNone || netns.socket == config::Netns::Socket::kInside;
}

bool speaks_ipv6(const config::Profile& profile) {
  const auto is_v6 = [](const IpPrefix& prefix) { return prefix.address.is_v6(); };
  return std::any_of(profile.interface.addresses.begin(), profile.interface.addresses.end(),
                     is_v6) ||
         std::any_of(profile.peers.begin(), profile.peers.end(), [&](const config::Peer& peer) {
           return std::any_of(peer.allowed_ips.begin(), peer.allowed_ips.end(), is_v6);
         });
}

HostConfig host_config_of(const config::Profile& profile) {
  HostConfig wanted;
  wanted.addresses = profile.interface.addresses;
  wanted.up = profile.interface.up;
  if (wanted.up) {
    if (profile.routing.mode == config::RouteMode::kAuto) wanted.routes = automatic_routes(profile);
    if (profile.routing.mode == config::RouteMode::kListed) wanted.routes = profile.routing.routes;
  }
  wanted.table = profile.routing.table;
  if (shares_a_namespace(profile.netns)) {
    if (wanted.table == 0) choose_unrouted(wanted, profile.routing);
    // Elsewhere the interface's namespace has no other way out.
    wanted.kill_switch = profile.routing.kill_switch;
    wanted.kill_switch_allows_lan = profile.routing.kill_switch_allows_lan;
  }
  wanted.forwarding = profile.routing.forwarding;
  wanted.forwarding_interfaces = profile.routing.forwarding_interfaces;
  wanted.forwarding_v6 = profile.routing.forwarding && speaks_ipv6(profile);
  wanted.masquerade = profile.routing.masquerade;
  return wanted;
}

bool forwards_answers(const HostConfig& config) {
  return config.masquerade && config.forwarding_interfaces.empty();
}

std::uint32_t table_of(const HostConfig& config, std::uint32_t mark) noexcept {
  const bool by_policy =
      config.unrouted_v4 == Unrouted::kTunnel || config.unrouted_v6 == Unrouted::kTunnel;
  return by_policy ? mark : config.table;
}

std::vector<IpPrefix> all_routes(const HostConfig& config) {
  std::vector<IpPrefix> routes = config.routes;
  if (config.unrouted_v4 == Unrouted::kTunnel)
    routes.push_back({IpAddress::unspecified(Family::kIpv4), 0});
  if (config.unrouted_v6 == Unrouted::kTunnel)
    routes.push_back({IpAddress::unspecified(Family::kIpv6), 0});
  return routes;
}

HostSteps steps_to(const HostConfig& wanted, const HostSeen& seen,
                   const std::vector<IpPrefix>* former) {
  HostSteps steps;
  steps.new_addresses = missing(wanted.addresses, seen.addresses);
  steps.new_routes = missing(wanted.routes, seen.routes);
  steps.old_routes = missing(seen.own_routes, wanted.routes);
  const Prefixes known = former != nullptr ? set_of(*former) : Prefixes{};
  for (const IpPrefix& address : missing(seen.addresses, wanted.addresses))
    if (former != nullptr ? known.contains(address) : !address.address.is_link_local())
      steps.old_addresses.push_back(address);
  return steps;
}

HostDrift drift_of(const HostConfig& wanted, const HostSeen& seen) {
  HostDrift drift;
  drift.interface_down = wanted.up && !seen.up;
  drift.addresses = missing(wanted.addresses, seen.addresses);
  drift.routes = missing(wanted.routes, seen.routes);
  return drift;
}

}  // namespace vpntun::session
