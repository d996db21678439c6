// The three hosts of the lab and their networks:
//   U --internet 10.0.2.0/24-- VPN server --intranet 192.168.60.0/24-- V
// each a network namespace in /run/netns of the lab. Callers: keeper (build), stage (reset).
// Thread: the only one.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace vpntun::lab {

enum class Host { kU, kServer, kV };
inline constexpr std::array kHosts = {Host::kU, Host::kServer, Host::kV};

// "u", "server", "v": the namespace's name.
std::string name_of(Host host);
// "U", "the VPN server", "V".
std::string title_of(Host host);

inline constexpr std::string_view kUOutside = "10.0.2.7";
inline constexpr std::string_view kServerOutside = "10.0.2.8";
inline constexpr std::string_view kServerIntranet = "192.168.60.1";
inline constexpr std::string_view kV = "192.168.60.101";
inline constexpr std::string_view kUTunnel = "192.168.53.99";
inline constexpr std::string_view kServerTunnel = "192.168.53.98";
inline constexpr std::string_view kTunnelNetwork = "192.168.53.0/24";
inline constexpr std::string_view kIntranet = "192.168.60.0/24";
inline constexpr int kPort = 9090;
inline constexpr int kLoginPort = 23;

// Creates the hosts in the calling process's /run/netns, in the base state. Throws Error.
void build_topology();
// Back to the base state: addresses and links as built, the routes of the base state and no others,
// no forwarding, no reverse-path filter. Interfaces that came since stay. Throws Error.
void reset_topology();
// Writes /proc/sys/net/PATH of a host. Throws Error.
void write_sysctl(Host host, const std::string& path, const std::string& value);

// The lab in ASCII.
std::string picture();

}  // namespace vpntun::lab
