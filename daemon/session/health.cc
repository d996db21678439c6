#include "session/health.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace vpntun::session {

namespace {

constexpr std::uint64_t kLeastUnanswered = 2;  // one alone may need no reply
// An Ethernet segment is never silent: the kernel's own router solicitations and group reports go
// out and ask for no reply. Only more than that counts as unanswered.
constexpr std::uint64_t kFrameChatter = 10;
constexpr double kFrameChatterPerSecond = 0.5;

struct Ranked {
  Health health;
  Reason reason;
};

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

bool waits_in_vain(const Exchange& exchange, bool frames, Instant now) {
  if (exchange.unanswered_since == Instant{} || now - exchange.unanswered_since < kReplyTime)
    return false;
  if (!frames) return exchange.unanswered >= kLeastUnanswered;
  return exchange.unanswered >= kFrameChatter &&
         static_cast<double>(exchange.unanswered) >=
             kFrameChatterPerSecond * seconds(exchange.last_tx - exchange.unanswered_since);
}

std::string joined(const std::vector<IpPrefix>& prefixes) {
  std::vector<std::string> texts;
  texts.reserve(prefixes.size());
  for (const IpPrefix& prefix : prefixes) texts.push_back(prefix.to_string());
  return fmt::format("{}", fmt::join(texts, ", "));
}

void find_host_faults(const Facts& facts, std::vector<Ranked>& found) {
  const auto degraded = [&](const char* code, std::string text) {
    found.push_back({Health::kDegraded, {code, std::move(text)}});
  };
  const std::string restart = fmt::format("`vpnctl restart {}` puts it back", facts.tunnel);
  if (facts.drift.interface_down) {
    found.push_back({Health::kFailing,
                     {"interface-down",
                      fmt::format("interface {} was set down; {}", facts.interface, restart)}});
  }
  if (!facts.drift.addresses.empty())
    degraded("address-missing",
             fmt::format("{} was removed from {}; {}", joined(facts.drift.addresses),
                         facts.interface, restart));
  // Routes vanish with the interface going down: one cause, one finding.
  if (!facts.drift.routes.empty() && !facts.drift.interface_down)
    degraded("route-missing", fmt::format("the route {} through {} was removed; {}",
                                          joined(facts.drift.routes), facts.interface, restart));
  if (!facts.forwarding_off.empty())
    degraded("forwarding-off", fmt::format("IPv4 forwarding was switched off on {}; {}",
                                           fmt::join(facts.forwarding_off, ", "), restart));
  if (facts.forwarding_v6_off)
    degraded("ipv6-forwarding-off",
             "IPv6 is not forwarded on this host; set net.ipv6.conf.all.forwarding=1 (sysctl)");
  if (!facts.masquerade_failure.empty())
    degraded("masquerade-failed",
             fmt::format("masquerading could not be set up: {}", facts.masquerade_failure));
  if (!facts.routing_failure.empty()) degraded("default-route", facts.routing_failure);
  if (!facts.kill_switch_failure.empty())
    degraded("kill-switch",
             fmt::format("packets may leave past the tunnel: {}", facts.kill_switch_failure));
  if (!facts.dns_failure.empty()) degraded("dns-unavailable", facts.dns_failure);
  if (!facts.control_failure.empty())
    degraded("control-socket-failed",
             fmt::format("wg(8) cannot reach {}: {}", facts.interface, facts.control_failure));
}

// The worst of them, in their order.
void find_peers(const std::vector<Judgement>& peers, std::vector<Ranked>& found) {
  std::vector<const Judgement*> worst;
  for (const Judgement& peer : peers)
    if (peer.health != Health::kHealthy) worst.push_back(&peer);
  std::ranges::stable_sort(worst, std::greater<>(), &Judgement::health);
  if (worst.size() > kPeersFound) worst.resize(kPeersFound);
  for (const Judgement* const peer : worst) found.push_back({peer->health, peer->reason});
}

// The tunnel's health from its peers' alone.
Health combined(const std::vector<Judgement>& peers) {
  const auto count = [&](Health health) {
    return std::count_if(peers.begin(), peers.end(),
                         [&](const Judgement& peer) { return peer.health == health; });
  };
  const auto bad = count(Health::kFailing) + count(Health::kDegraded);
  const auto good = count(Health::kHealthy);
  if (bad > 0)
    return count(Health::kFailing) > 0 && good == 0 ? Health::kFailing : Health::kDegraded;
  return good > 0 ? Health::kHealthy : Health::kUnknown;
}

Judgement unusable_name(const PeerFacts& peer) {
  switch (peer.name_state) {
    case NameState::kPending:
      return {Health::kUnknown,
              {"resolving", fmt::format("the name of peer {} is being resolved", peer.name)}};
    case NameState::kPublicPlaintext:
      return {Health::kFailing,
              {"public-plaintext",
               fmt::format("peer {} is not used: its name leads to a public address, and packets "
                           "would travel there unencrypted; give a private address, or allow it "
                           "with allow-public-plaintext = true",
                           peer.name)}};
    default:
      return {Health::kFailing,
              {"unresolved",
               fmt::format("the name of peer {} cannot be resolved ({}); tried again every 10 s",
                           peer.name, peer.name_failure)}};
  }
}

std::string_view text_of(packet::Obstacle obstacle) {
  switch (obstacle) {
    case packet::Obstacle::kPort:
      return "nothing listens on the port of its endpoint";
    case packet::Obstacle::kHost:
      return "no host answers at the address of its endpoint";
    case packet::Obstacle::kNetwork:
      return "no route leads to the address of its endpoint";
    case packet::Obstacle::kProhibited:
      break;
  }
  return "a filter does not let them through to its endpoint";
}

// Its last word is about the endpoint of now, and about what was sent last.
bool is_refused(const PeerFacts& peer, Instant last_heard, Instant last_sent) {
  return peer.refused && peer.refused->what.remote == peer.endpoint &&
         peer.refused->when > last_heard && last_sent <= peer.refused->when + kRefusalTime;
}

// Without an address: the sentence is for everybody.
Judgement refused(const PeerFacts& peer) {
  const packet::Unreachable& what = peer.refused->what;
  const bool there = what.said_by == what.remote.address;
  const char* const who = what.said_here ? "this host" : there ? "the host there" : "a router";
  return {Health::kFailing,
          {std::string(kRefusedCode),
           fmt::format("datagrams to peer {} are refused: {}, says {} (ICMP)", peer.name,
                       text_of(what.obstacle), who)}};
}

// Also when they were given up: until one succeeds, nothing is better than it was.
Judgement unanswered(const PeerFacts& peer, OwnClock own_clock) {
  const dataplane::Handshakes& handshakes = peer.handshakes;
  const unsigned count = handshakes.attempts - (handshakes.under_way ? 1 : 0);
  const std::string what = fmt::format("no answer to {} handshake{} with peer {}", count,
                                       count == 1 ? "" : "s", peer.name);
  if (own_clock == OwnClock::kBehind)
    return {Health::kFailing,
            {"clock", what + ", and our clock is behind: it is earlier than the profile. Who has "
                             "heard us before takes no handshake with an earlier time; set it"}};
  return {Health::kFailing,
          {"no-answer",
           fmt::format("{}: it does not run at its endpoint, UDP does not pass, it does not know "
                       "our public key, or our clock was set back{}",
                       what,
                       own_clock == OwnClock::kUnsynchronised ? " (it is not synchronised)" : "")}};
}

// The peer's word of a WireGuard tunnel is a handshake.
Judgement assess_handshakes(const PeerFacts& peer, OwnClock own_clock, Instant now) {
  const dataplane::Handshakes& handshakes = peer.handshakes;
  const PeerState state = state_of(handshakes, now);
  if (state == PeerState::kFresh) return {Health::kHealthy, {}};
  if (handshakes.attempts > 0 && handshakes.answer_refused > handshakes.last)
    return {Health::kFailing,
            {"wrong-key",
             fmt::format("peer {} answers, but with keys that do not fit: compare the public keys "
                         "and the preshared key on both sides",
                         peer.name)}};
  if (handshakes.clock_behind > handshakes.last &&
      (handshakes.attempts < 2 || now - handshakes.clock_behind < kTheirTurn))
    return {
        Health::kFailing,
        {"clock",
         fmt::format("the clock of peer {} is behind: its handshakes carry an earlier time than "
                     "one before, so they are refused as if they were replayed; set it",
                     peer.name)}};
  if (handshakes.attempts > 0 && is_refused(peer, handshakes.last, handshakes.tried))
    return refused(peer);
  if (handshakes.attempts > 1) return unanswered(peer, own_clock);
  switch (state) {
    case PeerState::kStale:
      return {Health::kUnknown,
              {"idle", fmt::format("no traffic with peer {}, the last handshake was {:.0f} s ago; "
                                   "the next packet begins another one",
                                   peer.name, seconds(now - handshakes.last))}};
    case PeerState::kNever:
      return {Health::kUnknown,
              {"no-handshake",
               fmt::format("no handshake with peer {} yet: no packet asked for one", peer.name)}};
    case PeerState::kConnecting:
    case PeerState::kFresh:
      break;
  }
  return {Health::kUnknown,
          {"connecting", fmt::format("a handshake with peer {} is under way", peer.name)}};
}

}  // namespace

