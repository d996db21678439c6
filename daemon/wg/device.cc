#include "wg/device.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "wg/device_state.h"

namespace vpntun::wg {

Device::State::State(Surroundings given)
    : surroundings(std::move(given)), indices(surroundings.random) {}

Device::Device(Surroundings surroundings)
    : state_(std::make_unique<State>(std::move(surroundings))) {}

Device::~Device() = default;

void Device::set_private_key(const crypto::SecretKey& private_key, Instant now) {
  State& state = *state_;
  if (state.identity && state.identity->private_key == private_key) return;
  state.identity = identity_of(private_key);
  state.macs.emplace(state.identity->public_key, state.surroundings.random);
  for (const auto& [key, id] : state.roster.by_key()) {
    Peer& peer = *state.roster.at(id);
    if (peer.keypairs.sendable(now)) state.tell(peer, EventKind::kExpired);
    const bool wished = peer.initiating();
    peer.keypairs.clear();
    peer.initiation.reset();
    peer.handshake_sent = kLongAgo;  // that was another key's
    peer.pair(state.identity, peer.pairing.preshared);
    const Duration interval = peer.timers.interval;
    peer.timers = {};
    peer.timers.keep_alive_every(interval, now);
    state.deadlines.set(id, peer.timers.next());
    if (wished) state.wish(peer, now);
  }
}

PeerId Device::add(const PeerSettings& settings, Instant now) {
  if (const PeerId known = find(settings.public_key); known != kNobody) {
    change(known, settings, now);
    return known;
  }
  Peer& peer = state_->roster.add(settings.public_key);
  change(peer.id, settings, now);
  return peer.id;
}

void Device::change(PeerId peer, const PeerSettings& settings, Instant now) noexcept {
  Peer* const changed = state_->roster.at(peer);
  if (!changed) return;
  const crypto::SecretKey preshared = settings.preshared_key.value_or(crypto::SecretKey{});
  if (!changed->paired || !(preshared == changed->pairing.preshared))
    changed->pair(state_->identity, settings.preshared_key);
  changed->timers.keep_alive_every(settings.persistent_keepalive, now);
  state_->note(*changed);
}

void Device::remove(PeerId peer) noexcept {
  State& state = *state_;
  state.roster.remove(peer);
  state.deadlines.set(peer, kNever);
  std::erase(state.told, peer);
  std::erase_if(state.answers, [peer](const Transmit& answer) { return answer.peer == peer; });
}

PeerId Device::find(const crypto::PublicKey& public_key) const noexcept {
  const Peer* const peer = state_->roster.find(public_key);
  return peer ? peer->id : kNobody;
}

std::size_t Device::size() const noexcept {
  return state_->roster.size();
}

std::optional<Sealing> Device::seal(PeerId peer, MutableBytes payload, std::size_t mtu,
                                    Instant now) noexcept {
  Peer* const to = state_->roster.at(peer);
  if (!to) return std::nullopt;
  Keypair* const keypair = to->keypairs.sendable(now);
  if (!keypair) {
    state_->wish(*to, now);
    return std::nullopt;
  }
  auto sealing = keypair->seal(payload, padded_size(payload.size(), mtu));
  if (payload.empty()) {
    to->timers.sent(now);
  } else {
    to->timers.data_sent(now);
  }
  if (keypair->wants_successor(now)) state_->wish(*to, now);
  state_->note(*to);
  return sealing;
}

Opening Device::begin_open(MutableBytes datagram, Instant now) const noexcept {
  if (type_of(datagram) != MessageType::kData) return {};
  const DataHeader header = read_data_header(datagram);
  const IndexTable::Entry* const entry = state_->indices.find(header.receiver);
  if (!entry || !entry->keypair || entry->keypair->refuses(header.counter, now)) return {};
  return {entry->keypair->ciphers, datagram};
}

Arrival Device::receive(MutableBytes datagram, const Path& path, Instant now,
                        const Opening& opening) noexcept {
  const auto type = type_of(datagram);
  if (!type) return refused(Refusal::kMalformed);
  switch (*type) {
    case MessageType::kData:
      return state_->receive_data(datagram, opening, now);
    case MessageType::kCookieReply:
      return state_->take_cookie(read_cookie_reply(datagram), now);
    case MessageType::kInitiation:
    case MessageType::kResponse:
      break;
  }
  return state_->receive_handshake(datagram, *type, path, now);
}

Arrival Device::State::receive_data(MutableBytes datagram, const Opening& opening,
                                    Instant now) noexcept {
  const IndexTable::Entry* const entry = indices.find(read_data_header(datagram).receiver);
  if (!entry || !entry->keypair) return refused(Refusal::kUnknownIndex);
  Keypair& keypair = *entry->keypair;
  Peer& peer = *roster.at(entry->peer);
  const auto [refusal, payload] = keypair.open(datagram, opening, now);
  if (refusal) return refused(*refusal, peer.id);

  if (peer.keypairs.confirm(&keypair)) handshake_done(peer, now);
  if (payload.empty()) {
    peer.timers.received(now);
  } else {
    peer.timers.data_received(now);
  }
  const Keypair* const current = peer.keypairs.current();
  if (current && !peer.asked_last_minute && current->wants_successor_soon(now)) {
    peer.asked_last_minute = true;
    wish(peer, now);
  }
  note(peer);
  return {.kind = payload.empty() ? Arrival::Kind::kKeepalive : Arrival::Kind::kData,
          .refusal = {},
          .peer = peer.id,
          .payload = payload};
}

void Device::wish_handshake(PeerId peer, Instant now) noexcept {
  if (Peer* const to = state_->roster.at(peer)) state_->wish(*to, now);
}

void Device::revive(PeerId peer, Instant now) noexcept {
  Peer* const to = state_->roster.at(peer);
  if (!to) return;
  const Keypair* const keypair = to->keypairs.sendable(now);
  if (!keypair || keypair->created + kRekeyAfterTime <= now) {
    to->timers.initiation = kNever;  // the attempts so far went another way
    return state_->wish(*to, now);
  }
  to->timers.keepalive = now;
  state_->note(*to);
}

void Device::not_sent(PeerId peer) noexcept {
  if (Peer* const to = state_->roster.at(peer)) to->handshake_sent = kLongAgo;
}

void Device::set_key_log(KeyLog log, Instant now) {
  state_->key_log = std::move(log);
  if (!state_->key_log) return;
  ++state_->key_logs;
  for (const auto& [key, id] : state_->roster.by_key())
    state_->renew_for_key_log(*state_->roster.at(id), now);
}

std::optional<Event> Device::poll_event() noexcept {
  State& state = *state_;
  if (state.told.empty()) return std::nullopt;
  Peer& peer = *state.roster.at(state.told.front());
  const int first = std::countr_zero(peer.events);
  peer.events = static_cast<std::uint8_t>(peer.events & (peer.events - 1));
  if (peer.events == 0) state.told.pop_front();
  return Event{.kind = static_cast<EventKind>(first), .peer = peer.id};
}

void Device::State::tell(Peer& peer, EventKind kind) noexcept {
  if (peer.events == 0) told.push_back(peer.id);
  peer.events = static_cast<std::uint8_t>(peer.events | (1U << static_cast<unsigned>(kind)));
}

std::optional<Transmit> Device::poll_transmit(Instant now) noexcept {
  State& state = *state_;
  if (!state.answers.empty()) {
    const Transmit answer = state.answers.front();
    state.answers.pop_front();
    return answer;
  }
  for (;;) {
    const DeadlineQueue::Entry* const first = state.deadlines.first();
    if (!first || first->when > now) return std::nullopt;
    Peer& peer = *state.roster.at(first->peer);
    auto transmit = state.take_due(peer, now);
    state.deadlines.set(peer.id, peer.timers.next());
    if (transmit) return transmit;
  }
}

std::optional<Transmit> Device::State::take_due(Peer& peer, Instant now) noexcept {
  Timers& timers = peer.timers;
  if (timers.expiry <= now) {
    timers.expiry = kNever;
    if (!peer.keypairs.sendable(now)) tell(peer, EventKind::kExpired);
  }
  if (timers.zeroing <= now) {
    timers.zeroing = kNever;
    peer.keypairs.clear();
  }
  if (timers.silence <= now) {
    timers.silence = kNever;
    wish(peer, now);
  }
  if (std::min(timers.keepalive, timers.persistent) <= now) {
    timers.keepalive = kNever;
    if (timers.persistent <= now) timers.persistent = now + timers.interval;
    if (auto keepalive = keepalive_to(peer, now)) return keepalive;
  }
  if (timers.initiation <= now) return next_attempt(peer, now);
  return std::nullopt;
}

// Without a session it becomes a handshake.
std::optional<Transmit> Device::State::keepalive_to(Peer& peer, Instant now) noexcept {
  Keypair* const keypair = peer.keypairs.sendable(now);
  if (!keypair) {
    wish(peer, now);
    return std::nullopt;
  }
  Transmit transmit;
  transmit.peer = peer.id;
  const MutableBytes nothing(transmit.bytes.data() + kDataHeaderSize, 0);
  Sealing sealing = keypair->seal(nothing, 0);
  sealing.finish();
  transmit.size = sealing.datagram().size();
  peer.timers.sent(now);
  if (keypair->wants_successor(now)) wish(peer, now);
  return transmit;
}

Instant Device::next_deadline() const noexcept {
  if (!state_->answers.empty() || !state_->told.empty()) return Instant{};
  const DeadlineQueue::Entry* const first = state_->deadlines.first();
  return first ? first->when : kNever;
}

PeerStatus Device::status(PeerId peer, Instant now) const noexcept {
  const Peer* const known = state_->roster.at(peer);
  if (!known) return {};
  const Keypair* const keypair = known->keypairs.sendable(now);
  return {.possible = known->paired,
          .last_handshake = known->last_handshake,
          .handshaking = known->initiating() && known->initiating_since != kNever,
          .attempts = known->attempts,
          .has_session = keypair != nullptr,
          .session_expires = keypair ? keypair->created + kRejectAfterTime : Instant{}};
}

bool Device::under_load(Instant now) const noexcept {
  return state_->load.under_load(now);
}

}  // namespace vpntun::wg
