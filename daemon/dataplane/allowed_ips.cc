#include "dataplane/allowed_ips.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/wire.h"

namespace vpntun::dataplane {

AllowedIps::Key AllowedIps::key_of(std::span<const std::uint8_t> address) noexcept {
  if (address.size() == 4) return {std::uint64_t{load_be<std::uint32_t>(address.data())} << 32, 0};
  return {load_be<std::uint64_t>(address.data()), load_be<std::uint64_t>(address.data() + 8)};
}

AllowedIps::Key AllowedIps::masked(const Key& key, unsigned length) noexcept {
  if (length == 0) return {};
  if (length < 64) return {key.high & (~std::uint64_t{0} << (64 - length)), 0};
  if (length == 64) return {key.high, 0};
  if (length < 128) return {key.high, key.low & (~std::uint64_t{0} << (128 - length))};
  return key;
}

unsigned AllowedIps::common_bits(const Key& a, const Key& b) noexcept {
  if (a.high != b.high) return static_cast<unsigned>(std::countl_zero(a.high ^ b.high));
  return 64 + static_cast<unsigned>(std::countl_zero(a.low ^ b.low));
}

unsigned AllowedIps::bit(const Key& key, unsigned position) noexcept {
  return position < 64 ? static_cast<unsigned>((key.high >> (63 - position)) & 1)
                       : static_cast<unsigned>((key.low >> (127 - position)) & 1);
}

void AllowedIps::insert(const IpPrefix& prefix, PeerIndex peer) {
  Trie& trie = prefix.address.is_v4() ? v4_ : v6_;
  trie.insert(masked(key_of(prefix.address.bytes()), prefix.length),
              static_cast<std::uint8_t>(prefix.length), peer);
}

void AllowedIps::remove_peer(PeerIndex peer) {
  v4_.remove_peer(peer);
  v6_.remove_peer(peer);
}

PeerIndex AllowedIps::lookup(std::span<const std::uint8_t> address) const noexcept {
  return address.size() == 4 ? v4_.lookup(key_of(address), 32) : v6_.lookup(key_of(address), 128);
}

std::size_t AllowedIps::size() const noexcept {
  return v4_.prefixes + v6_.prefixes;
}

std::uint32_t AllowedIps::Trie::add(const Key& key, std::uint8_t length, PeerIndex peer) {
  Node node;
  node.key = key;
  node.length = length;
  node.peer = peer;
  nodes.push_back(node);
  return static_cast<std::uint32_t>(nodes.size() - 1);
}

// Links are found by index again after add(), which moves the nodes.
void AllowedIps::Trie::insert(const Key& key, std::uint8_t length, PeerIndex peer) {
  std::uint32_t parent = kNone;
  unsigned side = 0;
  std::uint32_t current = root;
  unsigned common = 0;
  while (current != kNone) {
    const Node& node = nodes[current];
    common = std::min({common_bits(key, node.key), unsigned{length}, unsigned{node.length}});
    if (common < node.length || node.length == length) break;
    parent = current;
    side = bit(key, node.length);
    current = node.child[side];
  }

  std::uint32_t added = current;
  if (current == kNone) {
    added = add(key, length, peer);
  } else if (common == nodes[current].length) {  // the same prefix
    prefixes -= nodes[current].peer == kNoPeer ? 0 : 1;
    nodes[current].peer = peer;
  } else if (common == length) {  // the new prefix holds the node's
    added = add(key, length, peer);
    nodes[added].child[bit(nodes[current].key, length)] = current;
  } else {
    const std::uint32_t leaf = add(key, length, peer);
    added = add(masked(key, common), static_cast<std::uint8_t>(common), kNoPeer);
    nodes[added].child[bit(key, common)] = leaf;
    nodes[added].child[bit(nodes[current].key, common)] = current;
  }
  ++prefixes;
  (parent == kNone ? root : nodes[parent].child[side]) = added;
}

PeerIndex AllowedIps::Trie::lookup(const Key& key, std::uint8_t bits) const noexcept {
  PeerIndex best = kNoPeer;
  std::uint32_t current = root;
  while (current != kNone) {
    const Node& node = nodes[current];
    if (masked(key, node.length) != node.key) break;
    if (node.peer != kNoPeer) best = node.peer;
    if (node.length == bits) break;
    current = node.child[bit(key, node.length)];
  }
  return best;
}

// Builds the trie anew from what is left: removing is rare, and nothing empty stays behind.
void AllowedIps::Trie::remove_peer(PeerIndex peer) {
  const std::vector<Node> old = std::exchange(nodes, {});
  root = kNone;
  prefixes = 0;
  for (const Node& node : old)
    if (node.peer != kNoPeer && node.peer != peer) insert(node.key, node.length, node.peer);
}

}  // namespace vpntun::dataplane
