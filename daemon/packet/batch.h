// A batch of packets in one slab: what a port reads or writes in one call. Each packet lies in a
// slot of its own with headroom in front (outer headers, later the WireGuard header) and tailroom
// behind (padding, tag), so that both directions work in place. Thread: one worker owns a batch and
// lends it to a port for a call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/address.h"

namespace vpntun::packet {

inline constexpr std::size_t kBatchSize = 64;     // packets asked for at once
inline constexpr std::size_t kHeadroom = 64;      // bytes; a multiple of 16
inline constexpr std::size_t kTailroom = 64;      // bytes
inline constexpr std::size_t kMaxPacket = 65536;  // bytes of payload a slot can hold
inline constexpr std::size_t kSlotSize = kHeadroom + kMaxPacket + kTailroom;

using PeerIndex = std::uint32_t;
inline constexpr PeerIndex kNoPeer = ~PeerIndex{0};

// What a port did with a packet it was asked to send.
enum class SendVerdict : std::uint8_t {
  kSent,
  kTooBig,      // larger than the path allows; Packet::path_mtu tells
  kRefused,     // the kernel refused it (no route, firewall, malformed)
  kWouldBlock,  // the socket's or device's queue is full
};

struct Packet {
  std::span<std::uint8_t>
      bytes;        // payload inside its slot; may be shrunk, or grown into the head- and tailroom
  Endpoint remote;  // outside: source when received, destination when sent
  IpAddress local;  // outside: our own address of the datagram; unspecified = kernel's choice
  PeerIndex peer = kNoPeer;
  std::uint8_t traffic_class = 0;  // outside: DSCP and ECN of the outer header
  bool may_be_cut = false;         // outside: its datagram may be fragmented, as a last resort
  std::uint64_t pair = 0;  // ties inner and outer packet together in captures; 0 = nobody captures
  SendVerdict verdict = SendVerdict::kSent;  // after a send
  std::uint32_t path_mtu = 0;     // bytes of the outer packet, with verdict kTooBig; 0 = unknown
  std::int32_t error_number = 0;  // errno, with verdict kRefused
};

class Batch {
 public:
  explicit Batch(std::size_t capacity = kBatchSize)
      : slab_(std::make_unique_for_overwrite<std::uint8_t[]>(capacity * kSlotSize)),
        packets_(capacity) {}

  std::size_t capacity() const noexcept { return packets_.size(); }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  bool full() const noexcept { return size_ == capacity(); }
  void clear() noexcept { size_ = 0; }

  // Keeps, in their order, the packets for which keep(packet) holds. Their bytes stay where they
  // are, in slots that may be another's by now: until clear(), append only packets whose bytes lie
  // elsewhere.
  template <typename Keep>
  void keep_if(Keep keep) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i)
      if (keep(packets_[i])) packets_[kept++] = packets_[i];
    size_ = kept;
  }
  // Appends a packet whose bytes lie elsewhere and outlive its time in the batch. Requires !full().
  void append_view(const Packet& packet) noexcept { packets_[size_++] = packet; }

  Packet& operator[](std::size_t i) noexcept { return packets_[i]; }
  const Packet& operator[](std::size_t i) const noexcept { return packets_[i]; }
  std::span<Packet> packets() noexcept { return {packets_.data(), size_}; }

  // The room for a payload in slot i (headroom left in front): kMaxPacket bytes, uninitialised.
  std::span<std::uint8_t> room(std::size_t i) noexcept {
    return {slab_.get() + i * kSlotSize + kHeadroom, kMaxPacket};
  }

  // Appends a packet of `length` bytes at the front of its room and returns it. Requires !full(),
  // length <= kMaxPacket.
  Packet& append(std::size_t length) noexcept {
    Packet& packet = packets_[size_];
    packet = Packet{};
    packet.bytes = room(size_).first(length);
    ++size_;
    return packet;
  }
  Packet& append_copy(std::span<const std::uint8_t> bytes) noexcept {
    Packet& packet = append(bytes.size());
    std::copy(bytes.begin(), bytes.end(), packet.bytes.begin());
    return packet;
  }

 private:
  // Left uninitialised on purpose: pages that were never used stay unmapped.
  std::unique_ptr<std::uint8_t[]> slab_;
  std::vector<Packet> packets_;
  std::size_t size_ = 0;
};

}  // namespace vpntun::packet
