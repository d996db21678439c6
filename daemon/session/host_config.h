// What a profile wants of the host, as a value: computed once, applied at start, compared with what
// is there whenever the kernel reports a change. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "config/profile.h"

namespace vpntun::session {

// Where packets of a family go that no route but a default route covers.
enum class Unrouted {
  kAsTheHost,  // where the host sends them without us
  kTunnel,     // into the tunnel, by policy routing
  kRefused,    // nowhere
};

struct HostConfig {
  std::vector<IpPrefix> addresses;  // of the interface, host bits kept
  std::vector<IpPrefix> routes;     // networks reached through the interface, by plain routes
  std::uint32_t table = 0;          // of these routes; 0: the main one
  Unrouted unrouted_v4 = Unrouted::kAsTheHost;
  Unrouted unrouted_v6 = Unrouted::kAsTheHost;
  config::KillSwitch kill_switch = config::KillSwitch::kOff;
  bool kill_switch_allows_lan = false;
  bool up = true;
  bool forwarding = false;                         // IPv4, on the tunnel interface
  std::vector<std::string> forwarding_interfaces;  // IPv4, on these too
  bool forwarding_v6 = false;                      // IPv6 has to be forwarded as well
  bool masquerade = false;
  bool operator==(const HostConfig&) const = default;
};

// Routes with kAuto: one for each allowed-ips prefix, without those that an interface address
// brings by itself (its connected route). An interface that stays down gets no routes: the kernel
// has none on such. A default route is one of policy routing where the tunnel's own datagrams would
// else go into it: where interface and socket share a namespace, unless the profile names a table.
HostConfig host_config_of(const config::Profile& profile);

// Interface and UDP socket are in the same network namespace.
bool shares_a_namespace(const config::Netns& netns);

// Answers to what is masqueraded come in where the host's default route leads, which has to forward
// them: the profile names no other interface.
bool forwards_answers(const HostConfig& config);

// All networks reached through the interface, whatever leads there.
std::vector<IpPrefix> all_routes(const HostConfig& config);

// The routing table of its routes, or of its default route by policy routing; 0: the main one.
// mark: of choose_mark().
std::uint32_t table_of(const HostConfig& config, std::uint32_t mark) noexcept;

// Whether IPv6 addresses or allowed IPs are among what the profile says for the inside.
bool speaks_ipv6(const config::Profile& profile);

// What is on the interface now.
struct HostSeen {
  bool up = true;
  std::vector<IpPrefix> addresses;
  std::vector<IpPrefix> routes;           // whoever made them
  std::vector<IpPrefix> own_routes = {};  // those with our mark
};

// What makes the interface as wanted. What stays is not among it.
struct HostSteps {
  std::vector<IpPrefix> new_addresses, new_routes, old_routes, old_addresses;
  bool operator==(const HostSteps&) const = default;
};
// former: the addresses that the profile wanted before; what else is there was put there by hand.
// Null: not known; then all are taken for the profile's but link-local ones, which the kernel
// makes.
HostSteps steps_to(const HostConfig& wanted, const HostSeen& seen,
                   const std::vector<IpPrefix>* former);

// What was wanted, set, and is gone: somebody else took it away.
struct HostDrift {
  bool interface_down = false;
  std::vector<IpPrefix> addresses;
  std::vector<IpPrefix> routes;
  bool operator==(const HostDrift&) const = default;
};
HostDrift drift_of(const HostConfig& wanted, const HostSeen& seen);

}  // namespace vpntun::session
