// The WireGuard transport: joins the protocol (wg::Device, which knows neither IP nor endpoints)
// with the tables (which know no key). Packets without a session wait in the staging; the
// protocol's own datagrams are fetched by poll(). TAP frames travel as opaque payloads, which only
// our own ends understand. Thread: a worker that holds the tables.
#pragma once

#include <span>
#include <vector>

#include "crypto/key.h"
#include "dataplane/staging.h"
#include "dataplane/tables.h"
#include "dataplane/transport.h"
#include "packet/batch.h"
#include "wg/device.h"

namespace vpntun::dataplane {

class Wireguard final : public Transport {
 public:
  Wireguard(Tables& tables, wg::Surroundings surroundings)
      : tables_(tables), device_(std::move(surroundings)) {}

  Outcome seal(packet::Packet& packet, Sealings& sealings) noexcept override;
  wg::Opening begin_open(const packet::Packet& datagram) noexcept override {
    return device_.begin_open(datagram.bytes, tables_.now);
  }
  Outcome open(packet::Packet& datagram, const wg::Opening& opening) noexcept override;
  bool rewrites() const noexcept override { return true; }

  void set_private_key(const crypto::SecretKey& key);
  // The peers of the tables are others now; keys: theirs, in the same order.
  void set_peers(std::span<const wg::PeerSettings> keys);
  // The way to the peer is another one: finds out whether it is there.
  void revive(PeerIndex peer) noexcept;
  // Its endpoint is another one. A handshake under way goes on there and is not begun anew, so that
  // it also ends when endpoints take turns.
  void moved(PeerIndex peer, bool had_endpoint) noexcept;

  // Tells the captures the secrets of each handshake from now on, or no longer, and replaces the
  // sessions that began before.
  void log_keys(bool wanted);

  // Takes in what happened, and appends the protocol's own datagrams that are due.
  void poll(packet::Batch& datagrams) noexcept;
  // A peer whose waiting packets can be sealed now; kNoPeer: no other.
  PeerIndex next_released() noexcept;
  Staging::Packets take_staged(PeerIndex peer) { return staging_.take(tables_.peers[peer].id); }
  Instant next_deadline() const noexcept { return device_.next_deadline(); }

 private:
  Outcome accept(packet::Packet& datagram, std::span<std::uint8_t> payload) noexcept;
  void take_events() noexcept;
  // Sets that date, and what the device knows of the peer's handshakes, for whoever shows it.
  void note(PeerIndex peer, Instant Handshakes::*date = nullptr) noexcept;
  void drop_staged(wg::PeerId id, const std::optional<Endpoint>& endpoint) noexcept;
  PeerIndex index_of(wg::PeerId id) const noexcept;

  Tables& tables_;
  wg::Device device_;
  Staging staging_;
  std::vector<PeerIndex> index_of_;  // by PeerId
  std::vector<wg::PeerId> released_;
};

}  // namespace vpntun::dataplane
