#include "session/peers.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "session/health.h"

namespace vpntun::session {

namespace {

// A handshake is repeated 5 s after it was begun; the session is looked at every second.
constexpr Duration kTurnTime = std::chrono::milliseconds(3500);

ExchangeCounts counts_of(const dataplane::Traffic& traffic) {
  return {traffic.rx_packets, traffic.tx_packets, traffic.last_rx, traffic.last_tx};
}

}  // namespace

Peers::Peers(const config::Profile& profile, service::Loop& loop, NameRules rules,
             Resolver::Lookup lookup, Resolved resolved)
    : rules_(rules),
      resolved_(std::move(resolved)),
      resolver_(
          loop,
          [this](std::size_t question, const NameAnswer& answer) { take_answer(question, answer); },
          std::move(lookup)) {
  replace(profile, rules);
}

void Peers::replace(const config::Profile& profile, NameRules rules) {
  std::unordered_map<std::string_view, Entry*> former;
  for (Entry& old : entries_) former.emplace(old.settings.name, &old);
  std::vector<Entry> entries;
  entries.reserve(profile.peers.size());
  for (const config::Peer& settings : profile.peers) {
    Entry& entry = entries.emplace_back();
    entry.settings = settings;
    const auto known = former.find(settings.name);
    if (known != former.end()) {
      entry.exchange = known->second->exchange;
      entry.attempts = known->second->attempts;
      entry.attempted = known->second->attempted;
      entry.turned = known->second->turned;
    }
    if (known != former.end() && rules == rules_ &&
        known->second->settings.endpoints == settings.endpoints) {
      entry.endpoints = known->second->endpoints;
      entry.question = known->second->question;
    } else {
      entry.endpoints = EndpointList(settings.endpoints, rules);
      entry.question = std::exchange(next_question_, next_question_ + settings.endpoints.size());
    }
  }
  encrypted_ = profile.encryption == config::Encryption::kWireguard;
  rules_ = rules;
  entries_ = std::move(entries);
}

std::vector<dataplane::PeerConfig> Peers::configs() const {
  std::vector<dataplane::PeerConfig> configs;
  configs.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    dataplane::PeerConfig& config = configs.emplace_back();
    config.name = entry.settings.name;
    config.allowed_ips = entry.settings.allowed_ips;
    config.learns = encrypted_ || entry.endpoints.empty();
    config.endpoint = entry.endpoints.endpoint();
    config.keys.public_key = entry.settings.public_key;
    config.keys.preshared_key = entry.settings.preshared_key;
    config.keys.persistent_keepalive = std::chrono::seconds(entry.settings.persistent_keepalive);
  }
  return configs;
}

bool Peers::advance(const dataplane::Snapshot& snapshot, Instant now) {
  bool active = false;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    const dataplane::Snapshot::PeerState& state = snapshot.peers[i];
    const Exchange before =
        std::exchange(entry.exchange, advanced(entry.exchange, counts_of(state.traffic)));
    active = active || entry.exchange.rx_packets != before.rx_packets ||
             entry.exchange.tx_packets != before.tx_packets;
    if (entry.endpoints.empty()) continue;
    const bool unanswered = is_unanswered(entry, state.handshakes, now);
    if (encrypted_ && unanswered && entry.endpoints.turn()) {
      entry.turned = true;
      resolved_(i, entry.endpoints.endpoint());
    }
    const bool silent = encrypted_
                            ? entry.attempts > 1
                            : entry.exchange.unanswered_since != Instant{} &&
                                  now - entry.exchange.unanswered_since >= PeerName::kSilence;
    ask_names(entry, silent, now);
    active = active || !entry.endpoints.endpoint() || state.handshakes.under_way;
  }
  return active;
}

void Peers::network_changed() noexcept {
  for (Entry& entry : entries_)
    for (EndpointList::Candidate& candidate : entry.endpoints.candidates())
      if (candidate.name) candidate.name->network_changed();
}

bool Peers::is_unanswered(Entry& entry, const dataplane::Handshakes& handshakes, Instant now) {
  if (entry.attempts != handshakes.attempts) {
    entry.attempts = handshakes.attempts;
    entry.attempted = now;
    entry.turned = false;
  }
  // One lost message does not take a session away from where it works.
  const unsigned patience = has_session(handshakes, now) ? 1 : 0;
  return handshakes.under_way && entry.attempts > patience && !entry.turned &&
         now - entry.attempted >= kTurnTime;
}

void Peers::ask_names(Entry& entry, bool silent, Instant now) {
  std::size_t question = entry.question;
  for (EndpointList::Candidate& candidate : entry.endpoints.candidates()) {
    if (candidate.name && candidate.name->due(silent, now)) {
      candidate.name->asked(now);
      resolver_.ask(question, candidate.name->host(), candidate.name->port());
    }
    ++question;
  }
}

std::vector<PeerFacts> Peers::facts(const dataplane::Snapshot& snapshot) const {
  std::vector<PeerFacts> facts;
  facts.reserve(entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    PeerFacts& peer = facts.emplace_back();
    peer.name = entry.settings.name;
    peer.endpoint = snapshot.peers[i].endpoint;
    peer.exchange = advanced(entry.exchange, counts_of(snapshot.peers[i].traffic));
    peer.encrypted = encrypted_;
    peer.handshakes = snapshot.peers[i].handshakes;
    peer.refused = snapshot.peers[i].refused;
    if (const PeerName* const name = entry.endpoints.name()) {
      if (!encrypted_) peer.endpoint = name->endpoint();
      peer.name_state = name->state();
      peer.name_failure = name->failure();
    }
  }
  return facts;
}

EndpointSource Peers::source_of(std::size_t peer, const std::optional<Endpoint>& endpoint) const {
  const EndpointList& listed = entries_[peer].endpoints;
  if (!endpoint) return EndpointSource::kNone;
  if (listed.empty() || (encrypted_ && endpoint != listed.endpoint()))
    return EndpointSource::kLearned;
  return listed.name() != nullptr ? EndpointSource::kResolved : EndpointSource::kConfigured;
}

void Peers::take_answer(std::size_t question, const NameAnswer& answer) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::vector<EndpointList::Candidate>& candidates = entries_[i].endpoints.candidates();
    const std::size_t at = question - entries_[i].question;  // wraps round for another's
    if (at < candidates.size() && candidates[at].name)
      return follow_name(i, candidates[at], answer);
  }
  // The peer is gone, or its endpoint another one.
}

void Peers::follow_name(std::size_t peer, EndpointList::Candidate& candidate,
                        const NameAnswer& answer) {
  Entry& entry = entries_[peer];
  PeerName& name = *candidate.name;
  const std::optional<Endpoint> endpoint = entry.endpoints.endpoint();
  const NameState before = name.state();
  const bool moved = name.answered(answer);
  if (moved && name.endpoint())
    log::event(log::Event::kNameResolved,
               {.peer = entry.settings.name, .endpoint = name.endpoint()->to_string()},
               "peer {}: {} is {}", entry.settings.name, name.host(), name.endpoint()->to_string());
  else if (name.state() != before)
    log::event(
        log::Event::kNameFailed,
        {.peer = entry.settings.name,
         .reason = name.state() == NameState::kPublicPlaintext ? "public-plaintext" : "unresolved"},
        "peer {}: {} cannot be used: {}", entry.settings.name, name.host(), name.failure());
  if (entry.endpoints.settle(endpoint) || name.state() != before)
    resolved_(peer, entry.endpoints.endpoint());
}

}  // namespace vpntun::session
