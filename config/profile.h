// A tunnel profile as values: what one TOML file says, after validation. No TOML, no kernel, no
// defaults left to guess. Everything else of the program sees profiles only in this form.
// docs/profile.md is the reference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "crypto/key.h"

namespace vpntun::config {

enum class Kind { kTun, kTap };

// How peers' traffic is protected. kNone is the plain transport: one bare inner packet per UDP
// datagram.
enum class Encryption { kNone, kWireguard };

// When a start is done.
enum class ReadyWhen {
  kConfigured,  // interface, addresses, routes and socket exist
  kHandshake,   // and a peer was heard: with the plain transport, its first accepted datagram
};

// A literal address, or a host name to be resolved.
struct EndpointSpec {
  std::string host;
  std::uint16_t port = 0;
  std::optional<IpAddress> address;  // set when host is a literal

  // "192.0.2.1:9090", "[2001:db8::1]:9090", "vpn.example.org:9090".
  std::string to_string() const;
  bool operator==(const EndpointSpec&) const = default;
};

struct Peer {
  std::string name;  // unique in the profile; "peer1", ... by position when not given
  // In the order they are tried, the plain transport has at most one; empty: learned from the first
  // acceptable datagram, and roams.
  std::vector<EndpointSpec> endpoints;
  std::vector<IpPrefix> allowed_ips;  // TUN only; networks, no host bits
  // With kWireguard. A key that Reach left unread is all zero; no preshared key is known from one.
  crypto::PublicKey public_key{};
  std::optional<crypto::SecretKey> preshared_key{};
  std::uint16_t persistent_keepalive = 0;  // seconds; 0: off
  bool operator==(const Peer&) const = default;
};

// A domain whose names are asked at the tunnel's DNS servers.
struct DnsDomain {
  std::string name;         // without a dot at its end; "." is every name
  bool route_only = false;  // "~corp.example": not appended to names of one label

  // As in the profile.
  std::string to_string() const { return (route_only ? "~" : "") + name; }
  bool operator==(const DnsDomain&) const = default;
};

// What systemd-resolved is told about the interface.
struct Dns {
  std::vector<IpAddress> servers;
  std::vector<DnsDomain> domains;
  bool operator==(const Dns&) const = default;
};

struct Interface {
  std::string name = "tun%d";  // at most one %d, replaced by the kernel; "tap%d" by default for TAP
  std::vector<IpPrefix> addresses;  // interface addresses: host bits are the address
  std::optional<std::uint32_t>
      mtu;  // bytes of an inner IP packet; none: from the route to the endpoints
  std::uint16_t listen_port = 0;  // UDP; 0: the kernel's choice
  std::optional<MacAddress> mac;  // TAP only; none: the kernel's choice
  bool up = true;
  std::uint32_t workers = 1;  // threads for packets, each with a queue and a UDP socket of its own
  Dns dns;
  // With kWireguard.
  crypto::SecretKey private_key;
  std::uint32_t fwmark = 0;     // of the datagrams; 0: none, or one chosen for policy routing
  bool control_socket = false;  // /run/wireguard/NAME.sock, for wg(8)
  bool operator==(const Interface&) const = default;
};

enum class RouteMode {
  kAuto,    // one route into the tunnel for each allowed-ips prefix
  kOff,     // none
  kListed,  // those of Routing::routes
};

// A family that has addresses or routes of its own outside, but no default route into the tunnel
// while the other one has.
enum class UnroutedFamily { kAllow, kBlock };

// When nothing but the tunnel's own datagrams may leave the host past the tunnel.
enum class KillSwitch {
  kOff,
  kWhileUp,  // from the start of the tunnel until its stop, also while its process is not there
  kAlways,   // and after the stop, until the profile says otherwise
};

struct Routing {
  RouteMode mode = RouteMode::kAuto;
  std::vector<IpPrefix> routes;  // with kListed
  bool forwarding = false;       // forward IPv4 arriving from the tunnel interface
  std::vector<std::string> forwarding_interfaces;  // and from these, for the way back
  bool masquerade = false;  // source NAT for what leaves the tunnel for other interfaces
  std::uint32_t table =
      0;  // of the routes; 0: the main one, and one of its own for a default route
  UnroutedFamily unrouted_family = UnroutedFamily::kAllow;
  KillSwitch kill_switch = KillSwitch::kOff;
  bool kill_switch_allows_lan = false;  // networks on the host's own links
  bool operator==(const Routing&) const = default;
};

struct Netns {
  enum class Mode { kNone, kCreate, kJoin };
  enum class Socket {
    kHost,    // UDP socket in the namespace the daemon runs in, interface inside
    kInside,  // both inside
  };
  Mode mode = Mode::kNone;
  std::string name;  // /run/netns/NAME
  Socket socket = Socket::kHost;
  bool operator==(const Netns&) const = default;
};

struct Profile {
  std::string name;  // of the tunnel: the file's name without .toml
  std::string path;
  std::uint64_t modified_usec = 0;  // the file as it was read, microseconds since 1970
  std::string description;
  Kind kind = Kind::kTun;
  Encryption encryption = Encryption::kNone;
  bool allow_public_plaintext = false;
  ReadyWhen ready_when = ReadyWhen::kConfigured;
  Interface interface;
  Routing routing;
  Netns netns;
  bool active_session = false;  // [access]: for whoever sits at the machine
  std::vector<Peer> peers;
  bool operator==(const Profile&) const = default;
};

// As in the profile: "tun", "tap"; "none", "wireguard".
std::string_view word_of(Kind kind) noexcept;
std::string_view word_of(Encryption encryption) noexcept;
std::string_view word_of(KillSwitch kill_switch) noexcept;  // "off", "while-up", "always"

// A tunnel name: [a-zA-Z0-9_.-]{1,64}, not starting with a dot or a dash.
bool is_tunnel_name(std::string_view name) noexcept;

}  // namespace vpntun::config
