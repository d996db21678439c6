// The peers of a device, by number and by public key. Numbers are given again, so tables by number
// stay small. Thread: the device's.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "wg/peer.h"

namespace vpntun::wg {

class Roster {
 public:
  // The public key must be nobody's.
  Peer& add(const crypto::PublicKey& public_key);
  void remove(PeerId peer) noexcept;

  Peer* at(PeerId peer) const noexcept {
    return peer < peers_.size() ? peers_[peer].get() : nullptr;
  }
  // O(log n): whoever may choose public keys cannot make it slower, as they could a hash.
  Peer* find(const crypto::PublicKey& public_key) const noexcept;
  std::size_t size() const noexcept { return by_key_.size(); }
  // In the order of public keys.
  const std::map<crypto::PublicKey, PeerId>& by_key() const noexcept { return by_key_; }

 private:
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<PeerId> free_;
  std::map<crypto::PublicKey, PeerId> by_key_;
};

}  // namespace vpntun::wg
