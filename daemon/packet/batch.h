// A batch of packets: what a port reads or writes in one call. Their bytes lie in the memory of the
// port that read them, or in a slab of the batch; either way with headroom in front (the WireGuard
// header) and tailroom behind (padding, tag) where the packet came from the inside, so that
// transports work in place. Thread: one worker owns a batch and lends it to a port for a call.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/address.h"

namespace vpntun::packet {

inline constexpr std::size_t kBatchSize = 128;    // packets
inline constexpr std::size_t kHeadroom = 64;      // bytes; a cache line
inline constexpr std::size_t kTailroom = 64;      // bytes
inline constexpr std::size_t kMaxPacket = 65536;  // bytes of the largest packet

using PeerIndex = std::uint32_t;
inline constexpr PeerIndex kNoPeer = ~PeerIndex{0};

// What a port did with a packet it was asked to send.
enum class SendVerdict : std::uint8_t {
  kSent,
  kTooBig,      // larger than the path allows; Packet::path_mtu tells
  kRefused,     // the kernel refused it (no route, firewall, malformed)
  kWouldBlock,  // the socket's or device's queue is full; there may be room later
  kQueueFull,   // a queue behind the socket was full; what did not fit is lost
};

struct Packet {
  std::span<std::uint8_t> bytes;  // may be shrunk, or grown into head- and tailroom
  Endpoint remote;                // outside: source when received, destination when sent
  IpAddress local;  // outside: our own address of the datagram; unspecified = kernel's choice
  PeerIndex peer = kNoPeer;
  std::uint8_t traffic_class = 0;  // outside: DSCP and ECN of the outer header
  bool may_be_cut = false;         // outside: its datagram may be fragmented, as a last resort
  std::uint64_t pair = 0;  // ties inner and outer packet together in captures; 0 = nobody captures
  SendVerdict verdict = SendVerdict::kSent;  // after a send
  std::uint32_t path_mtu = 0;     // bytes of the outer packet, with verdict kTooBig; 0 = unknown
  std::int32_t error_number = 0;  // errno, with verdict kRefused
};

// Memory for packets, handed out one behind the other until it is cleared.
class Slab {
 public:
  explicit Slab(std::size_t size)
      : bytes_(size == 0 ? nullptr : std::make_unique_for_overwrite<std::uint8_t[]>(size)),
        size_(size) {}

  // Whether a payload of `length` bytes has room, with head- and tailroom.
  bool fits(std::size_t length) const noexcept {
    return used_ + kHeadroom + length + kTailroom <= size_;
  }
  // Where the next payload would lie: as many bytes as there are, uninitialised.
  std::span<std::uint8_t> room() noexcept {
    const std::size_t around = used_ + kHeadroom + kTailroom;
    return {bytes_.get() + used_ + kHeadroom, around < size_ ? size_ - around : 0};
  }
  // Requires fits(length).
  std::span<std::uint8_t> take(std::size_t length) noexcept {
    assert(fits(length));
    const std::span<std::uint8_t> taken = room().first(length);
    used_ = (used_ + kHeadroom + length + kTailroom + kHeadroom - 1) / kHeadroom * kHeadroom;
    return taken;
  }
  void clear() noexcept { used_ = 0; }

 private:
  // Left uninitialised on purpose: pages that were never used stay unmapped.
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_;
  std::size_t used_ = 0;
};

// Of the largest packet and as many of common size as a batch has.
inline constexpr std::size_t kSlabSize = 4 * kMaxPacket;

class Batch {
 public:
  // slab: bytes for packets that bring their own; 0: it holds views only.
  explicit Batch(std::size_t capacity = kBatchSize, std::size_t slab = kSlabSize)
      : slab_(slab), packets_(capacity) {}

  std::size_t capacity() const noexcept { return packets_.size(); }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  bool full() const noexcept { return size_ == capacity(); }
  // Whether a packet of `length` bytes of its own can be appended.
  bool fits(std::size_t length) const noexcept { return !full() && slab_.fits(length); }
  void clear() noexcept {
    size_ = 0;
    slab_.clear();
  }

  // Keeps, in their order, the packets for which keep(packet) holds. Their bytes stay where they
  // are.
  template <typename Keep>
  void keep_if(Keep keep) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i)
      if (keep(packets_[i])) packets_[kept++] = packets_[i];
    size_ = kept;
  }
  // Appends a packet whose bytes lie elsewhere and outlive its time in the batch. Requires !full().
  Packet& append_view(const Packet& packet) noexcept { return packets_[size_++] = packet; }
  Packet& append_view(std::span<std::uint8_t> bytes) noexcept {
    Packet& packet = packets_[size_++];
    packet = Packet{};
    packet.bytes = bytes;
    return packet;
  }

  Packet& operator[](std::size_t i) noexcept { return packets_[i]; }
  const Packet& operator[](std::size_t i) const noexcept { return packets_[i]; }
  std::span<Packet> packets() noexcept { return {packets_.data(), size_}; }

  // Where the bytes of the next packet will lie, uninitialised.
  std::span<std::uint8_t> room() noexcept { return slab_.room(); }
  // Appends a packet of `length` bytes, at the front of the room. Requires fits(length).
  Packet& append(std::size_t length) noexcept { return append_view(slab_.take(length)); }
  Packet& append_copy(std::span<const std::uint8_t> bytes) noexcept {
    Packet& packet = append(bytes.size());
    std::copy(bytes.begin(), bytes.end(), packet.bytes.begin());
    return packet;
  }
  // Appends the packet with a copy of its bytes. Requires fits().
  Packet& append_copy(const Packet& packet) noexcept {
    Packet& copy = append_view(packet);
    copy.bytes = slab_.take(packet.bytes.size());
    std::copy(packet.bytes.begin(), packet.bytes.end(), copy.bytes.begin());
    return copy;
  }
  // Takes the last packet out again. Its bytes stay in use until clear().
  void drop_last() noexcept { --size_; }

 private:
  Slab slab_;
  std::vector<Packet> packets_;
  std::size_t size_ = 0;
};

}  // namespace vpntun::packet
