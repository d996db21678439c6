#include "dataplane/allowed_ips.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "base/wire.h"

namespace vpntun::dataplane {
namespace {

template <class Key>
constexpr Key kGreatest = std::numeric_limits<Key>::max();

// How many of the sorted keys are less: all are compared, which is faster than a search that jumps.
template <class Key, std::size_t kSize>
std::size_t count_less(const std::array<Key, kSize>& sorted, Key key) noexcept {
  unsigned count = 0;
  for (const Key each : sorted) count += each < key ? 1 : 0;
  return count;
}

std::size_t nodes_for(std::size_t count, std::size_t places) {
  return (count + places - 1) / places;
}

template <class Node>
Node free_node() {
  Node node{};
  node.last.fill(kGreatest<typename decltype(node.last)::value_type>);
  return node;
}

// The last of every `size` of them, and the last of the rest.
template <class Key>
std::vector<Key> last_of_every(std::size_t size, const std::vector<Key>& all) {
  std::vector<Key> last;
  for (std::size_t i = 0; i < all.size(); i += size)
    last.push_back(all[std::min(i + size, all.size()) - 1]);
  return last;
}

}  // namespace

template <class Key>
auto AllowedIps::Column<Key>::block(Key address, unsigned length, std::uint32_t found) noexcept
    -> Block {
  const Key host = length < std::numeric_limits<Key>::digits ? kGreatest<Key> >> length : 0;
  return {address & ~host, address | host, found};
}

// Goes along all blocks by their beginnings, the outer before the inner, and keeps those that it is
// inside of. Wherever one begins or ends, the range so far was the innermost's.
template <class Key>
auto AllowedIps::Column<Key>::ranges_of(std::vector<Block> blocks) -> std::vector<Range> {
  std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) {
    return a.first != b.first ? a.first < b.first : a.last > b.last;
  });
  std::vector<Range> ranges;
  const auto end_range = [&ranges](Key last, std::uint32_t found) {
    if (!ranges.empty() && ranges.back().last >= last) return;  // nothing is left for it
    if (!ranges.empty() && ranges.back().found == found)
      ranges.back().last = last;
    else
      ranges.push_back({last, found});
  };
  std::vector<Block> inside{{0, kGreatest<Key>, kNoPeer}};
  const auto leave = [&] {
    end_range(inside.back().last, inside.back().found);
    inside.pop_back();
  };
  for (const Block& block : blocks) {
    while (inside.back().last < block.first) leave();
    if (block.first != 0) end_range(block.first - 1, inside.back().found);
    inside.push_back(block);
  }
  while (!inside.empty()) leave();
  return ranges;
}

template <class Key>
AllowedIps::Column<Key>::Column(std::vector<Block> blocks) {
  const std::vector<Range> ranges = ranges_of(std::move(blocks));
  std::vector<Key> last;  // of each range, then of each node of the level below
  leaves_.assign(nodes_for(ranges.size(), kRanges), free_node<Leaf>());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    Leaf& leaf = leaves_[i / kRanges];
    if (i % kRanges < leaf.last.size()) leaf.last[i % kRanges] = ranges[i].last;
    leaf.found[i % kRanges] = ranges[i].found;
    last.push_back(ranges[i].last);
  }
  last = last_of_every(kRanges, last);
  while (last.size() > 1) {
    std::vector<Branch> level(nodes_for(last.size(), kWays), free_node<Branch>());
    for (std::size_t i = 0; i < last.size(); ++i)
      if (i % kWays < kKeys) level[i / kWays].last[i % kWays] = last[i];
    last = last_of_every(kWays, last);
    levels_.insert(levels_.begin(), std::move(level));
  }
}

template <class Key>
std::uint32_t AllowedIps::Column<Key>::find(Key key) const noexcept {
  std::size_t node = 0;
  for (const auto& level : levels_) node = node * kWays + count_less(level[node].last, key);
  const Leaf& leaf = leaves_[node];
  return leaf.found[count_less(leaf.last, key)];
}

AllowedIps::AllowedIps(std::span<const AllowedIp> all) {
  using Whole = Column<std::uint32_t>;
  using Half = Column<std::uint64_t>;
  std::vector<Whole::Block> v4;
  std::vector<Half::Block> v6;
  std::map<std::uint64_t, std::vector<Half::Block>> longer;  // than /64, by their first halves
  for (const auto& [prefix, peer] : all) {
    const std::uint8_t* bytes = prefix.address.bytes().data();
    if (prefix.address.is_v4())
      v4.push_back(Whole::block(load_be<std::uint32_t>(bytes), prefix.length, peer));
    else if (prefix.length <= 64)
      v6.push_back(Half::block(load_be<std::uint64_t>(bytes), prefix.length, peer));
    else
      longer[load_be<std::uint64_t>(bytes)].push_back(
          Half::block(load_be<std::uint64_t>(bytes + 8), prefix.length - 64, peer));
  }
  v4_ = Whole(std::move(v4));
  v6_ = Half(v6);
  if (longer.empty()) return;
  v6_halves_.reserve(longer.size());
  for (auto& [half, blocks] : longer) {
    blocks.insert(blocks.begin(), Half::block(0, 0, v6_.find(half)));  // what is around them
    v6.push_back(Half::block(half, 64, kColumn + static_cast<std::uint32_t>(v6_halves_.size())));
    v6_halves_.emplace_back(std::move(blocks));
  }
  v6_ = Half(std::move(v6));
}

PeerIndex AllowedIps::lookup(std::span<const std::uint8_t> address) const noexcept {
  if (address.size() == 4) return v4_.find(load_be<std::uint32_t>(address.data()));
  const std::uint32_t found = v6_.find(load_be<std::uint64_t>(address.data()));
  const std::uint32_t column = found - kColumn;  // of a peer and of nobody: beyond all columns
  if (column >= v6_halves_.size()) return found;
  return v6_halves_[column].find(load_be<std::uint64_t>(address.data() + 8));
}

}  // namespace vpntun::dataplane
