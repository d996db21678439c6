// What a transport is: the rules between an inner packet and the datagram that carries it. Outbound
// and Inbound call it for each packet of a batch and know nothing else of it; the plain transport
// is one, an encrypting one fits the same two functions. Thread: the worker's.
#pragma once

#include <concepts>
#include <optional>

#include "dataplane/counters.h"
#include "packet/batch.h"

namespace vpntun::dataplane {

// seal: bytes = the inner packet, peer = where it goes. Sets remote and local, and turns the bytes
// into the datagram's payload in place (slots have head- and tailroom). open: a datagram with
// remote and local. Turns the bytes into the inner packet in place, after it has checked that peer
// may send it, and sets peer. A reason returned means: drop the packet, it has not been counted.
template <typename T>
concept Transport = requires(T transport, packet::Packet& packet) {
  { transport.seal(packet) }
  noexcept->std::same_as<std::optional<DropReason>>;
  { transport.open(packet) }
  noexcept->std::same_as<std::optional<DropReason>>;
};

}  // namespace vpntun::dataplane
