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
void refuse_taken(os::NetlinkSocket& netlink, const IpAddress& address) {
  if (address.is_link_local()) return;
  const auto owner = os::find_owner(netlink, address);
  if (!owner) return;
  const auto link = os::find_link(netlink, owner->index);
  throw Error(ErrorKind::kAddressInUse, "the address {} is already on {}", address.to_string(),
              link ? link->name : fmt::format("interface {}", owner->index));
}

}  // namespace

Mtu choose_mtu(os::NetlinkSocket& at_socket, const config::Profile& profile) {
  if (profile.interface.mtu)
    return {*profile.interface.mtu, fmt::format("{} (profile)", *profile.interface.mtu)};
  std::vector<OuterPath> paths;
  for (const config::Peer& peer : profile.peers) {
    const bool literal = peer.endpoint && peer.endpoint->address;
    paths.push_back(literal ? path_to(at_socket, *peer.endpoint->address) : OuterPath{});
  }
  InnerNeeds needs;
  needs.frames = profile.kind == config::Kind::kTap;
  needs.ipv6 = speaks_ipv6(profile);
  return derive_mtu(paths, needs);
}

IpAddress choose_source(os::NetlinkSocket& at_socket, const config::Profile& profile) {
  for (const config::Peer& peer : profile.peers) {
    if (!peer.endpoint || !peer.endpoint->address) continue;
    os::RouteQuery query;
    query.destination = *peer.endpoint->address;
    return os::lookup_route(at_socket, query).source.value_or(IpAddress());
  }
  return {};
}

void configure_interface(os::NetlinkSocket& netlink, unsigned index,
                         const config::Interface& settings, const HostConfig& wanted,
                         std::uint32_t mtu) {
  for (const IpPrefix& prefix : wanted.addresses) refuse_taken(netlink, prefix.address);
  if (settings.mac) os::set_link_mac(netlink, index, *settings.mac);
  os::set_link_mtu(netlink, index, mtu);
  for (const IpPrefix& prefix : wanted.addresses) os::add_address(netlink, index, prefix);
  if (wanted.up) os::set_link_up(netlink, index, true);
  for (const IpPrefix& prefix : wanted.routes) {
    os::Route route;
    route.destination = prefix;
    route.index = index;
    os::add_route(netlink, route);
  }
}

HostSeen look_at_interface(os::NetlinkSocket& netlink, unsigned index) {
  HostSeen seen;
  const auto link = os::find_link(netlink, index);
  seen.up = link && link->up;
  for (const os::InterfaceAddress& address : os::list_addresses(netlink))
    if (address.index == index) seen.addresses.push_back(address.prefix);
  for (const os::Route& route : os::list_routes(netlink))
    if (route.index == index) seen.routes.push_back(route.destination);
  return seen;
}

}  // namespace vpntun::session
