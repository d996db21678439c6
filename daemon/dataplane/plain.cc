#include "dataplane/plain.h"

#include <algorithm>

#include "packet/ethernet.h"
#include "packet/ip_view.h"

namespace vpntun::dataplane {
namespace {

// The tunnel's own datagram, routed back into the tunnel: it would come again, larger each time.
bool is_own_datagram(std::span<const std::uint8_t> bytes, const Endpoint& endpoint) noexcept {
  // Where both IP headers have the destination; nearly every packet ends here.
  const std::span<const std::uint8_t> address = endpoint.address.bytes();
  const std::size_t offset = endpoint.address.is_v4() ? 16 : 24;
  if (bytes.size() < offset + address.size() ||
      !std::equal(address.begin(), address.end(),
                  bytes.begin() + static_cast<std::ptrdiff_t>(offset)))
    return false;
  const auto ip = packet::IpView::parse(bytes);
  if (!ip || ip->protocol() != packet::kProtocolUdp || ip->is_later_fragment()) return false;
  const auto udp = packet::UdpView::parse(ip->payload());
  return udp && udp->destination_port() == endpoint.port && ip->destination() == endpoint.address;
}

}  // namespace

std::optional<DropReason> Plain::seal(packet::Packet& packet) noexcept {
  const Peer& peer = tables_.peers[packet.peer];
  if (!peer.endpoint) return DropReason::kNoEndpoint;
  packet.remote = *peer.endpoint;
  packet.local = peer.local;
  if (!tables_.allow_public_plaintext && packet.remote.address.is_public())
    return DropReason::kPublicPlaintext;
  if (!tables_.frames && is_own_datagram(packet.bytes, packet.remote)) return DropReason::kLoop;
  return std::nullopt;
}

std::optional<DropReason> Plain::open(packet::Packet& datagram) noexcept {
  return tables_.frames ? open_frame(datagram) : open_packet(datagram);
}

std::optional<DropReason> Plain::open_packet(packet::Packet& datagram) noexcept {
  const auto ip = packet::IpView::parse(datagram.bytes);
  if (!ip) return DropReason::kMalformed;
  const PeerIndex index = tables_.peers.allowed_ips().lookup(ip->source().bytes());
  if (index == kNoPeer)
    return tables_.peers.find(datagram.remote) == kNoPeer ? DropReason::kUnknownSender
                                                          : DropReason::kSourceNotAllowed;
  const Peer& peer = tables_.peers[index];
  if (peer.endpoint != datagram.remote) {
    if (!peer.learns) return DropReason::kEndpointMismatch;
    const PeerIndex owner = tables_.peers.find(datagram.remote);
    if (owner != kNoPeer && !tables_.peers[owner].learns) return DropReason::kSourceNotAllowed;
  }
  return hear(index, datagram);
}

std::optional<DropReason> Plain::open_frame(packet::Packet& datagram) noexcept {
  const auto frame = packet::EthernetView::parse(datagram.bytes);
  if (!frame || frame->source().is_multicast()) return DropReason::kMalformed;
  const PeerIndex place = tables_.macs.find(frame->source(), tables_.now);
  PeerIndex index = tables_.peers.find(datagram.remote);
  if (index == kNoPeer) {
    if (place != kNoPeer && place != kInside)
      index = place;
    else
      index = claimant();
    if (index == kNoPeer) return DropReason::kUnknownSender;
    if (!tables_.peers[index].learns) return DropReason::kEndpointMismatch;
  }
  if (place == kInside) return DropReason::kLoop;
  if (const auto reason = hear(index, datagram)) return reason;
  tables_.macs.learn(frame->source(), index, tables_.now);
  return std::nullopt;
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
std::optional<DropReason> Plain::hear(PeerIndex index, packet::Packet& datagram) noexcept {
  if (!tables_.allow_public_plaintext && datagram.remote.address.is_public())
    return DropReason::kPublicPlaintext;
  tables_.move_peer(index, datagram);
  tables_.peers[index].last_heard = tables_.now;
  datagram.peer = index;
  return std::nullopt;
}

}  // namespace vpntun::dataplane
