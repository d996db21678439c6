// The peers of a running worker, by index, with their allowed IPs. Built by the control thread,
// moved to the workers through a mailbox as a whole; afterwards only the one that holds the tables
// touches it.
#pragma once

#include <span>
#include <vector>

#include "dataplane/allowed_ips.h"
#include "dataplane/peer.h"

namespace vpntun::dataplane {

class PeerTable {
 public:
  PeerTable() = default;
  // records: one for each peer, in the same order.
  PeerTable(std::span<const PeerConfig> peers,
            std::span<const std::shared_ptr<PeerRecord>> records);

  // Takes over from the table in use before where its learning peers are and how all are reached,
  // and tells the records. places: see places_of().
  void follow(const PeerTable& former, std::span<const PeerIndex> places, Instant now);

  // Where the peers of the table in use before are in this one, by their indices there; kNoPeer:
  // gone.
  std::vector<PeerIndex> places_of(const PeerTable& former) const;

  std::size_t size() const noexcept { return peers_.size(); }
  Peer& operator[](PeerIndex index) noexcept { return peers_[index]; }
  const Peer& operator[](PeerIndex index) const noexcept { return peers_[index]; }
  const AllowedIps& allowed_ips() const noexcept { return allowed_ips_; }

  // The peer with this endpoint, or kNoPeer. A linear search: for TAP frames and refused datagrams
  // only.
  PeerIndex find(const Endpoint& endpoint) const noexcept;
  // Sets the endpoint and our address towards it. Returns whether the endpoint is another one than
  // before.
  bool move(PeerIndex index, const std::optional<Endpoint>& endpoint,
            const IpAddress& local) noexcept;

 private:
  std::vector<Peer> peers_;
  AllowedIps allowed_ips_;
};

}  // namespace vpntun::dataplane