std::string_view to_string(PeerState state) noexcept {
  switch (state) {
    case PeerState::kConnecting:
      return "connecting";
    case PeerState::kFresh:
      return "fresh";
    case PeerState::kStale:
      return "stale";
    case PeerState::kNever:
      break;
  }
  return "never";
}

bool has_session(const dataplane::Handshakes& handshakes, Instant now) noexcept {
  return handshakes.last != Instant{} && now - handshakes.last < kSessionTime;
}

PeerState state_of(const dataplane::Handshakes& handshakes, Instant now) noexcept {
  const bool fresh = has_session(handshakes, now);
  // One that is renewed in time is not worth a word.
  if (fresh && handshakes.attempts < 2) return PeerState::kFresh;
  if (handshakes.under_way) return PeerState::kConnecting;
  if (fresh) return PeerState::kFresh;
  return handshakes.last == Instant{} ? PeerState::kNever : PeerState::kStale;
}

Exchange advanced(const Exchange& before, const ExchangeCounts& now) {
  Exchange after = before;
  after.rx_packets = now.rx_packets;
  after.tx_packets = now.tx_packets;
  after.last_rx = now.last_rx;
  after.last_tx = now.last_tx;
  if (now.last_rx != before.last_rx) {
    after.unanswered_since = Instant{};
    after.unanswered = 0;
  } else if (now.tx_packets != before.tx_packets && now.last_tx > now.last_rx + kAnswerTime) {
    after.unanswered += now.tx_packets - before.tx_packets;
    if (before.unanswered_since == Instant{}) after.unanswered_since = now.last_tx;
  }
  return after;
}

