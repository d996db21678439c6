// The plain transport: one bare inner packet (TUN) or frame (TAP) is one datagram's payload.
// Nothing is authenticated, so who may speak for a peer is decided by addresses alone:
//   TUN: the inner source names the peer. A peer with a configured endpoint must send from there; a
//   learned peer is
//        wherever its last acceptable datagram came from (it roams).
//   TAP: the datagram's source names the peer; a source nobody has belongs to the peer that the
//   frame's MAC address
//        was learned at, or to the first learned peer without an endpoint or silent for kSilent.
//        The only learned peer there is needs to be silent for kRestart only: a client that was
//        started again has another port and, as a rule, another MAC address.
// A learned peer never takes over the configured endpoint of another one. Thread: a worker that
// holds the tables.
#pragma once

#include "dataplane/tables.h"
#include "dataplane/transport.h"

namespace vpntun::dataplane {

class Plain final : public Transport {
 public:
  static constexpr Duration kSilent = std::chrono::seconds(180);
  static constexpr Duration kRestart = std::chrono::seconds(5);

  explicit Plain(Tables& tables) noexcept : tables_(tables) {}

  Outcome seal(packet::Packet& packet, Sealings& sealings) noexcept override;
  Outcome open(packet::Packet& datagram, const wg::Opening& opening) noexcept override;
  bool rewrites() const noexcept override { return false; }

 private:
  Outcome open_packet(packet::Packet& datagram) noexcept;
  Outcome open_frame(packet::Packet& datagram) noexcept;
  PeerIndex claimant() const noexcept;
  Duration silence_to_claim() const noexcept;
  Outcome hear(PeerIndex peer, packet::Packet& datagram) noexcept;

  Tables& tables_;
};

}  // namespace vpntun::dataplane
