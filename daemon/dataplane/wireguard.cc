#include "dataplane/wireguard.h"

#include <algorithm>

#include "dataplane/own_datagram.h"
#include "packet/ecn.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"

namespace vpntun::dataplane {
namespace {

// AF41, as the kernel marks handshakes.
constexpr std::uint8_t kHandshakeTrafficClass = 0x88;

DropReason reason_of(wg::Refusal refusal) noexcept {
  switch (refusal) {
    case wg::Refusal::kMalformed:
      return DropReason::kMalformed;
    case wg::Refusal::kWrongMac1:
      return DropReason::kNotForUs;
    case wg::Refusal::kCookieRequired:
      return DropReason::kCookieRequired;
    case wg::Refusal::kRateLimited:
    case wg::Refusal::kTooManyInitiations:
      return DropReason::kTooManyHandshakes;
    case wg::Refusal::kUnknownPeer:
      return DropReason::kUnknownKey;
    case wg::Refusal::kNotAuthentic:
      return DropReason::kNotAuthentic;
    case wg::Refusal::kReplayed:
      return DropReason::kReplayed;
    case wg::Refusal::kUnknownIndex:
      return DropReason::kUnknownSession;
    case wg::Refusal::kExpired:
      return DropReason::kExpiredSession;
  }
  return DropReason::kMalformed;
}

}  // namespace

PeerIndex Wireguard::index_of(wg::PeerId id) const noexcept {
  return id < index_of_.size() ? index_of_[id] : kNoPeer;
}

void Wireguard::set_private_key(const crypto::SecretKey& key) {
  device_.set_private_key(key, tables_.now);
}

void Wireguard::set_peers(std::span<const wg::PeerSettings> keys) {
  std::vector<PeerIndex> former(keys.size() + index_of_.size(), kNoPeer);
  std::swap(former, index_of_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Peer& peer = tables_.peers[static_cast<PeerIndex>(i)];
    peer.id = device_.add(keys[i], tables_.now);
    if (peer.id >= index_of_.size()) index_of_.resize(peer.id + 1, kNoPeer);
    index_of_[peer.id] = static_cast<PeerIndex>(i);
  }
  for (std::size_t id = 0; id < former.size(); ++id) {
    if (former[id] == kNoPeer || index_of_[id] != kNoPeer) continue;
    device_.remove(static_cast<wg::PeerId>(id));
    drop_staged(static_cast<wg::PeerId>(id), std::nullopt);
  }
  released_.reserve(keys.size());
}

void Wireguard::revive(PeerIndex peer) noexcept {
  if (tables_.peers[peer].endpoint) device_.revive(tables_.peers[peer].id, tables_.now);
}

void Wireguard::moved(PeerIndex peer, bool had_endpoint) noexcept {
  if (had_endpoint && device_.status(tables_.peers[peer].id, tables_.now).handshaking) return;
  revive(peer);
}

void Wireguard::log_keys(bool wanted) {
  wg::KeyLog log;
  if (wanted)
    log = [this](const wg::HandshakeSecrets& secrets) { tables_.captures.secrets(secrets); };
  device_.set_key_log(std::move(log), tables_.now);
}

Outcome Wireguard::seal(packet::Packet& packet, Sealings& sealings) noexcept {
  const Peer& peer = tables_.peers[packet.peer];
  if (!peer.endpoint) return Outcome::dropped(DropReason::kNoEndpoint);
  packet.remote = *peer.endpoint;
  packet.local = peer.local;
  if (!tables_.frames && is_own_datagram(packet.bytes, packet.remote))
    return Outcome::dropped(DropReason::kLoop);
  const std::size_t limit =
      tables_.frames && tables_.mtu != 0 ? tables_.mtu + packet::kTaggedHeader : tables_.mtu;
  packet.traffic_class = tables_.frames ? 0 : packet::ecn_of(packet.bytes);
  std::optional<wg::Sealing> sealing;
  // What waits goes first, also when another worker has the session ready and did not send it yet.
  const bool others_first =
      staging_.has(peer.id) && device_.status(peer.id, tables_.now).has_session;
  if (!others_first) sealing = device_.seal(peer.id, packet.bytes, limit, tables_.now);
  if (!sealing) {
    if (!device_.status(peer.id, tables_.now).possible)
      return Outcome::dropped(DropReason::kNoSession);
    for (std::size_t gone = staging_.hold(peer.id, packet.bytes); gone > 0; --gone)
      tables_.drops.count(DropReason::kNoSession, packet.bytes, packet::Direction::kOut,
                          &packet.remote, tables_.now);
    return Outcome::taken();
  }
  packet.bytes = sealing->datagram();
  sealings.push_back(*std::move(sealing));
  return Outcome::passed();
}

Outcome Wireguard::open(packet::Packet& datagram, const wg::Opening& opening) noexcept {
  const std::size_t size = datagram.bytes.size();
  const wg::Arrival arrival =
      device_.receive(datagram.bytes, {datagram.remote, datagram.local}, tables_.now, opening);
  datagram.peer = index_of(arrival.peer);
  if (arrival.kind == wg::Arrival::Kind::kRefused)
    return Outcome::dropped(reason_of(arrival.refusal));
  if (datagram.peer == kNoPeer) return Outcome::taken();
  if (arrival.moves_peer()) {
    tables_.move_peer(datagram.peer, datagram);
    tables_.peers[datagram.peer].last_heard = tables_.now;
  }
  tables_.count_rx(datagram.peer, size, arrival.kind == wg::Arrival::Kind::kData);
  if (arrival.kind != wg::Arrival::Kind::kData) return Outcome::taken();
  return accept(datagram, arrival.payload);
}

// What was inside: may this peer send it?
Outcome Wireguard::accept(packet::Packet& datagram, std::span<std::uint8_t> payload) noexcept {
  datagram.bytes = payload;
  if (tables_.frames) {
    const auto frame = packet::EthernetView::parse(payload);
    if (!frame || frame->source().is_multicast()) return Outcome::dropped(DropReason::kMalformed);
    if (tables_.macs.find(frame->source(), tables_.now) == kInside)
      return Outcome::dropped(DropReason::kLoop);
    tables_.macs.learn(frame->source(), datagram.peer, tables_.now);
    // Of an IP packet the padding ends here: with it, it could not be merged with others.
    if (const auto ip = packet::ip_of_frame(payload); !ip.empty())
      datagram.bytes = payload.first(frame->header_length() + ip.size());
    return Outcome::passed();
  }
  datagram.bytes = payload.first(packet::IpView::length_without_padding(payload));
  const auto ip = packet::IpView::parse(datagram.bytes);
  if (!ip) return Outcome::dropped(DropReason::kMalformed);
  if (tables_.peers.allowed_ips().lookup(ip->source().bytes()) != datagram.peer)
    return Outcome::dropped(DropReason::kSourceNotAllowed);
  packet::carry_congestion(datagram.traffic_class, datagram.bytes);
  return Outcome::passed();
}

void Wireguard::poll(packet::Batch& datagrams) noexcept {
  while (!datagrams.full()) {
    const auto transmit = device_.poll_transmit(tables_.now);
    take_events();
    if (!transmit) break;
    const PeerIndex index = transmit->answer ? kNoPeer : index_of(transmit->peer);
    if (!transmit->answer && (index == kNoPeer || !tables_.peers[index].endpoint)) {
      device_.not_sent(transmit->peer);
      continue;
    }
    packet::Packet& datagram = datagrams.append_copy(transmit->datagram());
    datagram.peer = index;
    if (transmit->answer) {
      datagram.remote = transmit->answer->remote;
      datagram.local = transmit->answer->local;
    } else {
      datagram.remote = *tables_.peers[index].endpoint;
      datagram.local = tables_.peers[index].local;
    }
    const auto type = wg::type_of(datagram.bytes);
    if (type != wg::MessageType::kData) datagram.traffic_class = kHandshakeTrafficClass;
    if (type == wg::MessageType::kInitiation) note(index, &Handshakes::tried);
  }
}

void Wireguard::take_events() noexcept {
  while (const auto event = device_.poll_event()) {
    const PeerIndex peer = index_of(event->peer);
    if (peer == kNoPeer) continue;
    if (event->kind == wg::EventKind::kKeypairReady) released_.push_back(event->peer);
    // It may be from our own address, which leads nowhere any more, that it goes unanswered.
    if (event->kind == wg::EventKind::kHandshakeUnanswered) tables_.peers[peer].local = {};
    if (event->kind == wg::EventKind::kHandshakeGivenUp)
      drop_staged(event->peer, tables_.peers[peer].endpoint);
    note(peer, event->kind == wg::EventKind::kAnswerRefused     ? &Handshakes::answer_refused
               : event->kind == wg::EventKind::kPeerClockBehind ? &Handshakes::clock_behind
                                                                : nullptr);
  }
}

void Wireguard::note(PeerIndex index, Instant Handshakes::*date) noexcept {
  const Peer& peer = tables_.peers[index];
  const wg::PeerStatus status = device_.status(peer.id, tables_.now);
  Handshakes handshakes = peer.record->handshakes();
  handshakes.last = status.last_handshake;
  handshakes.attempts = status.attempts;
  handshakes.under_way = status.handshaking;
  if (date != nullptr) handshakes.*date = tables_.now;
  peer.record->set_handshakes(handshakes);
  tables_.announce(index);
}

void Wireguard::drop_staged(wg::PeerId id, const std::optional<Endpoint>& endpoint) noexcept {
  for (const auto& packet : staging_.take(id))
    tables_.drops.count(DropReason::kNoSession, packet, packet::Direction::kOut,
                        endpoint ? &*endpoint : nullptr, tables_.now);
}

PeerIndex Wireguard::next_released() noexcept {
  while (!released_.empty()) {
    const PeerIndex peer = index_of(released_.back());
    released_.pop_back();
    if (peer != kNoPeer) return peer;
  }
  return kNoPeer;
}

}  // namespace vpntun::dataplane