Judgement assess_peer(const PeerFacts& peer, const Facts& tunnel, Instant now) {
  if (peer.name_state != NameState::kNotNeeded && !peer.endpoint) return unusable_name(peer);
  if (!peer.endpoint)
    return {Health::kUnknown,
            {"waiting", fmt::format("nothing came from peer {} yet; its endpoint is learned from "
                                    "its first packet",
                                    peer.name)}};
  if (peer.endpoint_through_tunnel)
    return {Health::kFailing,
            {"endpoint-through-tunnel",
             fmt::format("the route to peer {} leads into the tunnel itself; add a route to its "
                         "endpoint outside, or take it out of allowed-ips",
                         peer.name)}};
  if (peer.encrypted) return assess_handshakes(peer, tunnel.own_clock, now);
  const Exchange& exchange = peer.exchange;
  if (exchange.unanswered > 0 && is_refused(peer, exchange.last_rx, exchange.last_tx))
    return refused(peer);
  if (waits_in_vain(exchange, tunnel.frames, now))
    return {Health::kFailing,
            {"no-reply",
             fmt::format("packets go out, none come back ({:.0f} s): check that peer {} is running "
                         "at its endpoint and that UDP passes",
                         seconds(now - exchange.unanswered_since), peer.name)}};
  if (exchange.last_rx != Instant{}) return {Health::kHealthy, {}};
  return {Health::kUnknown,
          {"no-traffic", fmt::format("no packet came from peer {} yet", peer.name)}};
}

Assessment assess(const Facts& facts, Instant now) {
  Assessment assessment;
  std::vector<Ranked> found;
  assessment.peers.reserve(facts.peers.size());
  find_host_faults(facts, found);
  for (const PeerFacts& peer : facts.peers)
    assessment.peers.push_back(assess_peer(peer, facts, now));
  find_peers(assessment.peers, found);
  // No fault; said last.
  if (facts.changed_by_wg)
    found.push_back({Health::kUnknown,
                     {"changed-by-wg",
                      fmt::format("{} was changed through its control socket; `vpnctl reload {}` "
                                  "puts the profile back",
                                  facts.interface, facts.tunnel)}});
  assessment.health = combined(assessment.peers);
  for (const Ranked& ranked : found)
    if (ranked.health == Health::kDegraded && assessment.health != Health::kFailing)
      assessment.health = Health::kDegraded;
  if (facts.drift.interface_down) assessment.health = Health::kFailing;

  std::stable_sort(found.begin(), found.end(),
                   [](const Ranked& a, const Ranked& b) { return a.health > b.health; });
  for (Ranked& ranked : found) assessment.findings.push_back(std::move(ranked.reason));
  return assessment;
}

}  // namespace vpntun::session
