// Allowed IPs: longest prefix match from an inner address to its peer. A path-compressed binary
// trie for each family. Built by the control thread, moved into a worker, then only read. Pure.
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

class AllowedIps {
 public:
  // Host bits are ignored. A prefix that is there already changes its owner.
  void insert(const IpPrefix& prefix, PeerIndex peer);
  // Forgets every prefix of the peer. Linear in all prefixes.
  void remove_peer(PeerIndex peer);
  // address: 4 or 16 bytes in network order. kNoPeer: nobody's.
  PeerIndex lookup(std::span<const std::uint8_t> address) const noexcept;
  // Prefixes held.
  std::size_t size() const noexcept;

 private:
  // An address of up to 128 bits from the most significant bit down; IPv4 fills the first 32.
  struct Key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    bool operator==(const Key&) const = default;
  };
  struct Node {
    Key key;  // bits after `length` are zero
    std::array<std::uint32_t, 2> child{kNone, kNone};
    PeerIndex peer = kNoPeer;  // kNoPeer: only a fork
    std::uint8_t length = 0;
  };
  struct Trie {
    std::vector<Node> nodes;
    std::uint32_t root = kNone;
    std::size_t prefixes = 0;

    void insert(const Key& key, std::uint8_t length, PeerIndex peer);
    PeerIndex lookup(const Key& key, std::uint8_t bits) const noexcept;
    void remove_peer(PeerIndex peer);
    std::uint32_t add(const Key& key, std::uint8_t length, PeerIndex peer);
  };
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  static Key key_of(std::span<const std::uint8_t> address) noexcept;
  static Key masked(const Key& key, unsigned length) noexcept;
  static unsigned common_bits(const Key& a, const Key& b) noexcept;
  static unsigned bit(const Key& key, unsigned position) noexcept;

  Trie v4_;
  Trie v6_;
};

}  // namespace vpntun::dataplane
