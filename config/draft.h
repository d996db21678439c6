// A profile while it is read and checked: like Profile, but every value knows where it stands, and
// what was written but not understood is remembered, so that checks do not build on it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/profile.h"
#include "config/report.h"

namespace vpntun::config {

struct Value;
class TableReader;

struct PeerDraft {
  Spot spot;  // of the [[peer]] header
  Located<std::string> name;
  std::optional<Located<EndpointSpec>> endpoint;
  bool endpoint_unclear = false;  // written, not understood
  bool endpoint_secret = false;   // of a credential: not for findings
  std::optional<Spot> allowed_ips_spot;
  std::vector<Located<IpPrefix>> allowed_ips;
  bool allowed_ips_unclear = false;
};

struct Draft {
  Profile profile;  // all but what follows, until finish()
  Reach reach = Reach::kText;
  bool wireguard = false;  // asked for, which this build refuses; its keys are checked nevertheless
  bool kind_unclear = false;
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
  bool forwarding_unclear = false;
  std::vector<PeerDraft> peers;

  bool is_tun() const { return !kind_unclear && profile.kind == Kind::kTun; }
  bool is_tap() const { return !kind_unclear && profile.kind == Kind::kTap; }
  // The profile of a draft without errors.
  Profile finish() &&;
};

// Reads the values of a document; reports what is no value for its key.
Draft read_profile(const Value& document, Reach reach, Report& report);
// The part of it that reads [interface.dns], of the table [interface].
void read_dns(const TableReader& interface, Draft& draft);
// The part that reads an endpoint, and the one that checks where a key of WireGuard comes from.
void read_endpoint(const Located<std::string>& text, Reach reach, PeerDraft& peer, Report& report);
void check_key_source(const TableReader& table, std::string_view key, const Draft& draft);
// Reports what does not fit together: about the interface and routing, DNS, and the peers.
void check_host(const Draft& draft, Report& report);
void check_dns(const Draft& draft, Report& report);
void check_peers(const Draft& draft, Report& report);

}  // namespace vpntun::config
