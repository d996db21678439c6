// A profile while it is read and checked: like Profile, but every value knows where it stands, and
// what was written but not understood is remembered, so that checks do not build on it.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "config/profile.h"
#include "config/report.h"

namespace vpntun::config {

struct Value;
class TableReader;

struct EndpointDraft {
  EndpointSpec value;
  Spot spot;
  bool secret = false;  // of a credential: not for findings
};

struct PeerDraft {
  Spot spot;  // of the [[peer]] header
  Located<std::string> name;
  std::vector<EndpointDraft> endpoints;
  bool endpoint_unclear = false;  // written, not understood
  std::optional<Located<crypto::PublicKey>> public_key;
  std::optional<crypto::SecretKey> preshared_key;
  std::optional<Located<std::uint16_t>> keepalive;
  std::optional<Spot> allowed_ips_spot;
  std::vector<Located<IpPrefix>> allowed_ips;
  bool allowed_ips_unclear = false;
};

struct Draft {
  Profile profile;  // all but what follows, until finish()
  Reach reach = Reach::kText;
  bool encryption_unclear = true;
  bool kind_unclear = false;
  std::optional<Spot> inline_secret;  // the first key that stands in the text itself
  std::vector<Located<IpPrefix>> addresses;
  std::optional<Located<std::uint32_t>> mtu;
  Spot listen_port;
  bool listen_port_unclear = false;
  std::optional<Spot> mac_spot;
  std::optional<Spot> dns_spot;  // of [interface.dns]
  std::vector<Located<IpAddress>> dns_servers;
  bool dns_servers_unclear = false;
  std::vector<Located<DnsDomain>> dns_domains;
  std::optional<Spot> waits_for_peer;  // ready-when = "handshake"
  std::vector<Located<IpPrefix>> routes;
  std::vector<Located<std::string>> forwarding_interfaces;
  Spot masquerade;
  Spot kill_switch;
  bool forwarding_unclear = false;
  std::vector<PeerDraft> peers;

  bool is_plain() const { return !encryption_unclear && profile.encryption == Encryption::kNone; }
  bool is_wireguard() const {
    return !encryption_unclear && profile.encryption == Encryption::kWireguard;
  }
  bool is_tun() const { return !kind_unclear && profile.kind == Kind::kTun; }
  bool is_tap() const { return !kind_unclear && profile.kind == Kind::kTap; }
  // The profile of a draft without errors.
  Profile finish() &&;
};

// Reads the values of a document; reports what is no value for its key.
Draft read_profile(const Value& document, Reach reach, Report& report);
// The part of it that reads [interface.dns], of the table [interface].
void read_dns(const TableReader& interface, Draft& draft);
// The parts for what may stand outside: the endpoints of a peer, and a private or preshared key.
// Nothing: no such key, none that is one, or one out of reach.
void read_endpoints(const TableReader& table, Reach reach, PeerDraft& peer);
std::optional<crypto::SecretKey> read_secret_key(const TableReader& table, std::string_view key,
                                                 Draft& draft);
// The parts that read what only WireGuard has.
void read_wireguard_interface(const TableReader& interface, Draft& draft);
void read_wireguard_routing(const TableReader& routing, Draft& draft);
void read_wireguard_peer(const TableReader& table, Draft& draft, PeerDraft& peer);
// Whether the number lies in the range; reported when not.
bool in_range(const Located<std::int64_t>& number, std::int64_t low, std::int64_t high,
              Report& report);
// Reports when others can read the file that a key stands in.
void check_open_profile(const Spot& secret, const struct stat& file, Reach reach, Report& report);
// Reports what does not fit together: about the interface and routing, DNS, the peers, and
// WireGuard.
void check_host(const Draft& draft, Report& report);
void check_dns(const Draft& draft, Report& report);
void check_peers(const Draft& draft, Report& report);
void check_wireguard(const Draft& draft, Report& report);

}  // namespace vpntun::config
