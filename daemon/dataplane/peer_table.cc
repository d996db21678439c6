#include "dataplane/peer_table.h"

namespace vpntun::dataplane {

std::optional<Endpoint> PeerRecord::endpoint() const {
  const std::lock_guard lock(mutex_);
  return endpoint_;
}

void PeerRecord::set_endpoint(const std::optional<Endpoint>& endpoint) {
  const std::lock_guard lock(mutex_);
  endpoint_ = endpoint;
}

PeerTable::PeerTable(std::span<const PeerConfig> peers,
                     std::span<const std::shared_ptr<PeerRecord>> records) {
  for (std::size_t i = 0; i < peers.size(); ++i) {
    Peer peer;
    peer.name = peers[i].name;
    peer.learns = peers[i].learns;
    peer.endpoint = peers[i].endpoint;
    peer.record = records[i];
    peers_.push_back(std::move(peer));
    for (const IpPrefix& prefix : peers[i].allowed_ips)
      allowed_ips_.insert(prefix, static_cast<PeerIndex>(i));
  }
}

void PeerTable::follow(const PeerTable& former, Instant now) {
  for (Peer& peer : peers_) {
    for (const Peer& old : former.peers_) {
      if (old.record != peer.record || !old.endpoint || peer.learns != old.learns) continue;
      if (peer.learns) peer.endpoint = old.endpoint;
      if (peer.endpoint == old.endpoint) peer.local = old.local;
    }
    if (peer.endpoint) peer.last_heard = now;
    peer.record->set_endpoint(peer.endpoint);
  }
}

std::vector<PeerIndex> PeerTable::places_of(const PeerTable& former) const {
  std::vector<PeerIndex> places;
  for (const Peer& old : former.peers_) {
    PeerIndex place = kNoPeer;
    for (std::size_t i = 0; i < peers_.size(); ++i)
      if (peers_[i].record == old.record) place = static_cast<PeerIndex>(i);
    places.push_back(place);
  }
  return places;
}

PeerIndex PeerTable::find(const Endpoint& endpoint) const noexcept {
  for (std::size_t i = 0; i < peers_.size(); ++i)
    if (peers_[i].endpoint == endpoint) return static_cast<PeerIndex>(i);
  return kNoPeer;
}

bool PeerTable::move(PeerIndex index, const std::optional<Endpoint>& endpoint,
                     const IpAddress& local) noexcept {
  Peer& peer = peers_[index];
  peer.local = local;
  if (peer.endpoint == endpoint) return false;
  peer.endpoint = endpoint;
  peer.record->set_endpoint(endpoint);
  return true;
}

}  // namespace vpntun::dataplane
