// What a transport is: the rules between an inner packet and the datagram that carries it. Outbound
// and Inbound call it for each packet of a batch and know nothing else of it. Two exist: Plain and
// Wireguard. Ciphers are not used in here, but by the worker when it does not hold the tables.
// Thread: a worker that holds the tables.
#pragma once

#include <vector>

#include "dataplane/counters.h"
#include "packet/batch.h"
#include "wg/ciphers.h"

namespace vpntun::dataplane {

// What became of a packet.
class Outcome {
 public:
  static constexpr Outcome passed() noexcept { return {Kind::kPassed, {}}; }
  // The transport kept it: nothing is left to do.
  static constexpr Outcome taken() noexcept { return {Kind::kTaken, {}}; }
  // To be dropped; it has not been counted.
  static constexpr Outcome dropped(DropReason reason) noexcept { return {Kind::kDropped, reason}; }

  bool is_passed() const noexcept { return kind_ == Kind::kPassed; }
  bool is_dropped() const noexcept { return kind_ == Kind::kDropped; }
  DropReason reason() const noexcept { return reason_; }  // requires is_dropped()

 private:
  enum class Kind : std::uint8_t { kPassed, kTaken, kDropped };
  constexpr Outcome(Kind kind, DropReason reason) noexcept : kind_(kind), reason_(reason) {}

  Kind kind_;
  DropReason reason_;
};

// What is still to be encrypted of the datagrams of a batch.
using Sealings = std::vector<wg::Sealing>;

class Transport {
 public:
  virtual ~Transport() = default;

  // bytes = the inner packet, peer = where it goes. Sets remote and local, and turns the bytes into
  // the datagram's payload in place (slots have head- and tailroom), once all of `sealings` is
  // finished, to which it may add one.
  virtual Outcome seal(packet::Packet& packet, Sealings& sealings) noexcept = 0;
  // What may be done with a datagram before open().
  virtual wg::Opening begin_open(const packet::Packet&) noexcept { return {}; }
  // A datagram with remote and local. Turns the bytes into the inner packet in place, after it has
  // checked that peer may send it, and sets peer. opening: what begin_open() gave for it, finished;
  // or an empty one.
  virtual Outcome open(packet::Packet& datagram, const wg::Opening& opening) noexcept = 0;
  // The bytes are changed: who needs them afterwards has to copy them before.
  virtual bool rewrites() const noexcept = 0;
};

}  // namespace vpntun::dataplane
