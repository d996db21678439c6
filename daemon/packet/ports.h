// The two sides of the data plane, as it sees the operating system: asked once per batch, never per
// packet. What the kernel can do for many packets at once (segmentation, receive offload) stays
// inside the ports. Implemented by os/ (TUN/TAP, UDP) and by the tests (a simulated network).
// Thread: the worker's.
#pragma once

#include <cstdint>
#include <span>

#include "base/address.h"
#include "packet/batch.h"
#include "packet/offload_state.h"
#include "packet/unreachable.h"

namespace vpntun::packet {

enum class Reading : std::uint8_t {
  kDrained,  // nothing is left; the descriptor becomes readable when there is something
  kMore,     // there may be more, also in the port itself: read again without waiting
  kGone,     // the inside was deleted: nothing will ever come
};

// What receive() of both appends: packets that lie in the port's own memory, good until its next
// receive. offloads() of both says what the kernel does for many packets at once, and why not; from
// any thread.

// Inside: a TUN (IP packets) or TAP (Ethernet frames) interface.
class InsidePort {
 public:
  virtual ~InsidePort() = default;

  // Readable when a packet waits; POLLERR when the interface is gone.
  virtual int fd() const noexcept = 0;
  // Packets of wire size, with head- and tailroom. Never blocks.
  [[nodiscard]] virtual Reading receive(Batch& batch) noexcept = 0;
  // Writes every packet, those of a flow in order, and sets each verdict. Changes no packet's
  // bytes. Never blocks.
  virtual void send(Batch& batch) noexcept = 0;
  virtual OffloadStates offloads() const { return {}; }
};

// Outside: the UDP socket.
class OutsidePort {
 public:
  virtual ~OutsidePort() = default;

  virtual int fd() const noexcept = 0;
  // Datagrams with remote (source), local (destination) and traffic class; without head- or
  // tailroom. Never blocks. Asynchronous errors of the socket (ICMP) do not stop the reading.
  [[nodiscard]] virtual Reading receive(Batch& batch) noexcept = 0;
  // Sends every packet to its remote from its local address and sets each verdict. Never blocks.
  virtual void send(Batch& batch) noexcept = 0;
  // What ICMP said since the last call of datagrams that were sent, as far as it was kept; valid
  // until the next call of anything. waiting: the descriptor has EPOLLERR, which this ends.
  virtual std::span<const Unreachable> take_unreachable([[maybe_unused]] bool waiting) noexcept {
    return {};
  }
  virtual OffloadStates offloads() const { return {}; }
};

}  // namespace vpntun::packet
