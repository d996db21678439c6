// The replay window: wireguard-go's table, and any order against a plain set.
#include "wg/replay_window.h"

#include <cstdlib>
#include <memory>
#include <random>
#include <set>

#include "vectors/vectors.h"

namespace vpntun::wg {
namespace {

using vectors::Json;

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
constexpr std::uint64_t kWindow = ReplayWindow::kWindow;

TEST(ReplayWindow, AgreesWithWireguardGoStepByStep) {
  const Json table = vectors::load("wg_replay.json");
  EXPECT_EQ(table.at("window_size"), kWindow);
  const std::uint64_t limit = std::stoull(table.at("reject_after_messages").get<std::string>());
  ASSERT_EQ(table.at("steps").size(), 34u);
  ReplayWindow window;
  for (const Json& step : table.at("steps"))
    EXPECT_EQ(window.take(std::stoull(step.at(0).get<std::string>()), limit), step.at(1)) << step;
}

TEST(ReplayWindow, AgreesWithWireguardGoInBulk) {
  const Json table = vectors::load("wg_replay.json").at("bulk");
  ASSERT_EQ(table.size(), 6u);
  for (const Json& sequence : table) {
    ReplayWindow window;
    for (const Json& step : sequence) {
      SCOPED_TRACE(step.dump());
      if (step.at(0) == "one") {
        EXPECT_EQ(window.take(step.at(1), kNoLimit), step.at(2));
        continue;
      }
      const bool up = step.at(0) == "up";
      const std::uint64_t end = step.at(2);
      for (std::uint64_t counter = step.at(1);; up ? ++counter : --counter) {
        ASSERT_EQ(window.take(counter, kNoLimit), step.at(3)) << counter;
        if (counter == end) break;
      }
    }
  }
}

TEST(ReplayWindow, EachCounterOnce) {
  ReplayWindow window;
  for (std::uint64_t counter = 0; counter < 3 * kWindow; ++counter) {
    ASSERT_TRUE(window.take(counter, kNoLimit)) << counter;
    ASSERT_FALSE(window.take(counter, kNoLimit)) << counter;
    ASSERT_FALSE(window.take(counter / 2, kNoLimit)) << counter;
  }
}

TEST(ReplayWindow, ReachesExactlySoFarBack) {
  for (const std::uint64_t last :
       {kWindow, kWindow + 1, kWindow + 63, kWindow + 64, 3 * kWindow, kNoLimit - 1}) {
    ReplayWindow window;
    ASSERT_TRUE(window.take(last, kNoLimit));
    if (last > kWindow) {
      EXPECT_FALSE(window.take(last - kWindow - 1, kNoLimit)) << last;
    }
    EXPECT_TRUE(window.take(last - kWindow, kNoLimit)) << last;
    EXPECT_FALSE(window.take(last - kWindow, kNoLimit)) << last;
  }
}

TEST(ReplayWindow, LimitIsRefusedAndMovesNothing) {
  ReplayWindow window;
  EXPECT_FALSE(window.take(100000, 100000));
  EXPECT_FALSE(window.take(kNoLimit, 100000));
  EXPECT_TRUE(window.take(0, 100000));
  EXPECT_TRUE(window.take(99999, 100000));
}

TEST(ReplayWindow, ALeapForgetsEverythingBefore) {
  for (const std::uint64_t leap : {std::uint64_t{8128}, std::uint64_t{8192}, std::uint64_t{8193},
                                   std::uint64_t{1} << 40, kNoLimit - 9000}) {
    ReplayWindow window;
    for (std::uint64_t counter = 0; counter < 8192; ++counter) window.take(counter, kNoLimit);
    EXPECT_TRUE(window.take(8191 + leap, kNoLimit));
    const std::uint64_t oldest = 8191 + leap - kWindow;
    EXPECT_EQ(window.take(oldest, kNoLimit), oldest > 8191) << leap;
    EXPECT_TRUE(window.take(8190 + leap, kNoLimit)) << leap;
  }
}

// The same as ReplayWindow, by the definition.
class SlowWindow {
 public:
  bool take(std::uint64_t counter, std::uint64_t limit) {
    if (counter >= limit ||
        (!taken_.empty() && counter < *taken_.rbegin() && *taken_.rbegin() - counter > kWindow))
      return false;
    const bool is_new = taken_.insert(counter).second;
    while (*taken_.rbegin() - *taken_.begin() > kWindow) taken_.erase(taken_.begin());
    return is_new;
  }
  std::uint64_t last() const { return taken_.empty() ? 0 : *taken_.rbegin(); }

 private:
  std::set<std::uint64_t> taken_;
};

TEST(ReplayWindow, AgreesWithASetInAnyOrder) {
  const char* given = std::getenv("VPNTUN_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  SCOPED_TRACE("VPNTUN_SEED=" + std::to_string(seed));
  std::mt19937_64 chance(seed);
  const auto below = [&](std::uint64_t bound) { return chance() % bound; };
  for (int round = 0; round < 40; ++round) {
    ReplayWindow window;
    SlowWindow slow;
    const std::uint64_t limit = below(2) == 0 ? kNoLimit : 20000 + below(20000);
    for (int i = 0; i < 5000; ++i) {
      std::uint64_t counter = 0;
      switch (below(5)) {
        case 0:  // somewhat ahead
          counter = slow.last() + below(200);
          break;
        case 1:  // far ahead, rarely
          counter = slow.last() + (below(20) == 0 ? below(20000) : 1);
          break;
        case 2:  // at the far edge
          counter = slow.last() - std::min(slow.last(), kWindow - 2 + below(5));
          break;
        default:  // anywhere in between, and before
          counter = slow.last() - std::min(slow.last(), below(kWindow + 500));
      }
      ASSERT_EQ(window.take(counter, limit), slow.take(counter, limit))
          << "round " << round << " step " << i << ": " << counter;
    }
  }
}

}  // namespace
}  // namespace vpntun::wg
