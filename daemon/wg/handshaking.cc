#include <algorithm>
#include <utility>

#include "base/wire.h"
#include "wg/device_state.h"

namespace vpntun::wg {
namespace {

template <std::size_t Size>
Transmit transmit_to(const Peer& peer, const std::array<std::uint8_t, Size>& message) noexcept {
  Transmit transmit;
  transmit.peer = peer.id;
  transmit.size = Size;
  std::copy(message.begin(), message.end(), transmit.bytes.begin());
  return transmit;
}

std::unique_ptr<Keypair> keypair_of(const TransportKeys& keys, IndexTable::Lease index,
                                    std::uint32_t remote_index, bool initiator, Instant now) {
  auto keypair = std::make_unique<Keypair>(keys);
  keypair->index = std::move(index);
  keypair->index.mean(keypair.get());
  keypair->remote_index = remote_index;
  keypair->initiator = initiator;
  keypair->created = now;
  return keypair;
}

Arrival taken(const Peer& peer, Arrival::Kind kind) noexcept {
  return {.kind = kind, .refusal = {}, .peer = peer.id, .payload = {}};
}

}  // namespace

Arrival Device::State::receive_handshake(Bytes datagram, MessageType type, const Path& path,
                                         Instant now) noexcept {
  if (const auto refusal = guard(datagram, type, path, now)) return refused(*refusal);
  return type == MessageType::kInitiation ? take_initiation(read_initiation(datagram), now)
                                          : take_response(read_response(datagram), now);
}

// From the cheapest to the dearest; nothing is allocated before mac1 holds. What we asked for
// ourselves is no load: with many peers the answers would be refused that all come at once.
std::optional<Refusal> Device::State::guard(Bytes datagram, MessageType type, const Path& path,
                                            Instant now) noexcept {
  if (!macs || !macs->mac1_holds(datagram)) return Refusal::kWrongMac1;
  if (type == MessageType::kResponse && is_first_answer(read_response(datagram)))
    return std::nullopt;
  load.count(now);
  if (answers.size() >= kMaxAnswers) return Refusal::kRateLimited;
  if (!load.under_load(now)) return std::nullopt;
  if (!macs->mac2_holds(datagram, path.remote, now)) {
    Transmit cookie;
    cookie.answer = path;
    cookie.size = kCookieReplySize;
    const auto reply = write(macs->reply(datagram, path.remote, now));
    std::copy(reply.begin(), reply.end(), cookie.bytes.begin());
    answers.push_back(cookie);
    return Refusal::kCookieRequired;
  }
  if (!limiter.allow(path.remote.address, now)) return Refusal::kRateLimited;
  return std::nullopt;
}

bool Device::State::is_first_answer(const Response& message) noexcept {
  const IndexTable::Entry* const entry = indices.find(message.receiver);
  return entry && !entry->keypair &&
         !std::exchange(roster.at(entry->peer)->initiation->answered, true);
}

Arrival Device::State::take_initiation(const Initiation& message, Instant now) noexcept {
  const auto claim = read_claim(*identity, message);
  if (!claim) return refused(Refusal::kNotAuthentic);
  Peer* const peer = roster.find(claim->remote);
  if (!peer || !peer->paired) return refused(Refusal::kUnknownPeer);
  const auto received = read_initiation(*claim, peer->pairing, message);
  if (!received) return refused(Refusal::kNotAuthentic, peer->id);
  if (received->timestamp <= peer->greatest_received) {
    if (peer->note_behind(received->timestamp)) tell(*peer, EventKind::kPeerClockBehind);
    return refused(Refusal::kReplayed, peer->id);
  }
  if (now < peer->initiation_taken + kInitiationSpacing)
    return refused(Refusal::kTooManyInitiations, peer->id);
  if (!respond_to(*peer, message, received->state, now))
    return refused(Refusal::kNotAuthentic, peer->id);
  peer->greatest_received = received->timestamp;
  peer->greatest_behind = {};
  peer->initiation_taken = now;
  peer->timers.received(now);
  note(*peer);
  return taken(*peer, Arrival::Kind::kHandshake);
}

// An initiation of our own that is under way stays: when both sides begin at once, each of the two
// handshakes may be the one that gets through.
bool Device::State::respond_to(Peer& peer, const Initiation& message, const HandshakeState& state,
                               Instant now) noexcept {
  IndexTable::Lease index = indices.take(peer.id);
  const crypto::SecretKey ephemeral = draw_key();
  const auto responded = respond(state, peer.pairing, ephemeral, index.index());
  if (!responded) return false;
  auto response = write(responded->message);
  peer.cookies.seal(response, now);
  answers.push_back(transmit_to(peer, response));
  auto keypair = keypair_of(responded->keys, std::move(index), message.sender, false, now);
  keypair->key_log = tell_key_log(peer, ephemeral);
  peer.keypairs.add_theirs(std::move(keypair));
  peer.handshake_sent = now;
  peer.timers.jitter = draw_jitter();
  peer.timers.session_derived(now);
  peer.timers.sent(now);
  return true;
}

// A response is good until the initiation is due to be repeated, or was given up, or another
// handshake was done. One that was held back longer would make a session here that is too old at
// the other end, and what is sent with it would be lost.
Arrival Device::State::take_response(const Response& message, Instant now) noexcept {
  const IndexTable::Entry* const entry = indices.find(message.receiver);
  if (!entry) return refused(Refusal::kUnknownIndex);
  if (entry->keypair) return refused(Refusal::kReplayed, entry->peer);
  Peer& peer = *roster.at(entry->peer);
  if (peer.timers.initiation <= now) return refused(Refusal::kExpired, peer.id);
  const auto keys = finish(peer.initiation->state, *identity, peer.pairing, message);
  if (!keys) {
    tell(peer, EventKind::kAnswerRefused);
    return refused(Refusal::kNotAuthentic, peer.id);
  }
  auto keypair = keypair_of(*keys, std::move(peer.initiation->index), message.sender, true, now);
  keypair->key_log = peer.initiation->key_log;
  peer.keypairs.add_ours(std::move(keypair));
  peer.timers.session_derived(now);
  peer.timers.received(now);
  peer.timers.keepalive = now;  // confirms the session, unless data is sent first
  handshake_done(peer, now);
  return taken(peer, Arrival::Kind::kHandshake);
}

// Its sender is busy: the message is repeated when it would be anyway, now with the cookie.
Arrival Device::State::take_cookie(const CookieReply& message, Instant now) noexcept {
  const IndexTable::Entry* const entry = indices.find(message.receiver);
  if (!entry) return refused(Refusal::kUnknownIndex);
  Peer& peer = *roster.at(entry->peer);
  if (!peer.cookies.take(message, now)) return refused(Refusal::kNotAuthentic, peer.id);
  return taken(peer, Arrival::Kind::kCookie);
}

void Device::State::wish(Peer& peer, Instant now) noexcept {
  if (!peer.paired || peer.initiating()) return;
  peer.initiating_since = kNever;
  peer.timers.initiation = now;
  note(peer);
}

std::optional<Transmit> Device::State::next_attempt(Peer& peer, Instant now) noexcept {
  const bool begun = peer.initiating_since != kNever;
  if (begun && peer.initiating_since + kRekeyAttemptTime <= now) {
    peer.timers.initiation = kNever;
    peer.timers.keepalive = kNever;
    peer.initiation.reset();
    tell(peer, EventKind::kHandshakeGivenUp);
    return std::nullopt;
  }
  if (now < peer.handshake_sent + kRekeyTimeout) {
    peer.timers.initiation = peer.handshake_sent + kRekeyTimeout;
    return std::nullopt;
  }
  if (begun) {
    tell(peer, EventKind::kHandshakeUnanswered);
  } else {
    peer.initiating_since = now;
  }
  return initiation_to(peer, now);
}

std::optional<Transmit> Device::State::initiation_to(Peer& peer, Instant now) noexcept {
  peer.handshake_sent = now;
  peer.timers.jitter = draw_jitter();
  peer.timers.initiation =
      std::min(now + kRekeyTimeout + peer.timers.jitter, peer.initiating_since + kRekeyAttemptTime);
  ++peer.attempts;

  IndexTable::Lease index = indices.take(peer.id);
  const Timestamp timestamp = peer.next_timestamp(surroundings.wall_clock());
  const crypto::SecretKey ephemeral = draw_key();
  const auto made = initiate(*identity, peer.pairing, ephemeral, index.index(), timestamp);
  if (!made) return std::nullopt;
  peer.initiation = std::make_unique<Initiating>(Initiating{
      .state = made->state, .index = std::move(index), .key_log = tell_key_log(peer, ephemeral)});
  auto message = write(made->message);
  peer.cookies.seal(message, now);
  peer.timers.sent(now);
  return transmit_to(peer, message);
}

void Device::State::handshake_done(Peer& peer, Instant now) noexcept {
  peer.initiation.reset();
  peer.timers.initiation = kNever;
  peer.timers.expiry = peer.keypairs.current()->created + kRejectAfterTime;
  peer.attempts = 0;
  peer.asked_last_minute = false;
  peer.last_handshake = now;
  tell(peer, EventKind::kKeypairReady);
  renew_for_key_log(peer, now);
  note(peer);
}

std::uint32_t Device::State::tell_key_log(const Peer& peer,
                                          const crypto::SecretKey& ephemeral) const noexcept {
  if (!key_log) return 0;
  key_log({.local_static = identity->private_key,
           .remote_static = peer.pairing.remote,
           .local_ephemeral = ephemeral,
           .preshared = peer.pairing.preshared});
  return key_logs;
}

void Device::State::renew_for_key_log(Peer& peer, Instant now) noexcept {
  if (!key_log) return;
  const Keypair* const keypair = peer.keypairs.sendable(now);
  if (keypair && keypair->key_log != key_logs) wish(peer, now);
}

crypto::SecretKey Device::State::draw_key() noexcept {
  std::array<std::uint8_t, crypto::kKeySize> bytes{};
  surroundings.random(bytes);
  const crypto::SecretKey key(bytes);
  crypto::wipe(bytes);
  return key;
}

Duration Device::State::draw_jitter() noexcept {
  std::array<std::uint8_t, sizeof(std::uint32_t)> bytes{};
  surroundings.random(bytes);
  return Duration(load_le<std::uint32_t>(bytes.data()) % (kRekeyJitter.count() + 1));
}

}  // namespace vpntun::wg
