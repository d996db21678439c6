#include "wg/roster.h"

namespace vpntun::wg {

Peer& Roster::add(const crypto::PublicKey& public_key) {
  PeerId id = static_cast<PeerId>(peers_.size());
  if (free_.empty()) {
    peers_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  peers_[id] = std::make_unique<Peer>(id, public_key);
  by_key_.emplace(public_key, id);
  return *peers_[id];
}

void Roster::remove(PeerId peer) noexcept {
  if (!at(peer)) return;
  by_key_.erase(peers_[peer]->pairing.remote);
  peers_[peer].reset();
  free_.push_back(peer);
}

Peer* Roster::find(const crypto::PublicKey& public_key) const noexcept {
  const auto found = by_key_.find(public_key);
  return found == by_key_.end() ? nullptr : at(found->second);
}

}  // namespace vpntun::wg
