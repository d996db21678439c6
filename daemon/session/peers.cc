#include "session/peers.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace vpntun::session {

namespace {

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
  std::vector<Entry> entries;
  for (const config::Peer& settings : profile.peers) {
    Entry& entry = entries.emplace_back();
    const auto known = std::ranges::find(entries_, settings.name,
                                         [](const Entry& old) { return old.settings.name; });
    if (known != entries_.end()) entry.exchange = known->exchange;
    entry.settings = settings;
    if (settings.endpoints.empty() || settings.endpoints[0].address) continue;
    if (known != entries_.end() && known->name && rules == rules_ &&
        known->settings.endpoints == settings.endpoints) {
      entry.name = known->name;
      entry.question = known->question;
    } else {
      entry.name.emplace(settings.endpoints[0].host, settings.endpoints[0].port, rules);
      entry.question = next_question_++;
    }
  }
  rules_ = rules;
  entries_ = std::move(entries);
}

std::vector<dataplane::PeerConfig> Peers::configs() const {
  std::vector<dataplane::PeerConfig> configs;
  for (const Entry& entry : entries_) {
    dataplane::PeerConfig& config = configs.emplace_back();
    config.name = entry.settings.name;
    config.allowed_ips = entry.settings.allowed_ips;
    config.learns = entry.settings.endpoints.empty();
    if (!config.learns && entry.settings.endpoints[0].address)
      config.endpoint =
          Endpoint{*entry.settings.endpoints[0].address, entry.settings.endpoints[0].port};
    if (entry.name) config.endpoint = entry.name->endpoint();
  }
  return configs;
}

bool Peers::advance(const dataplane::Snapshot& snapshot, Instant now) {
  bool active = false;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    const Exchange before = std::exchange(
        entry.exchange, advanced(entry.exchange, counts_of(snapshot.peers[i].traffic)));
    active = active || entry.exchange.rx_packets != before.rx_packets ||
             entry.exchange.tx_packets != before.tx_packets;
    if (!entry.name) continue;
    if (entry.name->due(entry.exchange, now)) {
      entry.name->asked(now);
      resolver_.ask(entry.question, entry.name->host(), entry.name->port());
    }
    active = active || !entry.name->endpoint();
  }
  return active;
}

std::vector<PeerFacts> Peers::facts(const dataplane::Snapshot& snapshot) const {
  std::vector<PeerFacts> facts;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    PeerFacts& peer = facts.emplace_back();
    peer.name = entry.settings.name;
    peer.endpoint = snapshot.peers[i].endpoint;
    peer.exchange = advanced(entry.exchange, counts_of(snapshot.peers[i].traffic));
    if (!entry.name) continue;
    peer.endpoint = entry.name->endpoint();
    peer.name_state = entry.name->state();
    peer.name_failure = entry.name->failure();
  }
  return facts;
}

EndpointSource Peers::source_of(std::size_t peer, bool has_endpoint) const {
  const Entry& entry = entries_[peer];
  if (!has_endpoint) return EndpointSource::kNone;
  if (entry.settings.endpoints.empty()) return EndpointSource::kLearned;
  return entry.name ? EndpointSource::kResolved : EndpointSource::kConfigured;
}

void Peers::take_answer(std::size_t question, const NameAnswer& answer) {
  const auto entry = std::ranges::find_if(
      entries_, [&](const Entry& each) { return each.name && each.question == question; });
  if (entry == entries_.end()) return;  // the peer is gone, or its endpoint another one
  const auto peer = static_cast<std::size_t>(entry - entries_.begin());
  PeerName& name = *entry->name;
  const NameState before = name.state();
  const bool moved = name.answered(answer);
  if (moved && name.endpoint())
    log::event(log::Event::kNameResolved,
               {.peer = entry->settings.name, .endpoint = name.endpoint()->to_string()},
               "peer {}: {} is {}", entry->settings.name, name.host(),
               name.endpoint()->to_string());
  else if (name.state() != before)
    log::event(
        log::Event::kNameFailed,
        {.peer = entry->settings.name,
         .reason = name.state() == NameState::kPublicPlaintext ? "public-plaintext" : "unresolved"},
        "peer {}: {} cannot be used: {}", entry->settings.name, name.host(), name.failure());
  if (moved || name.state() != before) resolved_(peer, name.endpoint());
}

}  // namespace vpntun::session
