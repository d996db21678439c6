// Allowed IPs: longest prefix match from an inner address to its peer. Built by the control thread
// from all prefixes at once, moved into a worker, then only read. Pure.
//
// Prefixes cut the line of all addresses into ranges, and within a range the innermost prefix is
// the same. So the longest match is a search among sorted ranges, here in a B-tree without
// pointers, which has no branch to mispredict and takes one step for each 3 (IPv6) or 5 (IPv4) bits
// of their number, wherever in the address they differ. An IPv6 address is searched for as two
// columns of 64 bits. Lampson, Srinivasan, Varghese: "IP Lookups Using Multiway and Multicolumn
// Search", IEEE/ACM Transactions on Networking 7(3), 1999. What it costs: docs/performance.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"
#include "packet/batch.h"

namespace vpntun::dataplane {

using packet::kNoPeer;
using packet::PeerIndex;

struct AllowedIp {
  IpPrefix prefix;  // host bits are ignored
  PeerIndex peer = kNoPeer;
};

class AllowedIps {
 public:
  AllowedIps() : AllowedIps(std::span<const AllowedIp>{}) {}
  // In any order; of those with the same prefix, the last counts. Fewer than 2^31 peers.
  explicit AllowedIps(std::span<const AllowedIp> all);

  // address: 4 or 16 bytes in network order. kNoPeer: nobody's.
  PeerIndex lookup(std::span<const std::uint8_t> address) const noexcept;

 private:
  static constexpr std::size_t kCacheLine = 64;  // bytes

  // Addresses (or 64 bits of them) as numbers, and what was found for each.
  template <class Key>
  class Column {
   public:
    struct Block {  // a prefix
      Key first;
      Key last;
      std::uint32_t found;
    };
    static Block block(Key address, unsigned length, std::uint32_t found) noexcept;

    Column() : Column(std::vector<Block>{}) {}
    explicit Column(std::vector<Block> blocks);
    // Of the innermost block around the key, the last given of several; kNoPeer without one.
    std::uint32_t find(Key key) const noexcept;

   private:
    struct Range {
      Key last;
      std::uint32_t found;
    };
    // A node has the last key of each range, or of each node below it, but for the last one: that
    // is in the node above. A step costs about the same in both families, as 32-bit keys are
    // compared four at once.
    static constexpr std::size_t kKeys = sizeof(Key) == 4 ? 32 : 8;
    static constexpr std::size_t kWays = kKeys + 1;
    static constexpr std::size_t kRanges =
        (kCacheLine + sizeof(Key)) / (sizeof(Key) + sizeof(std::uint32_t));

    struct alignas(kCacheLine) Branch {
      std::array<Key, kKeys> last;
    };
    struct alignas(kCacheLine) Leaf {
      std::array<Key, kRanges - 1> last;
      std::array<std::uint32_t, kRanges> found;
    };
    static_assert(sizeof(Leaf) == kCacheLine);

    static std::vector<Range> ranges_of(std::vector<Block> blocks);

    // Nodes lie in their order, so that nothing needs to say where those below are. Only the last
    // of a level may have free places; they have the greatest key.
    std::vector<std::vector<Branch>> levels_;  // the root's first
    std::vector<Leaf> leaves_;
  };

  // Found for the first half of an IPv6 address: see column `found - kColumn` for the second.
  static constexpr std::uint32_t kColumn = 0x8000'0000;

  Column<std::uint32_t> v4_;
  Column<std::uint64_t> v6_;
  std::vector<Column<std::uint64_t>> v6_halves_;  // one for each /64 with longer prefixes in it
};

}  // namespace vpntun::dataplane
