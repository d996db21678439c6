#include "dataplane/peer_table.h"

#include <unordered_map>

namespace vpntun::dataplane {

std::optional<Endpoint> PeerRecord::endpoint() const {
  const std::lock_guard lock(mutex_);
  return endpoint_;
}

void PeerRecord::set_endpoint(const std::optional<Endpoint>& endpoint) {
  const std::lock_guard lock(mutex_);
  endpoint_ = endpoint;
}

Handshakes PeerRecord::handshakes() const {
  const std::lock_guard lock(mutex_);
  return handshakes_;
}

void PeerRecord::set_handshakes(const Handshakes& handshakes) {
  const std::lock_guard lock(mutex_);
  handshakes_ = handshakes;
}

std::optional<Refused> PeerRecord::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void PeerRecord::set_refused(const Refused& refused) {
  const std::lock_guard lock(mutex_);
  refused_ = refused;
}

PeerTable::PeerTable(std::span<const PeerConfig> peers,
                     std::span<const std::shared_ptr<PeerRecord>> records) {
  peers_.reserve(peers.size());
  std::vector<AllowedIp> allowed;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    Peer peer;
    peer.name = peers[i].name;
    peer.learns = peers[i].learns;
    peer.endpoint = peers[i].endpoint;
    peer.record = records[i];
    peers_.push_back(std::move(peer));
    for (const IpPrefix& prefix : peers[i].allowed_ips)
      allowed.push_back({prefix, static_cast<PeerIndex>(i)});
  }
  allowed_ips_ = AllowedIps(allowed);
}

void PeerTable::follow(const PeerTable& former, std::span<const PeerIndex> places, Instant now) {
  for (std::size_t i = 0; i < former.size(); ++i) {
    const Peer& old = former.peers_[i];
    if (places[i] == kNoPeer || !old.endpoint) continue;
    Peer& peer = peers_[places[i]];
    if (peer.learns != old.learns) continue;
    if (peer.learns) peer.endpoint = old.endpoint;
    if (peer.endpoint == old.endpoint) peer.local = old.local;
  }
  for (Peer& peer : peers_) {
    if (peer.endpoint) peer.last_heard = now;
    peer.record->set_endpoint(peer.endpoint);
  }
}

std::vector<PeerIndex> PeerTable::places_of(const PeerTable& former) const {
  std::unordered_map<const PeerRecord*, PeerIndex> known;
  for (std::size_t i = 0; i < peers_.size(); ++i)
    known.emplace(peers_[i].record.get(), static_cast<PeerIndex>(i));
  std::vector<PeerIndex> places;
  places.reserve(former.size());
  for (const Peer& old : former.peers_) {
    const auto found = known.find(old.record.get());
    places.push_back(found == known.end() ? kNoPeer : found->second);
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
