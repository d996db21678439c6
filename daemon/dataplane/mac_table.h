// The learning table of a TAP tunnel: which MAC address is behind which peer, or on the inside.
// Bounded, seeded against hostile addresses, no allocation after construction. Thread: a worker
// that holds the tables. Pure: time is an argument.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "packet/batch.h"

namespace vpntun::dataplane {

using packet::kNoPeer;
using packet::PeerIndex;

// The own interface, as a place a MAC address can be.
inline constexpr PeerIndex kInside = kNoPeer - 1;

class MacTable {
 public:
  static constexpr std::size_t kCapacity = 4096;
  static constexpr std::size_t kPerPeer = 1024;  // so that one peer cannot fill the table
  static constexpr Duration kAgeing = std::chrono::seconds(300);  // IEEE 802.1D default

  enum class Learned {
    kNew,
    kKnown,    // refreshed
    kMoved,    // was at another peer
    kIgnored,  // a multicast address, or no room for this peer: its frames are flooded
  };

  // seed: unpredictable from outside. peers: their number; places are their indices and kInside.
  MacTable(std::uint64_t seed, std::size_t peers);

  // Notes that the address was seen as a source at `place` (a peer or kInside).
  Learned learn(const MacAddress& mac, PeerIndex place, Instant now) noexcept;
  // kNoPeer: unknown or aged.
  PeerIndex find(const MacAddress& mac, Instant now) const noexcept;
  // Forgets all addresses of a peer.
  void flush(PeerIndex place) noexcept;
  // Another set of `peers`: places says by former index where each is now; kNoPeer: gone, and
  // forgotten.
  void renumber(std::span<const PeerIndex> places, std::size_t peers);
  std::size_t size() const noexcept { return used_; }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Entry {
    MacAddress mac;
    PeerIndex place = kNoPeer;
    Instant seen{};
    std::uint32_t next = kNone;                    // in its bucket, or in the free list
    std::uint32_t older = kNone, younger = kNone;  // by last sight
  };

  void reset(std::size_t peers);
  std::size_t bucket_of(const MacAddress& mac) const noexcept;
  std::uint32_t index_of(const MacAddress& mac) const noexcept;
  std::uint32_t take_free(PeerIndex place, Instant now) noexcept;
  std::uint32_t& held_by(PeerIndex place) noexcept;
  void touch(std::uint32_t index, Instant now) noexcept;
  void link_youngest(std::uint32_t index) noexcept;
  void unlink_age(std::uint32_t index) noexcept;
  void erase(std::uint32_t index) noexcept;

  std::uint64_t seed_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> buckets_;
  std::vector<std::uint32_t> held_;  // entries of each peer, then of the inside
  std::uint32_t free_ = kNone;
  std::uint32_t oldest_ = kNone, youngest_ = kNone;
  std::size_t used_ = 0;
};

}  // namespace vpntun::dataplane
