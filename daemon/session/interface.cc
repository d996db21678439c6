#include "session/interface.h"

#include <fmt/format.h>

#include <vector>

#include "base/error.h"
#include "os/address.h"
#include "os/link.h"
#include "os/route.h"

namespace vpntun::session {

namespace {

OuterPath path_to(os::NetlinkSocket& netlink, const IpAddress& address) {
  os::RouteQuery query;
  query.destination = address;
  const os::RouteAnswer answer = os::lookup_route(netlink, query);
  if (answer.error_number != 0) return {};
  const auto link = os::find_link(netlink, answer.index);
  if (!link) return {};
  return {link->name, address.family(), answer.mtu != 0 ? answer.mtu : link->mtu};
}

// The kernel would accept an IPv4 address twice, and answer for it on both. Link-local addresses
// are each interface's own.
void refuse_taken(os::NetlinkSocket& netlink, unsigned index, const IpAddress& address) {
  if (address.is_link_local()) return;
  const auto owner = os::find_owner(netlink, address);
  if (!owner || owner->index == index) return;
  const auto link = os::find_link(netlink, owner->index);
  throw Error(ErrorKind::kAddressInUse, "the address {} is already on {}", address.to_string(),
              link ? link->name : fmt::format("interface {}", owner->index));
}

os::Route route_through(unsigned index, const IpPrefix& destination) {
  os::Route route;
  route.destination = destination;
  route.index = index;
  return route;
}

void remove_old(os::NetlinkSocket& netlink, unsigned index, const HostSteps& steps) {
  for (const IpPrefix& prefix : steps.old_routes)
    os::remove_route(netlink, route_through(index, prefix));
  if (!steps.old_addresses.empty()) os::set_promote_secondaries_v4(netlink, index, true);
  for (const IpPrefix& prefix : steps.old_addresses) os::remove_address(netlink, index, prefix);
}

}  // namespace

Mtu choose_mtu(os::NetlinkSocket& at_socket, const config::Profile& profile) {
  if (profile.interface.mtu)
    return {*profile.interface.mtu, fmt::format("{} (profile)", *profile.interface.mtu)};
  std::vector<OuterPath> paths;
  for (const config::Peer& peer : profile.peers) {
    const bool literal = !peer.endpoints.empty() && peer.endpoints[0].address;
    paths.push_back(literal ? path_to(at_socket, *peer.endpoints[0].address) : OuterPath{});
  }
  InnerNeeds needs;
  needs.frames = profile.kind == config::Kind::kTap;
  needs.encrypted = profile.encryption == config::Encryption::kWireguard;
  needs.ipv6 = speaks_ipv6(profile);
  return derive_mtu(paths, needs);
}

IpAddress choose_source(os::NetlinkSocket& at_socket, const config::Profile& profile) {
  for (const config::Peer& peer : profile.peers) {
    if (peer.endpoints.empty() || !peer.endpoints[0].address) continue;
    os::RouteQuery query;
    query.destination = *peer.endpoints[0].address;
    return os::lookup_route(at_socket, query).source.value_or(IpAddress());
  }
  return {};
}

void configure_interface(os::NetlinkSocket& netlink, unsigned index,
                         const config::Interface& settings, const HostConfig& wanted,
                         std::uint32_t mtu, const std::vector<IpPrefix>* former) {
  const os::Link link = os::get_link(netlink, index);
  HostSteps steps = steps_to(wanted, look_at_interface(netlink, index), former);
  for (const IpPrefix& prefix : steps.new_addresses) refuse_taken(netlink, index, prefix.address);
  if (settings.mac && *settings.mac != link.mac) os::set_link_mac(netlink, index, *settings.mac);
  if (mtu != link.mtu) os::set_link_mtu(netlink, index, mtu);
  for (const IpPrefix& prefix : steps.new_addresses) os::add_address(netlink, index, prefix);
  if (wanted.up && !link.up) os::set_link_up(netlink, index, true);
  for (const IpPrefix& prefix : steps.new_routes)
    os::add_route(netlink, route_through(index, prefix));
  remove_old(netlink, index, steps);
  if (!wanted.up && link.up) os::set_link_up(netlink, index, false);
  // With an address the kernel takes its connected route, which may be wanted for other reasons;
  // with the last one of a family, or on the way down, all routes.
  steps = steps_to(wanted, look_at_interface(netlink, index), former);
  for (const IpPrefix& prefix : steps.new_addresses) os::add_address(netlink, index, prefix);
  for (const IpPrefix& prefix : steps.new_routes)
    os::add_route(netlink, route_through(index, prefix));
}

HostSeen look_at_interface(os::NetlinkSocket& netlink, unsigned index) {
  HostSeen seen;
  const auto link = os::find_link(netlink, index);
  seen.up = link && link->up;
  if (!link) return seen;
  for (const os::InterfaceAddress& address : os::list_addresses(netlink, index))
    seen.addresses.push_back(address.prefix);
  for (const os::Route& route : os::list_routes(netlink, index)) {
    seen.routes.push_back(route.destination);
    if (route.protocol == os::kRouteProtocol) seen.own_routes.push_back(route.destination);
  }
  return seen;
}

}  // namespace vpntun::session
