// The rate limit of handshake messages: wireguard-go's table, sources, bounds.
#include "wg/rate_limiter.h"

#include "vectors/vectors.h"

namespace vpntun::wg {
namespace {

using namespace std::chrono_literals;
using vectors::Json;

constexpr Instant kStart{1000s};

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
IpAddress numbered(std::uint32_t number) {
  return IpAddress::v4(10, static_cast<std::uint8_t>(number >> 16),
                       static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number));
}

TEST(RateLimiter, AgreesWithWireguardGo) {
  const Json table = vectors::load("wg_ratelimiter.json");
  EXPECT_EQ(table.at("packets_per_second"), RateLimiter::kPerSecond);
  EXPECT_EQ(table.at("packets_burstable"), RateLimiter::kBurst);
  ASSERT_EQ(table.at("steps").size(), 11u);
  ASSERT_EQ(table.at("addresses").size(), 14u);
  RateLimiter limiter;
  Instant now = kStart;
  for (const Json& step : table.at("steps")) {
    now += std::chrono::milliseconds(step.at("ms").get<int>());
    for (const Json& address : table.at("addresses"))
      EXPECT_EQ(limiter.allow(ip(address.get<std::string>()), now), step.at("allow"))
          << step << address;
  }
}

TEST(RateLimiter, TwentyASecondInTheLongRun) {
  RateLimiter limiter;
  unsigned allowed = 0;
  for (Duration passed{}; passed < 60s; passed += 1ms)
    if (limiter.allow(ip("192.0.2.1"), kStart + passed)) ++allowed;
  EXPECT_EQ(allowed, 60 * RateLimiter::kPerSecond - 1 + RateLimiter::kBurst);
}

TEST(RateLimiter, RefusalsCostNothing) {
  RateLimiter limiter;
  for (unsigned i = 0; i < RateLimiter::kBurst; ++i) limiter.allow(ip("192.0.2.1"), kStart);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(limiter.allow(ip("192.0.2.1"), kStart + 49ms));
  EXPECT_TRUE(limiter.allow(ip("192.0.2.1"), kStart + 50ms));
}

TEST(RateLimiter, SilenceSavesNoMoreThanABurst) {
  for (const Duration silence : {250ms, 999ms, 1000ms, 1001ms, 3600000ms}) {
    RateLimiter fresh;
    for (unsigned i = 0; i < RateLimiter::kBurst; ++i) fresh.allow(ip("192.0.2.1"), kStart);
    unsigned allowed = 0;
    while (fresh.allow(ip("192.0.2.1"), kStart + silence)) ++allowed;
    EXPECT_EQ(allowed, RateLimiter::kBurst) << silence.count();
  }
}

TEST(RateLimiter, Ipv6IsCountedByItsNetwork) {
  RateLimiter limiter;
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(limiter.allow(ip("2001:db8:0:1::" + std::to_string(i)), kStart));
  EXPECT_FALSE(limiter.allow(ip("2001:db8:0:1:ffff:ffff:ffff:ffff"), kStart));
  EXPECT_TRUE(limiter.allow(ip("2001:db8:0:2::"), kStart));
  EXPECT_EQ(limiter.size(), 2u);
}

TEST(RateLimiter, FamiliesAreApart) {
  RateLimiter limiter;
  for (int i = 0; i < 6; ++i) limiter.allow(ip("0.0.0.1"), kStart);
  EXPECT_FALSE(limiter.allow(ip("0.0.0.1"), kStart));
  EXPECT_TRUE(limiter.allow(ip("0:0:0:1::"), kStart));
  EXPECT_TRUE(limiter.allow(ip("1::"), kStart));
  EXPECT_TRUE(limiter.allow(ip("0.0.0.2"), kStart));
}

TEST(RateLimiter, HoldsNoMoreThanItsBound) {
  RateLimiter limiter;
  for (std::uint32_t i = 0; i < RateLimiter::kMaxSources; ++i)
    ASSERT_TRUE(limiter.allow(numbered(i), kStart));
  EXPECT_EQ(limiter.size(), RateLimiter::kMaxSources);
  for (std::uint32_t i = 0; i < 20000; ++i)
    ASSERT_FALSE(limiter.allow(numbered(1000000 + i), kStart + 500ms));
  EXPECT_EQ(limiter.size(), RateLimiter::kMaxSources);
  EXPECT_TRUE(limiter.allow(numbered(1), kStart + 500ms));  // who is there already goes on
}

TEST(RateLimiter, ForgetsTheSilent) {
  RateLimiter limiter;
  for (std::uint32_t i = 0; i < 100; ++i) limiter.allow(numbered(i), kStart);
  limiter.allow(numbered(1), kStart + 900ms);
  EXPECT_EQ(limiter.size(), 100u);
  EXPECT_TRUE(limiter.allow(numbered(2), kStart + 1100ms));
  EXPECT_EQ(limiter.size(), 2u);
}

TEST(RateLimiter, AFloodOfSourcesDoesNotKeepOutNewOnesForLong) {
  RateLimiter limiter;
  std::uint32_t next = 0;
  for (Duration passed{}; passed < 5s; passed += 10ms) {
    for (int i = 0; i < 1000; ++i) limiter.allow(numbered(next++), kStart + passed);
    ASSERT_LE(limiter.size(), RateLimiter::kMaxSources);
  }
  EXPECT_TRUE(limiter.allow(ip("192.0.2.1"), kStart + 7s));
}

}  // namespace
}  // namespace vpntun::wg
