#include "dataplane/refusals.h"

#include <gtest/gtest.h>

#include "simulated.h"

namespace vpntun::dataplane {
namespace {

using namespace std::chrono_literals;
using packet::Obstacle;
using packet::Unreachable;

Unreachable unreachable(const std::string& remote, Obstacle obstacle = Obstacle::kPort) {
  return {endpoint(remote), obstacle, endpoint(remote).address, false};
}

class RefusalsTest : public ::testing::Test {
 protected:
  RefusalsTest() {
    world_.peers({configured("a", "10.0.2.7:9090"), configured("b", "10.0.2.9:9090")});
  }
  void note(const std::vector<Unreachable>& unreachables) {
    refusals_.note(unreachables, world_.tables);
  }
  PeerRecord& record(PeerIndex peer) { return *world_.tables.peers[peer].record; }
  // Whether something was to be told since the last time.
  bool news() {
    const bool any = !world_.tables.news.empty();
    for (const PeerIndex peer : world_.tables.news) record(peer).announced();
    world_.tables.news.clear();
    return any;
  }

  Simulation world_{false};
  Refusals refusals_;
};

TEST_F(RefusalsTest, AreNotedForThePeerAtThatEndpoint) {
  note({unreachable("10.0.2.9:9090", Obstacle::kProhibited)});
  EXPECT_FALSE(record(0).refused());
  const auto refused = record(1).refused();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->what, unreachable("10.0.2.9:9090", Obstacle::kProhibited));
  EXPECT_EQ(refused->when, world_.tables.now);
  EXPECT_TRUE(news());
}

TEST_F(RefusalsTest, OfNobodysEndpointAreNothing) {
  note({unreachable("10.0.2.9:9091"), unreachable("203.0.113.1:9090")});
  EXPECT_FALSE(record(0).refused());
  EXPECT_FALSE(record(1).refused());
  EXPECT_FALSE(news());
}

TEST_F(RefusalsTest, AreNewsWhenTheySayAnotherThingOrAfterAWhile) {
  note({unreachable("10.0.2.7:9090")});
  EXPECT_TRUE(news());
  world_.wait(1s);
  note({unreachable("10.0.2.7:9090")});
  EXPECT_FALSE(news());
  EXPECT_EQ(record(0).refused()->when, world_.tables.now) << "though it is noted";
  note({unreachable("10.0.2.7:9090", Obstacle::kHost)});
  EXPECT_TRUE(news());
  note({unreachable("10.0.2.7:9090")});
  EXPECT_TRUE(news());
}

TEST_F(RefusalsTest, OfAFloodAreLookedAtInPart) {
  const std::vector<Unreachable> flood(Refusals::kMost, unreachable("203.0.113.1:9090"));
  note(flood);
  note({unreachable("10.0.2.7:9090")});
  EXPECT_FALSE(record(0).refused());
  world_.wait(1s);
  note({unreachable("10.0.2.7:9090")});
  EXPECT_TRUE(record(0).refused());
}

TEST_F(RefusalsTest, ChangeNothingElseOfThePeer) {
  note({unreachable("10.0.2.7:9090")});
  world_.from_inside(ip_packet("10.0.0.1", "10.0.0.2"));
  EXPECT_EQ(world_.endpoint_of(0), endpoint("10.0.2.7:9090"));
  EXPECT_EQ(world_.traffic_of(0).rx_packets, 0u);
}

}  // namespace
}  // namespace vpntun::dataplane
