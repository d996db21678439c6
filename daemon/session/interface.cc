#include "session/interface.h"

#include <fmt/format.h>

#include <vector>

#include "base/error.h"
#include "os/address.h"
#include "os/link.h"
#include "os/route.h"

namespace vpntun::session {

namespace {

os::RouteQuery query_to(const IpAddress& address, std::uint32_t mark) {
  os::RouteQuery query;
  query.destination = address;
  query.mark = mark;
  return query;
}

OuterPath path_to(os::NetlinkSocket& netlink, const IpAddress& address, std::uint32_t mark) {
  const os::RouteAnswer answer = os::lookup_route(netlink, query_to(address, mark));
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

std::uint32_t number_of(std::uint32_t table) {
  return table == 0 ? os::kMainTable : table;
}

os::Route route_through(unsigned index, const IpPrefix& destination, std::uint32_t table) {
  os::Route route;
  route.destination = destination;
  route.index = index;
  route.table = number_of(table);
  return route;
}

// Routes of an earlier run whose profile named another table. The default routes of policy routing
// are not ours to judge.
void remove_from_other_tables(os::NetlinkSocket& netlink, unsigned index, std::uint32_t table) {
  std::vector<os::Route> routes = os::list_routes_beside_main(netlink, index);
  if (number_of(table) != os::kMainTable)
    for (const os::Route& route : os::list_routes(netlink, index)) routes.push_back(route);
  for (const os::Route& route : routes)
    if (route.protocol == os::kRouteProtocol && route.table != number_of(table) &&
        (route.table == os::kMainTable || route.destination.length != 0))
      os::remove_route(netlink, route);
}

void remove_old(os::NetlinkSocket& netlink, unsigned index, const HostSteps& steps,
                std::uint32_t table) {
  for (const IpPrefix& prefix : steps.old_routes)
    os::remove_route(netlink, route_through(index, prefix, table));
  remove_from_other_tables(netlink, index, table);
  if (!steps.old_addresses.empty()) os::set_promote_secondaries_v4(netlink, index, true);
  for (const IpPrefix& prefix : steps.old_addresses) os::remove_address(netlink, index, prefix);
}

}  // namespace

Mtu choose_mtu(os::NetlinkSocket& at_socket, const config::Profile& profile, std::uint32_t mark) {
  if (profile.interface.mtu)
    return {*profile.interface.mtu, fmt::format("{} (profile)", *profile.interface.mtu)};
  std::vector<OuterPath> paths;
  for (const config::Peer& peer : profile.peers) {
    if (peer.endpoints.empty()) paths.emplace_back();
    for (const config::EndpointSpec& endpoint : peer.endpoints)
      paths.push_back(endpoint.address ? path_to(at_socket, *endpoint.address, mark) : OuterPath{});
  }
  InnerNeeds needs;
  needs.frames = profile.kind == config::Kind::kTap;
  needs.encrypted = profile.encryption == config::Encryption::kWireguard;
  needs.ipv6 = speaks_ipv6(profile);
  return derive_mtu(paths, needs);
}

IpAddress choose_source(os::NetlinkSocket& at_socket, const config::Profile& profile,
                        std::uint32_t mark) {
  for (const config::Peer& peer : profile.peers) {
    if (peer.endpoints.empty() || !peer.endpoints[0].address) continue;
    return os::lookup_route(at_socket, query_to(*peer.endpoints[0].address, mark))
        .source.value_or(IpAddress());
  }
  return {};
}

void configure_interface(os::NetlinkSocket& netlink, unsigned index,
                         const config::Interface& settings, const HostConfig& wanted,
                         std::uint32_t mtu, const std::vector<IpPrefix>* former) {
  const os::Link link = os::get_link(netlink, index);
  HostSteps steps = steps_to(wanted, look_at_interface(netlink, index, wanted.table), former);
  for (const IpPrefix& prefix : steps.new_addresses) refuse_taken(netlink, index, prefix.address);
  if (settings.mac && *settings.mac != link.mac) os::set_link_mac(netlink, index, *settings.mac);
  if (mtu != link.mtu) os::set_link_mtu(netlink, index, mtu);
  for (const IpPrefix& prefix : steps.new_addresses) os::add_address(netlink, index, prefix);
  if (wanted.up && !link.up) os::set_link_up(netlink, index, true);
  for (const IpPrefix& prefix : steps.new_routes)
    os::add_route(netlink, route_through(index, prefix, wanted.table));
  remove_old(netlink, index, steps, wanted.table);
  if (!wanted.up && link.up) os::set_link_up(netlink, index, false);
  // With an address the kernel takes its connected route, which may be wanted for other reasons;
  // with the last one of a family, or on the way down, all routes.
  steps = steps_to(wanted, look_at_interface(netlink, index, wanted.table), former);
  for (const IpPrefix& prefix : steps.new_addresses) os::add_address(netlink, index, prefix);
  for (const IpPrefix& prefix : steps.new_routes)
    os::add_route(netlink, route_through(index, prefix, wanted.table));
}

HostSeen look_at_interface(os::NetlinkSocket& netlink, unsigned index, std::uint32_t table) {
  HostSeen seen;
  const auto link = os::find_link(netlink, index);
  seen.up = link && link->up;
  if (!link) return seen;
  for (const os::InterfaceAddress& address : os::list_addresses(netlink, index))
    seen.addresses.push_back(address.prefix);
  const bool main = number_of(table) == os::kMainTable;
  for (const os::Route& route :
       main ? os::list_routes(netlink, index) : os::list_routes_beside_main(netlink, index)) {
    if (route.table != number_of(table)) continue;
    seen.routes.push_back(route.destination);
    if (route.protocol == os::kRouteProtocol) seen.own_routes.push_back(route.destination);
  }
  return seen;
}

}  // namespace vpntun::session
