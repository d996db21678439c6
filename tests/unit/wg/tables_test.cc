// The index table, the deadline queue and the roster, each against something simpler.
#include <gtest/gtest.h>

#include <map>

#include "allocations.h"
#include "two_devices.h"
#include "wg/deadline_queue.h"
#include "wg/index_table.h"
#include "wg/roster.h"

namespace vpntun::wg {
namespace {

TEST(IndexTable, EveryIndexIsFoundAsLongAsItIsLeasedAndNoLonger) {
  IndexTable table(seeded(1));
  std::map<std::uint32_t, std::pair<PeerId, IndexTable::Lease>> leases;
  std::mt19937 chance(2);
  for (PeerId i = 0; i < 20'000; ++i) {
    if (leases.empty() || chance() % 3 != 0) {
      IndexTable::Lease lease = table.take(i);
      const std::uint32_t index = lease.index();
      ASSERT_TRUE(leases.emplace(index, std::pair(i, std::move(lease))).second) << "given twice";
    } else {
      const auto gone = std::next(leases.begin(), static_cast<long>(chance() % leases.size()));
      const std::uint32_t index = gone->first;
      leases.erase(gone);
      ASSERT_EQ(table.find(index), nullptr);
    }
    ASSERT_EQ(table.size(), leases.size());
    if (i % 1000 != 0) continue;
    for (const auto& [index, lease] : leases) ASSERT_EQ(table.find(index)->peer, lease.first);
  }
}

TEST(IndexTable, AMovedLeaseGivesItsIndexBackOnce) {
  IndexTable table(seeded(1));
  IndexTable::Lease first = table.take(1);
  IndexTable::Lease second = std::move(first);
  EXPECT_EQ(table.size(), 1u);
  first = table.take(2);
  second = std::move(first);
  { const IndexTable::Lease ended = std::move(first); }
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.find(second.index())->peer, 2u);
}

TEST(IndexTable, AnIndexOfChanceMeansNobody) {
  IndexTable table(seeded(1));
  std::vector<IndexTable::Lease> leases;
  for (PeerId i = 0; i < 1000; ++i) leases.push_back(table.take(i));
  std::mt19937 chance(3);
  unsigned found = 0;
  for (int i = 0; i < 100'000; ++i)
    found += table.find(static_cast<std::uint32_t>(chance())) != nullptr;
  EXPECT_LE(found, 2u);
}

TEST(DeadlineQueue, ItsFirstIsAlwaysTheEarliest) {
  DeadlineQueue queue;
  std::map<PeerId, Instant> reference;
  std::mt19937 chance(1);
  for (int i = 0; i < 50'000; ++i) {
    const PeerId peer = static_cast<PeerId>(chance() % 200);
    const Instant when =
        chance() % 4 == 0 ? kNever : Instant(std::chrono::milliseconds(chance() % 1000));
    queue.set(peer, when);
    if (when == kNever) {
      reference.erase(peer);
    } else {
      reference[peer] = when;
    }
    ASSERT_EQ(queue.size(), reference.size());
    ASSERT_EQ(queue.when(peer), when);
    if (reference.empty()) {
      ASSERT_EQ(queue.first(), nullptr);
      continue;
    }
    const auto earliest =
        std::ranges::min_element(reference, {}, [](const auto& entry) { return entry.second; });
    ASSERT_EQ(queue.first()->when, earliest->second);
    ASSERT_EQ(queue.when(queue.first()->peer), earliest->second);
  }
}

TEST(DeadlineQueue, MovingAPeerAllocatesNothing) {
  DeadlineQueue queue;
  for (PeerId peer = 0; peer < 100; ++peer) queue.set(peer, Instant(1s));
  const std::size_t before = allocations();
  for (PeerId peer = 0; peer < 100; ++peer) {
    queue.set(peer, Instant(std::chrono::seconds(peer)));
    queue.set(peer, kNever);
    queue.set(peer, Instant(5s));
  }
  EXPECT_EQ(allocations(), before);
}

TEST(DeadlineQueue, WhoWasNeverInItIsNever) {
  DeadlineQueue queue;
  EXPECT_EQ(queue.when(7), kNever);
  queue.set(7, kNever);
  EXPECT_EQ(queue.first(), nullptr);
}

TEST(Roster, PeersAreFoundByNumberAndByKeyAndNumbersAreGivenAgain) {
  Roster roster;
  const auto key = [](unsigned i) { return crypto::public_key_of(key_of(i)); };
  for (unsigned i = 0; i < 100; ++i) EXPECT_EQ(roster.add(key(i)).id, i);
  for (unsigned i = 0; i < 100; i += 2) roster.remove(i);
  EXPECT_EQ(roster.size(), 50u);
  for (unsigned i = 0; i < 100; ++i) {
    EXPECT_EQ(roster.at(i) != nullptr, i % 2 == 1);
    EXPECT_EQ(roster.find(key(i)), roster.at(i));
  }
  for (unsigned i = 100; i < 150; ++i) EXPECT_LT(roster.add(key(i)).id, 100u);
  EXPECT_EQ(roster.size(), 100u);
  EXPECT_EQ(roster.at(100), nullptr);
  EXPECT_EQ(roster.at(kNobody), nullptr);
}

}  // namespace
}  // namespace vpntun::wg
