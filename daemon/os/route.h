// Routes, and the kernel's own answer to "where would this packet go", in the namespace of the
// socket passed. Our routes carry kRouteProtocol, so that leftovers of a crash are found. Callers:
// session/, the lab. Thread: the socket's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "os/netlink.h"
#include "os/rule.h"

namespace vpntun::os {

// "Who made this route", shown by `ip route` as proto 117. Not among the numbers of
// /etc/iproute2/rt_protos.
inline constexpr std::uint8_t kRouteProtocol = 117;

struct Route {
  IpPrefix destination;                   // length 0: the default route of its family
  unsigned index = 0;                     // interface; with a gateway 0 = the kernel finds it
  std::optional<IpAddress> gateway = {};  // none: on the link
  std::optional<IpAddress> source = {};   // preferred source address
  std::uint32_t metric = 0;               // 0: the kernel's default (IPv4 0, IPv6 1024)
  std::uint32_t mtu = 0;                  // bytes; 0: the link's
  std::uint8_t protocol = kRouteProtocol;
  std::uint32_t table = kMainTable;
  bool operator==(const Route&) const = default;
};

// Pure: an RTM_NEWROUTE or RTM_DELROUTE message; nullopt if it is malformed, of another family, a
// multipath route, or not a unicast route.
std::optional<Route> parse_route(const nlmsghdr& message);

// Errors: kRouteConflict (the same destination and metric exists; the text names its interface),
// kAccessDenied.
void add_route(NetlinkSocket& netlink, const Route& route);
// Errors: kFailed if there is none such.
void remove_route(NetlinkSocket& netlink, const Route& route);
// Unicast routes of the main table, both families: through one interface, which must exist, or (0)
// all. The kernel picks them out, so that a full table elsewhere costs little.
std::vector<Route> list_routes(NetlinkSocket& netlink, unsigned index = 0);
// Those through an interface that are in any other table.
std::vector<Route> list_routes_beside_main(NetlinkSocket& netlink, unsigned index);
// Removes every route of the main table with this protocol number; returns how many.
std::size_t sweep_routes(NetlinkSocket& netlink, std::uint8_t protocol = kRouteProtocol);

struct RouteQuery {
  IpAddress destination;
  std::optional<IpAddress> source = {};  // required with input_index
  unsigned input_index = 0;  // a packet that came in on this interface; 0: one of our own
  std::uint32_t mark = 0;
};

enum class RouteType : std::uint8_t {
  kNone,     // no route; error_number tells
  kUnicast,  // out of `index`
  kLocal,    // to this host itself
  kBroadcast,
  kMulticast,
  kBlackhole,
  kUnreachable,
  kProhibit,
};

// "No route" is an answer, not an error of the query.
struct RouteAnswer {
  // 0, or the kernel's verdict: ENETUNREACH and EHOSTUNREACH no route (EHOSTUNREACH also:
  // forwarding is off), EACCES prohibited, EINVAL blackhole; for a query with input_index EXDEV:
  // refused by rp_filter (older kernels and an impossible source: EINVAL).
  int error_number = 0;
  RouteType type = RouteType::kNone;
  unsigned index = 0;  // outgoing interface
  std::optional<IpAddress> gateway = {};
  std::optional<IpAddress> source = {};  // the source address the kernel would choose
  std::uint32_t mtu = 0;                 // bytes, of the route or of a learned path; 0: the link's
};

RouteAnswer lookup_route(NetlinkSocket& netlink, const RouteQuery& query);

// MTU of the way to the destination: the route's, else the link's. 0: no route.
std::uint32_t path_mtu(NetlinkSocket& netlink, const RouteQuery& query);

}  // namespace vpntun::os
