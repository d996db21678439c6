#include "session/host_config.h"

#include <algorithm>

namespace vpntun::session {

namespace {

bool holds(const std::vector<IpPrefix>& prefixes, const IpPrefix& wanted) {
  return std::find(prefixes.begin(), prefixes.end(), wanted) != prefixes.end();
}

std::vector<IpPrefix> automatic_routes(const config::Profile& profile) {
  std::vector<IpPrefix> connected;
  for (const IpPrefix& address : profile.interface.addresses)
    connected.push_back(address.network());
  std::vector<IpPrefix> routes;
  for (const config::Peer& peer : profile.peers)
    for (const IpPrefix& allowed : peer.allowed_ips)
      if (!holds(connected, allowed.network()) && !holds(routes, allowed.network()))
        routes.push_back(allowed.network());
  return routes;
}

std::vector<IpPrefix> missing(const std::vector<IpPrefix>& wanted,
                              const std::vector<IpPrefix>& seen) {
  std::vector<IpPrefix> gone;
  for (const IpPrefix& prefix : wanted)
    if (!holds(seen, prefix)) gone.push_back(prefix);
  return gone;
}

}  // namespace

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
  wanted.forwarding = profile.routing.forwarding;
  wanted.forwarding_interfaces = profile.routing.forwarding_interfaces;
  wanted.forwarding_v6 = profile.routing.forwarding && speaks_ipv6(profile);
  wanted.masquerade = profile.routing.masquerade;
  return wanted;
}

HostSteps steps_to(const HostConfig& wanted, const HostSeen& seen,
                   const std::vector<IpPrefix>* former) {
  HostSteps steps;
  steps.new_addresses = missing(wanted.addresses, seen.addresses);
  steps.new_routes = missing(wanted.routes, seen.routes);
  steps.old_routes = missing(seen.own_routes, wanted.routes);
  for (const IpPrefix& address : missing(seen.addresses, wanted.addresses))
    if (former != nullptr ? holds(*former, address) : !address.address.is_link_local())
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
