// From the inside to the outside: reads a batch, finds each packet's peer, lets the transport seal
// it and sends the batch. When the outside can take no more, what is left is kept and sent first
// next time, and nothing is read meanwhile: the interface's own queue then slows the senders down.
// Thread: the worker's. run() holds the tables by itself, and not while the ports or ciphers work;
// the other functions require that they are held.
#pragma once

#include <cstddef>
#include <span>

#include "dataplane/staging.h"
#include "dataplane/tables.h"
#include "dataplane/transport.h"
#include "packet/batch.h"
#include "packet/ports.h"

namespace vpntun::dataplane {

// Why a datagram is lost that the outside did not send, and that is not tried again.
DropReason reason_of_unsent(packet::SendVerdict verdict) noexcept;

class Outbound {
 public:
  enum class Result {
    kIdle,     // the inside is empty
    kMore,     // the budget is used up
    kBlocked,  // the outside is full: call again when it is writable
    kGone,     // the inside is gone for good
  };

  Outbound(Tables& tables, Transport& transport, packet::InsidePort& inside,
           packet::OutsidePort& outside);

  // Carries about `budget` packets.
  Result run(std::size_t budget) noexcept;
  // The peers change: what is kept goes on to where they are then (places: by index of now). What
  // is for a peer that goes is counted as dropped.
  void follow(std::span<const PeerIndex> places) noexcept;
  // A packet that came from one peer and goes to another (TAP): sent at once or dropped.
  void forward(const packet::Packet& packet) noexcept;
  // Packets that waited for a session with the peer: sent at once or dropped.
  void send_staged(PeerIndex peer, const Staging::Packets& packets) noexcept;
  // Sends what forward() gathered. A frame too big for the way to the other peer is dropped.
  void flush_forwards() noexcept;

 private:
  void fill() noexcept;
  void route_packet(packet::Packet& packet) noexcept;
  bool route_frame(packet::Packet& frame) noexcept;
  bool flood(packet::Packet& frame) noexcept;
  void emit(packet::Packet& packet, PeerIndex peer) noexcept;
  bool flush() noexcept;
  void finish_sealings() noexcept;
  void settle(const packet::Packet& packet) noexcept;
  void settle_oversize(const packet::Packet& packet) noexcept;
  void send_pieces() noexcept;
  void send_answers() noexcept;
  void refuse(DropReason reason, const packet::Packet& packet) noexcept;
  void drop(DropReason reason, const packet::Packet& packet) noexcept;

  Tables& tables_;
  Transport& transport_;
  packet::InsidePort& inside_;
  packet::OutsidePort& outside_;
  packet::Batch in_{packet::kBatchSize, 0};
  std::size_t next_ = 0;                      // packet of in_ to be routed next
  PeerIndex next_copy_ = 0;                   // peer its next copy goes to, while it is flooded
  bool copied_ = false;                       // it has gone to somebody
  packet::Batch out_{packet::kBatchSize, 0};  // views of in_
  packet::Batch forwards_;  // views of others' bytes; copies where the transport rewrites them
  packet::Batch pieces_;    // fragments
  packet::Batch answers_;   // ICMP, to the inside
  Sealings sealings_;       // of out_ and forwards_; finished before they are sent
};

}  // namespace vpntun::dataplane
