// The two sides of the data plane, as it sees the operating system: asked once per batch, never per
// packet. Implemented by os/ (TUN/TAP, UDP) and by the tests (a simulated network). Thread: the
// worker's.
#pragma once

#include <cstddef>
#include <span>

#include "base/address.h"
#include "packet/batch.h"
#include "packet/unreachable.h"

namespace vpntun::packet {

// Inside: a TUN (IP packets) or TAP (Ethernet frames) interface.
class InsidePort {
 public:
  virtual ~InsidePort() = default;

  // Readable when a packet waits; POLLERR when the interface is gone.
  virtual int fd() const noexcept = 0;
  // Appends up to batch.capacity() - batch.size() packets. Never blocks.
  // Returns false when the interface is gone for good (deleted).
  [[nodiscard]] virtual bool receive(Batch& batch) noexcept = 0;
  // Writes every packet and sets each verdict. Never blocks.
  virtual void send(Batch& batch) noexcept = 0;
};

// Outside: the UDP socket.
class OutsidePort {
 public:
  virtual ~OutsidePort() = default;

  virtual int fd() const noexcept = 0;
  // Appends up to batch.capacity() - batch.size() datagrams with remote (source) and local
  // (destination) set. Never blocks. Asynchronous errors of the socket (ICMP) do not stop the
  // reading.
  virtual void receive(Batch& batch) noexcept = 0;
  // Sends every packet to its remote from its local address and sets each verdict. Never blocks.
  virtual void send(Batch& batch) noexcept = 0;
  // What ICMP said since the last call of datagrams that were sent, as far as it was kept; valid
  // until the next call of anything. waiting: the descriptor has EPOLLERR, which this ends.
  virtual std::span<const Unreachable> take_unreachable([[maybe_unused]] bool waiting) noexcept {
    return {};
  }
};

}  // namespace vpntun::packet
