// What the daemon says about its tunnels, read from the JSON of Manager.Describe() (schema
// "vpnctl.status/1"; docs/dbus.md lists the keys). A key that is absent or of another type leaves
// its default: the client of one version shows what it understands of another. All text is escaped
// here, once. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/tunnel_state.h"

namespace vpntun::ctl {

struct TrafficInfo {
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
};

struct DropInfo {
  std::string reason;
  std::string text;
  std::uint64_t packets = 0;
  std::string last;
  std::uint64_t last_usec = 0;
};

struct OffloadInfo {
  std::string name;
  bool on = false;
  Reason reason;  // why it is off
};

struct PeerInfo {
  std::string name;
  std::string configured_endpoint;  // empty: learned
  std::string endpoint;             // empty: not known yet
  bool endpoint_hidden = false;     // we may not know
  std::string endpoint_source;
  std::vector<std::string> allowed_ips;
  std::string public_key;  // empty: not encrypted, or we may not know
  bool has_preshared_key = false;
  std::uint64_t persistent_keepalive = 0;   // seconds; 0: off
  std::string state;                        // of its handshakes; empty: not encrypted
  std::uint64_t latest_handshake_usec = 0;  // 0: never
  std::string health;
  Reason reason;
  std::string refused_by;  // with the reason "refused"; empty: we may not know
  TrafficInfo traffic;
  std::uint64_t last_received_usec = 0;  // 0: never
};

struct TunnelInfo {
  std::string name;
  std::string description;
  std::string state;
  std::string health;
  Reason reason;
  std::string interface;
  std::uint64_t interface_index = 0;
  std::string kind;
  std::string encryption;
  std::string public_key;  // empty: not encrypted, or we may not know
  std::vector<std::string> addresses;
  std::vector<std::string> routes;
  std::vector<std::string> dns_servers;
  std::vector<std::string> dns_domains;
  std::uint64_t listen_port = 0;
  std::uint64_t workers = 0;  // 0: an older daemon
  std::uint64_t mtu = 0;
  std::string mtu_derivation;
  std::string netns;
  std::uint64_t since_usec = 0;
  TrafficInfo traffic;
  std::vector<DropInfo> drops;
  std::vector<Reason> findings;
  std::vector<PeerInfo> peers;
  std::string profile_path;
  bool profile_stale = false;
  bool profile_valid = true;
  std::string unit;
  std::uint64_t pid = 0;
  bool forwarding = false;
  bool masquerade = false;
  std::uint64_t fwmark = 0;  // 0: none
  std::uint64_t table = 0;   // 0: the main one
  std::string kill_switch;   // empty: an older daemon
  std::vector<OffloadInfo> offloads;

  bool running() const { return state == "running" || state == "reloading"; }
  bool encrypted() const { return encryption == "wireguard"; }
};

// Throws Error kFailed when the text is not a document of the schema.
nlohmann::json parse_document(std::string_view json);
std::vector<TunnelInfo> tunnels_of(const nlohmann::json& document);
// The document with only those of its tunnels whose name is given, for the verbs that name tunnels.
nlohmann::json only(nlohmann::json document, const std::vector<std::string>& names);

// The name among candidates that a mistyped one most likely meant, or empty.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace vpntun::ctl
