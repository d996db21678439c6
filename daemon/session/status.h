// What a running session knows about itself, as values: the source of the D-Bus properties, of
// Status and of the JSON. Times are microseconds since 1970, 0 = never.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/tunnel_state.h"
#include "config/profile.h"
#include "packet/offload_state.h"
#include "session/health.h"

namespace vpntun::session {

enum class EndpointSource { kNone, kConfigured, kResolved, kLearned };
std::string_view to_string(EndpointSource source) noexcept;

// Datagrams that carry a packet, and the bytes of their payload: rx came from peers, tx went to
// them. With WireGuard the bytes are what wg(8) counts, handshakes and keepalives too; without
// encryption those of the inner packets.
struct Traffic {
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
};

struct PeerStatus {
  std::string name;
  std::string configured_endpoint;  // the list of the profile, joined by ", "; empty: learned
  std::optional<Endpoint> endpoint;
  EndpointSource endpoint_source = EndpointSource::kNone;
  std::vector<IpPrefix> allowed_ips;
  Traffic traffic;
  std::uint64_t last_received_usec = 0;
  std::uint64_t last_sent_usec = 0;
  // With WireGuard.
  std::string public_key;  // base64; empty: the plain transport
  bool has_preshared_key = false;
  std::uint16_t persistent_keepalive = 0;  // seconds; 0: off
  PeerState state = PeerState::kNever;
  std::uint64_t latest_handshake_usec = 0;
  std::uint32_t handshake_attempts = 0;  // since the last one that succeeded
  Health health = Health::kUnknown;
  Reason reason;
  std::optional<IpAddress> refused_by;  // with the reason "refused": who said so
};
// Of its handshakes; empty with the plain transport, which has none.
std::string_view state_word(const PeerStatus& peer) noexcept;

struct DropStatus {
  std::string reason;  // stable code: "no-peer", "source-not-allowed", ...
  std::string text;    // what that means, one sentence
  std::uint64_t packets = 0;
  std::string last;  // the last offender: "192.168.53.7 -> 10.0.0.1 from 10.0.2.9:4000"
  std::uint64_t last_usec = 0;
};

struct Status {
  std::string name;
  std::string description;
  std::string profile_path;
  std::uint64_t profile_time_usec = 0;  // modification time of the file as loaded
  bool differs_from_profile = false;    // wg(8) changed what runs since it was loaded
  std::uint32_t pid = 0;
  std::uint64_t since_usec = 0;
  std::string interface;
  std::uint32_t interface_index = 0;
  std::string netns;
  config::Kind kind = config::Kind::kTun;
  config::Encryption encryption = config::Encryption::kNone;
  std::vector<std::string> addresses;
  std::vector<std::string> routes;  // "192.168.60.0/24"
  std::vector<std::string> dns_servers;
  std::vector<std::string> dns_domains;  // "corp.example", "~lab.example"
  std::string public_key;                // base64, of our own; empty: the plain transport
  std::uint16_t listen_port = 0;
  std::uint32_t workers = 1;
  std::uint32_t mtu = 0;
  std::string mtu_derivation;  // "1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)"
  bool forwarding = false;
  bool masquerade = false;
  std::uint32_t fwmark = 0;  // of the datagrams; 0: none
  std::uint32_t table = 0;   // of the routes, or of the default route; 0: the main one
  config::KillSwitch kill_switch = config::KillSwitch::kOff;
  packet::OffloadStates offloads;
  Health health = Health::kUnknown;
  Reason reason;
  std::vector<Reason> findings;  // everything worth saying, worst first; reason is the first
  Traffic traffic;
  std::vector<DropStatus> drops;  // only reasons that occurred
  std::vector<PeerStatus> peers;
};

// One line for who asks how it goes: "tun0: healthy, 1 of 1 peers heard", "tun0: degraded: ...";
// with WireGuard "wg0: healthy, 2/3 peers fresh", and when none is, the date of the last handshake.
// It is shown until something changes, so it holds no running time.
std::string summary(const Status& status);

}  // namespace vpntun::session
