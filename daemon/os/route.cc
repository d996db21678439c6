#include "os/route.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "os/link.h"

namespace vpntun::os {
namespace {

constexpr std::uint32_t kDefaultMetricV6 = 1024;  // what the kernel makes of 0

std::uint8_t family_number(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

std::uint32_t effective_metric(const Route& route) {
  return route.metric == 0 && route.destination.address.is_v6() ? kDefaultMetricV6 : route.metric;
}

void build(NetlinkMessage& message, const Route& route) {
  const IpPrefix destination = route.destination.network();
  rtmsg& info = message.put_header<rtmsg>();
  info.rtm_family = family_number(destination.address);
  info.rtm_dst_len = static_cast<std::uint8_t>(destination.length);
  info.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE has room for all numbers
  info.rtm_protocol = route.protocol;
  info.rtm_type = RTN_UNICAST;
  const bool on_link = !route.gateway && destination.address.is_v4();
  info.rtm_scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  message.put_address(RTA_DST, destination.address);
  nlmsghdr* header = message.header();
  mnl_attr_put_u32(header, RTA_TABLE, route.table);
  if (route.index != 0) mnl_attr_put_u32(header, RTA_OIF, route.index);
  if (route.gateway) message.put_address(RTA_GATEWAY, *route.gateway);
  if (route.source) message.put_address(RTA_PREFSRC, *route.source);
  if (route.metric != 0) mnl_attr_put_u32(header, RTA_PRIORITY, route.metric);
  if (route.mtu == 0) return;
  nlattr* metrics = mnl_attr_nest_start(header, RTA_METRICS);
  mnl_attr_put_u32(header, RTAX_MTU, route.mtu);
  mnl_attr_nest_end(header, metrics);
}

std::string describe(NetlinkSocket& netlink, const Route& route) {
  std::string text = route.destination.network().to_string();
  if (route.gateway) text += " via " + route.gateway->to_string();
  if (route.table != kMainTable) text += fmt::format(" table {}", route.table);
  if (route.index == 0) return text;
  const std::optional<Link> link = find_link(netlink, route.index);
  return text + " dev " + (link ? link->name : std::to_string(route.index));
}

// Those for which wanted(route) holds.
template <typename Wanted>
std::vector<Route> list(NetlinkSocket& netlink, unsigned index, Wanted wanted) {
  std::vector<Route> routes;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    NetlinkMessage message(RTM_GETROUTE, 0);
    message.put_header<rtmsg>().rtm_family = family == Family::kIpv4 ? AF_INET : AF_INET6;
    if (index != 0) mnl_attr_put_u32(message.header(), RTA_OIF, index);
    const std::size_t before = routes.size();
    netlink.dump(
        message, "list the routes", [&] { routes.resize(before); },
        [&](const nlmsghdr& part) {
          const std::optional<Route> route = parse_route(part);
          // Without IPv6 the kernel answers for the families it has.
          if (!route || route->destination.address.family() != family) return;
          if ((index == 0 || route->index == index) && wanted(*route)) routes.push_back(*route);
        });
  }
  return routes;
}

[[noreturn]] void throw_conflict(NetlinkSocket& netlink, const Route& route) {
  const auto in_table = [&](const Route& each) { return each.table == route.table; };
  for (const Route& existing : list(netlink, 0, in_table)) {
    if (existing.destination != route.destination.network() ||
        existing.metric != effective_metric(route))
      continue;
    throw Error(ErrorKind::kRouteConflict, "add route {}: there is already the route {}",
                describe(netlink, route), describe(netlink, existing));
  }
  throw Error(ErrorKind::kRouteConflict, "add route {}: there is already one to this destination",
              describe(netlink, route));
}

std::uint32_t mtu_of(const nlattr* metrics) {
  for (const nlattr* attribute : Attributes(metrics)) {
    if (mnl_attr_get_type(attribute) == RTAX_MTU && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
      return mnl_attr_get_u32(attribute);
  }
  return 0;
}

// The attributes that a listed route and the answer to a lookup have in common.
struct RouteAttributes {
  std::optional<IpAddress> destination;
  std::optional<IpAddress> gateway;
  std::optional<IpAddress> source;
  std::uint32_t index = 0;
  std::uint32_t table = 0;
  std::uint32_t metric = 0;
  std::uint32_t mtu = 0;
  bool beyond_us = false;  // several next hops, or a gateway of the other family
};

std::uint32_t number_of(const nlattr* attribute) {
  return mnl_attr_validate(attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attribute);
}

void read_attribute(const nlattr* attribute, RouteAttributes& out) {
  switch (mnl_attr_get_type(attribute)) {
    case RTA_DST:
      out.destination = address_of(attribute);
      break;
    case RTA_GATEWAY:
      out.gateway = address_of(attribute);
      break;
    case RTA_PREFSRC:
      out.source = address_of(attribute);
      break;
    case RTA_OIF:
      out.index = number_of(attribute);
      break;
    case RTA_TABLE:
      out.table = number_of(attribute);
      break;
    case RTA_PRIORITY:
      out.metric = number_of(attribute);
      break;
    case RTA_METRICS:
      out.mtu = mtu_of(attribute);
      break;
    case RTA_MULTIPATH:
    case RTA_VIA:
      out.beyond_us = true;
      break;
    default:
      break;
  }
}

RouteAttributes read_attributes(const nlmsghdr& message) {
  RouteAttributes attributes;
  for (const nlattr* attribute : Attributes(message, sizeof(rtmsg)))
    read_attribute(attribute, attributes);
  return attributes;
}

RouteType type_of(std::uint8_t number) {
  switch (number) {
    case RTN_UNICAST:
      return RouteType::kUnicast;
    case RTN_LOCAL:
      return RouteType::kLocal;
    case RTN_BROADCAST:
      return RouteType::kBroadcast;
    case RTN_MULTICAST:
    case RTN_ANYCAST:
      return RouteType::kMulticast;
    case RTN_BLACKHOLE:
      return RouteType::kBlackhole;
    case RTN_PROHIBIT:
      return RouteType::kProhibit;
    default:
      return RouteType::kUnreachable;
  }
}

int error_of(RouteType type) {
  switch (type) {
    case RouteType::kBlackhole:
      return EINVAL;
    case RouteType::kUnreachable:
      return EHOSTUNREACH;
    case RouteType::kProhibit:
      return EACCES;
    default:
      return 0;
  }
}

}  // namespace

std::optional<Route> parse_route(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(rtmsg)) return std::nullopt;
  const auto& info = *static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
  if (info.rtm_family != AF_INET && info.rtm_family != AF_INET6) return std::nullopt;
  if (info.rtm_type != RTN_UNICAST || (info.rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;

  const RouteAttributes attributes = read_attributes(message);
  if (attributes.beyond_us) return std::nullopt;

  const Family family = info.rtm_family == AF_INET ? Family::kIpv4 : Family::kIpv6;
  Route route;
  route.destination = {attributes.destination.value_or(IpAddress::unspecified(family)),
                       info.rtm_dst_len};
  if (route.destination.address.family() != family ||
      route.destination.length > route.destination.address.bits())
    return std::nullopt;
  route.index = attributes.index;
  route.gateway = attributes.gateway;
  route.source = attributes.source;
  route.metric = attributes.metric;
  route.mtu = attributes.mtu;
  route.protocol = info.rtm_protocol;
  route.table = attributes.table == 0 ? info.rtm_table : attributes.table;
  return route;
}

void add_route(NetlinkSocket& netlink, const Route& route) {
  NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  build(message, route);
  const NetlinkAnswer answer = netlink.ask(message, "add a route");
  if (answer.error_number == EEXIST) throw_conflict(netlink, route);
  if (answer.error_number != 0)
    throw_refusal(answer, fmt::format("add route {}", describe(netlink, route)));
}

void remove_route(NetlinkSocket& netlink, const Route& route) {
  NetlinkMessage message(RTM_DELROUTE, 0);
  build(message, route);
  const NetlinkAnswer answer = netlink.ask(message, "remove a route");
  if (answer.error_number == ESRCH)
    throw Error(ErrorKind::kFailed, "remove route {}: there is none such",
                describe(netlink, route));
  if (answer.error_number != 0)
    throw_refusal(answer, fmt::format("remove route {}", describe(netlink, route)));
}

std::vector<Route> list_routes(NetlinkSocket& netlink, unsigned index) {
  return list(netlink, index, [](const Route& route) { return route.table == kMainTable; });
}

std::vector<Route> list_routes_beside_main(NetlinkSocket& netlink, unsigned index) {
  return list(netlink, index, [](const Route& route) { return route.table != kMainTable; });
}

std::size_t sweep_routes(NetlinkSocket& netlink, std::uint8_t protocol) {
  std::size_t count = 0;
  for (const Route& route : list_routes(netlink)) {
    if (route.protocol != protocol) continue;
    NetlinkMessage message(RTM_DELROUTE, 0);
    build(message, route);
    const NetlinkAnswer answer = netlink.ask(message, "remove a leftover route");
    if (answer.error_number == ESRCH) continue;  // gone meanwhile
    if (answer.error_number != 0)
      throw_refusal(answer, fmt::format("remove the leftover route {}", describe(netlink, route)));
    ++count;
  }
  return count;
}

RouteAnswer lookup_route(NetlinkSocket& netlink, const RouteQuery& query) {
  NetlinkMessage message(RTM_GETROUTE, 0);
  rtmsg& info = message.put_header<rtmsg>();
  info.rtm_family = family_number(query.destination);
  info.rtm_dst_len = static_cast<std::uint8_t>(query.destination.bits());
  if (query.source) info.rtm_src_len = static_cast<std::uint8_t>(query.source->bits());
  message.put_address(RTA_DST, query.destination);
  if (query.source) message.put_address(RTA_SRC, *query.source);
  if (query.input_index != 0) mnl_attr_put_u32(message.header(), RTA_IIF, query.input_index);
  if (query.mark != 0) mnl_attr_put_u32(message.header(), RTA_MARK, query.mark);

  const std::string attempted =
      fmt::format("look up the route to {}", query.destination.to_string());
  const NetlinkAnswer reply = netlink.ask(message, attempted);
  RouteAnswer answer;
  answer.error_number = reply.error_number;
  if (reply.error_number == EPERM || reply.error_number == ENODEV) throw_refusal(reply, attempted);
  if (reply.error_number != 0 || reply.message() == nullptr) return answer;

  answer.type =
      type_of(static_cast<const rtmsg*>(mnl_nlmsg_get_payload(reply.message()))->rtm_type);
  answer.error_number = error_of(answer.type);
  const RouteAttributes attributes = read_attributes(*reply.message());
  answer.index = attributes.index;
  answer.gateway = attributes.gateway;
  answer.source = attributes.source;
  answer.mtu = attributes.mtu;
  return answer;
}

std::uint32_t path_mtu(NetlinkSocket& netlink, const RouteQuery& query) {
  const RouteAnswer answer = lookup_route(netlink, query);
  if (answer.error_number != 0 || answer.index == 0) return 0;
  if (answer.mtu != 0) return answer.mtu;
  const std::optional<Link> link = find_link(netlink, answer.index);
  return link ? link->mtu : 0;
}

}  // namespace vpntun::os
