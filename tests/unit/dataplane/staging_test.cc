#include "dataplane/staging.h"

#include <gtest/gtest.h>

namespace vpntun::dataplane {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(Staging, GivesBackWhatWaitsForAPeerInItsOrderOnce) {
  Staging staging;
  EXPECT_EQ(staging.hold(7, Bytes{1}), 0u);
  EXPECT_EQ(staging.hold(8, Bytes{2}), 0u);
  EXPECT_EQ(staging.hold(7, Bytes{3}), 0u);
  EXPECT_EQ(staging.take(7), (Staging::Packets{{1}, {3}}));
  EXPECT_TRUE(staging.take(7).empty());
  EXPECT_EQ(staging.take(8), (Staging::Packets{{2}}));
}

TEST(Staging, LetsTheOldestOfAPeerGoForTheNewest) {
  Staging staging;
  std::size_t gone = 0;
  for (std::size_t i = 0; i < Staging::kMaxPackets + 3; ++i)
    gone += staging.hold(1, Bytes{static_cast<std::uint8_t>(i)});
  EXPECT_EQ(gone, 3u);
  const Staging::Packets packets = staging.take(1);
  ASSERT_EQ(packets.size(), Staging::kMaxPackets);
  EXPECT_EQ(packets.front(), Bytes{3});
  EXPECT_EQ(packets.back(), Bytes{static_cast<std::uint8_t>(Staging::kMaxPackets + 2)});
}

TEST(Staging, HoldsNoMoreBytesThanItsLimitForAllPeersTogether) {
  Staging staging;
  const Bytes large(64 * 1024);
  std::size_t held = 0;
  for (wg::PeerId peer = 0; peer < 1000; ++peer) held += staging.hold(peer, large) == 0 ? 1 : 0;
  EXPECT_EQ(held, Staging::kMaxBytes / large.size());
  staging.take(0);
  EXPECT_EQ(staging.hold(999, large), 0u) << "room is given back";
}

}  // namespace
}  // namespace vpntun::dataplane
