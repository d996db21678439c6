// Read-only facts of the network namespace of the calling thread that rtnetlink has not: switches
// of /proc/sys/net and the counters of the IP layer. Callers: session/ (diagnosis), the lab.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace vpntun::os {

// A number in /proc/sys/net, for example "ipv4/conf/all/rp_filter"; nullopt if the kernel has none
// such.
std::optional<long> read_sysctl(std::string_view path_below_net);

// IPv6 forwarding of the namespace as a whole; false also where there is no IPv6.
bool ipv6_forwarding();
// The larger of this and an interface's own value holds.
unsigned rp_filter_all();

// Counters by group and name, for example "TcpExt.IPReversePathFilter", "IpExt.InNoRoutes",
// "Ip.ForwDatagrams", "Ip6.Ip6InNoRoutes" as "Ip6InNoRoutes".
using Counters = std::map<std::string, std::uint64_t, std::less<>>;
Counters read_counters();

// Pure: the text of /proc/net/netstat and snmp (a line of names, a line of values), added to
// `counters`.
void parse_counters(std::string_view text, Counters& counters);
// Pure: the text of /proc/net/snmp6 (name and value per line).
void parse_counters_v6(std::string_view text, Counters& counters);

}  // namespace vpntun::os
