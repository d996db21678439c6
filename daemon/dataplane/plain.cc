#include "dataplane/plain.h"

#include "dataplane/own_datagram.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"

namespace vpntun::dataplane {

Outcome Plain::seal(packet::Packet& packet, Sealings&) noexcept {
  const Peer& peer = tables_.peers[packet.peer];
  if (!peer.endpoint) return Outcome::dropped(DropReason::kNoEndpoint);
  packet.remote = *peer.endpoint;
  packet.local = peer.local;
  if (!tables_.allow_public_plaintext && packet.remote.address.is_public())
    return Outcome::dropped(DropReason::kPublicPlaintext);
  if (!tables_.frames && is_own_datagram(packet.bytes, packet.remote))
    return Outcome::dropped(DropReason::kLoop);
  return Outcome::passed();
}

Outcome Plain::open(packet::Packet& datagram, const wg::Opening&) noexcept {
  return tables_.frames ? open_frame(datagram) : open_packet(datagram);
}

Outcome Plain::open_packet(packet::Packet& datagram) noexcept {
  const auto ip = packet::IpView::parse(datagram.bytes);
  if (!ip) return Outcome::dropped(DropReason::kMalformed);
  const PeerIndex index = tables_.peers.allowed_ips().lookup(ip->source().bytes());
  if (index == kNoPeer)
    return Outcome::dropped(tables_.peers.find(datagram.remote) == kNoPeer
                                ? DropReason::kUnknownSender
                                : DropReason::kSourceNotAllowed);
  const Peer& peer = tables_.peers[index];
  if (peer.endpoint != datagram.remote) {
    if (!peer.learns) return Outcome::dropped(DropReason::kEndpointMismatch);
    const PeerIndex owner = tables_.peers.find(datagram.remote);
    if (owner != kNoPeer && !tables_.peers[owner].learns)
      return Outcome::dropped(DropReason::kSourceNotAllowed);
  }
  return hear(index, datagram);
}

Outcome Plain::open_frame(packet::Packet& datagram) noexcept {
  const auto frame = packet::EthernetView::parse(datagram.bytes);
  if (!frame || frame->source().is_multicast()) return Outcome::dropped(DropReason::kMalformed);
  const PeerIndex place = tables_.macs.find(frame->source(), tables_.now);
  PeerIndex index = tables_.peers.find(datagram.remote);
  if (index == kNoPeer) {
    if (place != kNoPeer && place != kInside)
      index = place;
    else
      index = claimant();
    if (index == kNoPeer) return Outcome::dropped(DropReason::kUnknownSender);
    if (!tables_.peers[index].learns) return Outcome::dropped(DropReason::kEndpointMismatch);
  }
  if (place == kInside) return Outcome::dropped(DropReason::kLoop);
  if (const Outcome heard = hear(index, datagram); heard.is_dropped()) return heard;
  tables_.macs.learn(frame->source(), index, tables_.now);
  return Outcome::passed();
}

// The peer that a frame from a new place, with a new MAC address, may make its own.
PeerIndex Plain::claimant() const noexcept {
  const Duration silence = silence_to_claim();
  for (std::size_t i = 0; i < tables_.peers.size(); ++i) {
    const Peer& peer = tables_.peers[static_cast<PeerIndex>(i)];
    if (peer.learns && (!peer.endpoint || tables_.now - peer.last_heard >= silence))
      return static_cast<PeerIndex>(i);
  }
  return kNoPeer;
}

// Among several, a new place may be a newcomer, who must not push out one that is merely quiet.
Duration Plain::silence_to_claim() const noexcept {
  std::size_t learned = 0;
  for (std::size_t i = 0; i < tables_.peers.size(); ++i)
    if (tables_.peers[static_cast<PeerIndex>(i)].learns) ++learned;
  return learned == 1 ? kRestart : kSilent;
}

// The datagram is the peer's: note where it came from.
Outcome Plain::hear(PeerIndex index, packet::Packet& datagram) noexcept {
  if (!tables_.allow_public_plaintext && datagram.remote.address.is_public())
    return Outcome::dropped(DropReason::kPublicPlaintext);
  tables_.move_peer(index, datagram);
  tables_.peers[index].last_heard = tables_.now;
  tables_.count_rx(index, datagram.bytes.size(), true);
  datagram.peer = index;
  return Outcome::passed();
}

}  // namespace vpntun::dataplane
