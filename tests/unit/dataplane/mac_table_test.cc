#include "dataplane/mac_table.h"

#include <gtest/gtest.h>

namespace vpntun::dataplane {
namespace {

using Learned = MacTable::Learned;

const Instant kStart{std::chrono::hours(1)};

MacAddress numbered(std::uint32_t n) {
  return MacAddress{{0x02, 0, static_cast<std::uint8_t>(n >> 24),
                     static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8),
                     static_cast<std::uint8_t>(n)}};
}

TEST(MacTable, LearnsAndFinds) {
  MacTable table(1, 3);
  EXPECT_EQ(table.find(numbered(1), kStart), kNoPeer);
  EXPECT_EQ(table.learn(numbered(1), 2, kStart), Learned::kNew);
  EXPECT_EQ(table.learn(numbered(1), 2, kStart), Learned::kKnown);
  EXPECT_EQ(table.find(numbered(1), kStart), 2u);
  EXPECT_EQ(table.size(), 1u);
}

TEST(MacTable, AddressMovesToAnotherPeer) {
  MacTable table(1, 3);
  table.learn(numbered(1), 0, kStart);
  EXPECT_EQ(table.learn(numbered(1), 1, kStart), Learned::kMoved);
  EXPECT_EQ(table.find(numbered(1), kStart), 1u);
  table.learn(numbered(1), kInside, kStart);
  EXPECT_EQ(table.find(numbered(1), kStart), kInside);
  EXPECT_EQ(table.size(), 1u);
}

TEST(MacTable, ForgetsWhatIsSilentForFiveMinutes) {
  MacTable table(1, 1);
  table.learn(numbered(1), 0, kStart);
  EXPECT_EQ(table.find(numbered(1), kStart + MacTable::kAgeing - Duration(1)), 0u);
  EXPECT_EQ(table.find(numbered(1), kStart + MacTable::kAgeing), kNoPeer);
  EXPECT_EQ(table.learn(numbered(1), 0, kStart + MacTable::kAgeing), Learned::kNew);
}

TEST(MacTable, SeenAgainLivesLonger) {
  MacTable table(1, 1);
  table.learn(numbered(1), 0, kStart);
  table.learn(numbered(1), 0, kStart + std::chrono::seconds(200));
  EXPECT_EQ(table.find(numbered(1), kStart + std::chrono::seconds(400)), 0u);
}

TEST(MacTable, NeverLearnsAMulticastAddress) {
  MacTable table(1, 1);
  EXPECT_EQ(table.learn(MacAddress{{0x01, 0, 0x5e, 0, 0, 1}}, 0, kStart), Learned::kIgnored);
  EXPECT_EQ(table.size(), 0u);
}

TEST(MacTable, OnePeerCannotFillTheTable) {
  MacTable table(1, 2);
  table.learn(numbered(1'000'000), 1, kStart);
  for (std::uint32_t i = 0; i < 100'000; ++i) table.learn(numbered(i), 0, kStart);
  EXPECT_EQ(table.size(), MacTable::kPerPeer + 1);
  EXPECT_EQ(table.find(numbered(1'000'000), kStart), 1u);
  EXPECT_EQ(table.learn(numbered(1'000'001), 1, kStart), Learned::kNew);
  // Nor by moving the addresses of others to itself: those are flooded.
  EXPECT_EQ(table.learn(numbered(1'000'000), 0, kStart), Learned::kIgnored);
  EXPECT_EQ(table.find(numbered(1'000'000), kStart), kNoPeer);
}

TEST(MacTable, FullTableTakesNewAddressesWhenOldOnesHaveAged) {
  MacTable table(1, 5);
  for (PeerIndex peer = 0; peer < 4; ++peer)
    for (std::uint32_t i = 0; i < MacTable::kPerPeer; ++i)
      ASSERT_EQ(table.learn(numbered(peer * 10'000 + i), peer, kStart), Learned::kNew);
  EXPECT_EQ(table.size(), MacTable::kCapacity);
  EXPECT_EQ(table.learn(numbered(99'999), 4, kStart), Learned::kIgnored);
  EXPECT_EQ(table.learn(numbered(99'999), 4, kStart + MacTable::kAgeing), Learned::kNew);
  EXPECT_EQ(table.size(), 1u);
}

TEST(MacTable, FlushForgetsOnePeerOnly) {
  MacTable table(1, 2);
  for (std::uint32_t i = 0; i < 100; ++i) table.learn(numbered(i), i % 2, kStart);
  table.flush(0);
  EXPECT_EQ(table.size(), 50u);
  EXPECT_EQ(table.find(numbered(0), kStart), kNoPeer);
  EXPECT_EQ(table.find(numbered(1), kStart), 1u);
  for (std::uint32_t i = 0; i < MacTable::kPerPeer; ++i)
    ASSERT_EQ(table.learn(numbered(5000 + i), 0, kStart), Learned::kNew);
}

TEST(MacTable, AddressesFollowTheirPeerToItsNewIndex) {
  MacTable table(1, 2);
  table.learn(numbered(1), 0, kStart);
  table.learn(numbered(2), 1, kStart);
  table.learn(numbered(3), kInside, kStart);
  table.renumber(std::vector<PeerIndex>{kNoPeer, 8}, 9);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.find(numbered(1), kStart), kNoPeer);
  EXPECT_EQ(table.find(numbered(2), kStart), 8u);
  EXPECT_EQ(table.find(numbered(3), kStart), kInside);
  for (std::uint32_t i = 1; i < MacTable::kPerPeer; ++i)
    ASSERT_EQ(table.learn(numbered(5000 + i), 8, kStart), Learned::kNew);
  EXPECT_EQ(table.learn(numbered(1), 8, kStart), Learned::kIgnored);
}

}  // namespace
}  // namespace vpntun::dataplane
