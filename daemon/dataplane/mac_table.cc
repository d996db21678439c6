#include "dataplane/mac_table.h"

#include <algorithm>

namespace vpntun::dataplane {
namespace {

constexpr std::size_t kBuckets = 8192;  // a power of two, twice the capacity

}  // namespace

MacTable::MacTable(std::uint64_t seed, std::size_t peers)
    : seed_(seed), entries_(kCapacity), buckets_(kBuckets, kNone) {
  reset(peers);
}

void MacTable::reset(std::size_t peers) {
  held_.assign(peers + 1, 0);
  std::fill(buckets_.begin(), buckets_.end(), kNone);
  for (std::size_t i = 0; i < kCapacity; ++i) {
    entries_[i] = Entry{};
    entries_[i].next = i + 1 < kCapacity ? static_cast<std::uint32_t>(i + 1) : kNone;
  }
  free_ = 0;
  oldest_ = youngest_ = kNone;
  used_ = 0;
}

void MacTable::renumber(std::span<const PeerIndex> places, std::size_t peers) {
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i] == kNoPeer) flush(static_cast<PeerIndex>(i));
  held_.assign(peers + 1, 0);
  for (std::uint32_t index = oldest_; index != kNone; index = entries_[index].younger) {
    PeerIndex& place = entries_[index].place;
    if (place != kInside) place = places[place];
    ++held_by(place);
  }
}

// The finisher of MurmurHash3 over the seeded address: a stranger to the seed cannot choose the
// bucket cheaply.
std::size_t MacTable::bucket_of(const MacAddress& mac) const noexcept {
  std::uint64_t value = seed_;
  for (const std::uint8_t byte : mac.bytes) value = (value ^ byte) * 0x100000001b3u;
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdu;
  value ^= seed_ >> 7;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53u;
  value ^= value >> 33;
  return static_cast<std::size_t>(value & (kBuckets - 1));
}

std::uint32_t& MacTable::held_by(PeerIndex place) noexcept {
  return place == kInside ? held_.back() : held_[place];
}

std::uint32_t MacTable::index_of(const MacAddress& mac) const noexcept {
  std::uint32_t index = buckets_[bucket_of(mac)];
  while (index != kNone && entries_[index].mac != mac) index = entries_[index].next;
  return index;
}

PeerIndex MacTable::find(const MacAddress& mac, Instant now) const noexcept {
  const std::uint32_t index = index_of(mac);
  if (index == kNone || now - entries_[index].seen >= kAgeing) return kNoPeer;
  return entries_[index].place;
}

MacTable::Learned MacTable::learn(const MacAddress& mac, PeerIndex place, Instant now) noexcept {
  if (mac.is_multicast()) return Learned::kIgnored;
  std::uint32_t index = index_of(mac);
  if (index != kNone) {
    Entry& entry = entries_[index];
    const bool aged = now - entry.seen >= kAgeing;
    const bool moved = entry.place != place;
    if (moved && held_by(place) >= kPerPeer) {
      erase(index);
      return Learned::kIgnored;
    }
    --held_by(entry.place);
    ++held_by(place);
    entry.place = place;
    touch(index, now);
    if (aged) return Learned::kNew;
    return moved ? Learned::kMoved : Learned::kKnown;
  }
  index = take_free(place, now);
  if (index == kNone) return Learned::kIgnored;
  Entry& entry = entries_[index];
  const std::size_t bucket = bucket_of(mac);
  entry.mac = mac;
  entry.place = place;
  entry.seen = now;
  entry.next = buckets_[bucket];
  buckets_[bucket] = index;
  link_youngest(index);
  ++held_by(place);
  ++used_;
  return Learned::kNew;
}

// An unused entry for an address at `place`; kNone: the place has its share, or the table is full
// of fresh ones.
std::uint32_t MacTable::take_free(PeerIndex place, Instant now) noexcept {
  while (oldest_ != kNone && now - entries_[oldest_].seen >= kAgeing) erase(oldest_);
  if (held_by(place) >= kPerPeer || free_ == kNone) return kNone;
  const std::uint32_t index = free_;
  free_ = entries_[index].next;
  return index;
}

void MacTable::flush(PeerIndex place) noexcept {
  std::uint32_t index = oldest_;
  while (index != kNone) {
    const std::uint32_t younger = entries_[index].younger;
    if (entries_[index].place == place) erase(index);
    index = younger;
  }
}

void MacTable::touch(std::uint32_t index, Instant now) noexcept {
  if (now <= entries_[index].seen) return;
  entries_[index].seen = now;
  if (youngest_ == index) return;
  unlink_age(index);
  link_youngest(index);
}

void MacTable::link_youngest(std::uint32_t index) noexcept {
  entries_[index].older = youngest_;
  entries_[index].younger = kNone;
  (youngest_ == kNone ? oldest_ : entries_[youngest_].younger) = index;
  youngest_ = index;
}

void MacTable::unlink_age(std::uint32_t index) noexcept {
  const Entry& entry = entries_[index];
  (entry.older == kNone ? oldest_ : entries_[entry.older].younger) = entry.younger;
  (entry.younger == kNone ? youngest_ : entries_[entry.younger].older) = entry.older;
}

void MacTable::erase(std::uint32_t index) noexcept {
  std::uint32_t* link = &buckets_[bucket_of(entries_[index].mac)];
  while (*link != index) link = &entries_[*link].next;
  *link = entries_[index].next;
  unlink_age(index);
  --held_by(entries_[index].place);
  entries_[index] = Entry{};
  entries_[index].next = free_;
  free_ = index;
  --used_;
}

}  // namespace vpntun::dataplane
