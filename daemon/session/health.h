// From facts to health: a list of rules, each giving findings with a stable code and one sentence
// that says what to do next. Pure: the session collects the facts, the tests make them up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "base/tunnel_state.h"
#include "dataplane/peer.h"
#include "packet/offload_state.h"
#include "session/host_config.h"

namespace vpntun::session {

// What a peer's counters have shown so far; advanced at every look at them.
struct Exchange {
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
  Instant last_rx{};             // Instant{}: never
  Instant last_tx{};             // Instant{}: never
  Instant unanswered_since{};    // when packets that wait for a reply began; Instant{}: none wait
  std::uint64_t unanswered = 0;  // how many wait
};
struct ExchangeCounts {
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
  Instant last_rx{};
  Instant last_tx{};
};
// A packet sent within kAnswerTime of one received is itself the answer, and waits for nothing.
Exchange advanced(const Exchange& before, const ExchangeCounts& now);

enum class NameState {
  kNotNeeded,        // a literal or a learned endpoint
  kPending,          // the first lookup is under way
  kResolved,         // perhaps a while ago
  kFailed,           // never resolved so far
  kPublicPlaintext,  // resolves, but only to public addresses
};

struct PeerFacts {
  std::string name;
  std::optional<Endpoint> endpoint;  // where packets go now
  NameState name_state = NameState::kNotNeeded;
  std::string name_failure;  // of the last lookup; the public address with kPublicPlaintext
  bool endpoint_through_tunnel = false;  // the route to the endpoint leads into the tunnel itself
  Exchange exchange;
  bool encrypted = false;  // what follows has a meaning
  dataplane::Handshakes handshakes;
  std::optional<dataplane::Refused> refused;  // the last word of ICMP
};

// Of our own wall clock, which handshakes carry.
enum class OwnClock {
  kNothingKnown,
  kUnsynchronised,  // the host's time service has not set it yet
  kBehind,          // it cannot be right: the profile was written later
};

// What a WireGuard peer is, from its handshakes alone.
enum class PeerState {
  kNever,       // no handshake, and none is tried
  kConnecting,  // no handshake yet, or not for long; one is tried
  kFresh,       // a session can be used
  kStale,       // the last session is too old; the next packet begins a new one
};
// never connecting fresh stale
std::string_view to_string(PeerState state) noexcept;
PeerState state_of(const dataplane::Handshakes& handshakes, Instant now) noexcept;
// The last handshake is young enough to talk by, whatever became of later attempts.
bool has_session(const dataplane::Handshakes& handshakes, Instant now) noexcept;

struct Facts {
  std::string tunnel;
  std::string interface;
  bool frames = false;
  HostDrift drift;
  std::vector<std::string> forwarding_off;  // interfaces where IPv4 forwarding was wanted
  bool forwarding_v6_off = false;           // wanted, and off in this namespace
  std::string masquerade_failure;           // empty: not wanted, or installed
  std::string routing_failure;              // of the default route by policy routing; empty: none
  std::string kill_switch_failure;          // empty: not wanted, or its rules are there
  std::string dns_failure;                  // empty: not wanted, or systemd-resolved knows
  std::string control_failure;              // of the control socket; empty: not wanted, or there
  bool changed_by_wg = false;               // what runs is not what the profile says
  OwnClock own_clock = OwnClock::kNothingKnown;
  packet::OffloadStates offloads;  // no part of the health
  std::vector<PeerFacts> peers;
};

struct Judgement {
  Health health = Health::kUnknown;
  Reason reason;
};
struct Assessment {
  Health health = Health::kUnknown;
  std::vector<Reason> findings;  // worst first
  std::vector<Judgement> peers;  // in the order of the facts

  Reason reason() const { return findings.empty() ? Reason{} : findings.front(); }
};

// The code of a reason that PeerFacts::refused explains.
inline constexpr std::string_view kRefusedCode = "refused";
// So many peers have their reason among the findings; each of thousands may have one.
inline constexpr std::size_t kPeersFound = 32;

inline constexpr Duration kReplyTime = std::chrono::seconds(10);
inline constexpr Duration kAnswerTime = std::chrono::seconds(2);
// What ICMP said counts as long as nothing was sent so much later without its saying it again.
inline constexpr Duration kRefusalTime = std::chrono::seconds(10);
// As long after the last one, what the peer begins says more than what we begin.
inline constexpr Duration kTheirTurn = std::chrono::seconds(30);
// The life of a WireGuard session: REJECT_AFTER_TIME of the paper, section 6.1.
inline constexpr Duration kSessionTime = std::chrono::seconds(180);

Judgement assess_peer(const PeerFacts& peer, const Facts& tunnel, Instant now);
Assessment assess(const Facts& facts, Instant now);

}  // namespace vpntun::session
