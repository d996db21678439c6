#include "packet/unreachable.h"

#include <gtest/gtest.h>

#include <map>

namespace vpntun::packet {
namespace {

constexpr std::uint8_t kUnreachable4 = 3;
constexpr std::uint8_t kUnreachable6 = 1;

std::map<Obstacle, unsigned> codes_by_obstacle(Family family, std::uint8_t type) {
  std::map<Obstacle, unsigned> found;
  for (unsigned code = 0; code < 256; ++code)
    if (const auto obstacle = obstacle_of(family, type, static_cast<std::uint8_t>(code)))
      ++found[*obstacle];
  return found;
}

TEST(Unreachable, HasAnObstacleForEachCodeThatSaysWhy) {
  EXPECT_EQ(obstacle_of(Family::kIpv4, kUnreachable4, 0), Obstacle::kNetwork);
  EXPECT_EQ(obstacle_of(Family::kIpv4, kUnreachable4, 1), Obstacle::kHost);
  EXPECT_EQ(obstacle_of(Family::kIpv4, kUnreachable4, 3), Obstacle::kPort);
  EXPECT_EQ(obstacle_of(Family::kIpv4, kUnreachable4, 13), Obstacle::kProhibited);
  EXPECT_EQ(obstacle_of(Family::kIpv6, kUnreachable6, 0), Obstacle::kNetwork);
  EXPECT_EQ(obstacle_of(Family::kIpv6, kUnreachable6, 1), Obstacle::kProhibited);
  EXPECT_EQ(obstacle_of(Family::kIpv6, kUnreachable6, 3), Obstacle::kHost);
  EXPECT_EQ(obstacle_of(Family::kIpv6, kUnreachable6, 4), Obstacle::kPort);
  using Counts = std::map<Obstacle, unsigned>;
  EXPECT_EQ(codes_by_obstacle(Family::kIpv4, kUnreachable4), (Counts{{Obstacle::kPort, 2},
                                                                     {Obstacle::kHost, 4},
                                                                     {Obstacle::kNetwork, 3},
                                                                     {Obstacle::kProhibited, 5}}));
  EXPECT_EQ(codes_by_obstacle(Family::kIpv6, kUnreachable6), (Counts{{Obstacle::kPort, 1},
                                                                     {Obstacle::kHost, 1},
                                                                     {Obstacle::kNetwork, 2},
                                                                     {Obstacle::kProhibited, 3}}));
}

TEST(Unreachable, IsNotWhatSpeaksOfSomethingElse) {
  EXPECT_FALSE(obstacle_of(Family::kIpv4, kUnreachable4, 4)) << "too big for the path";
  for (unsigned type = 0; type < 256; ++type) {
    if (type != kUnreachable4) {
      EXPECT_TRUE(codes_by_obstacle(Family::kIpv4, static_cast<std::uint8_t>(type)).empty());
    }
    if (type != kUnreachable6) {
      EXPECT_TRUE(codes_by_obstacle(Family::kIpv6, static_cast<std::uint8_t>(type)).empty());
    }
  }
}

TEST(Unreachable, HasAWordForEachObstacle) {
  EXPECT_EQ(to_string(Obstacle::kPort), "port");
  EXPECT_EQ(to_string(Obstacle::kHost), "host");
  EXPECT_EQ(to_string(Obstacle::kNetwork), "network");
  EXPECT_EQ(to_string(Obstacle::kProhibited), "prohibited");
}

}  // namespace
}  // namespace vpntun::packet
