#include "base/tunnel_state.h"

#include <gtest/gtest.h>

#include <set>

namespace vpntun {
namespace {

using enum Lifecycle;

constexpr Lifecycle kAll[] = {kStopped, kStarting, kRunning, kReloading, kStopping, kFailed};

TEST(Lifecycle, WordsAreThoseOfTheContract) {
  std::set<std::string_view> words;
  for (const Lifecycle state : kAll) words.insert(to_string(state));
  EXPECT_EQ(words, (std::set<std::string_view>{"failed", "reloading", "running", "starting",
                                               "stopped", "stopping"}));
}

TEST(Lifecycle, LegalMovesAreTheseAndNoOthers) {
  const std::set<std::pair<Lifecycle, Lifecycle>> legal{
      {kStopped, kFailed},     {kStopped, kStarting},  {kStopped, kRunning},
      {kFailed, kStarting},    {kFailed, kRunning},    {kFailed, kStopped},
      {kStarting, kRunning},   {kStarting, kStopping}, {kStarting, kFailed},
      {kStarting, kStopped},   {kRunning, kReloading}, {kRunning, kStopping},
      {kRunning, kFailed},     {kRunning, kStopped},   {kReloading, kRunning},
      {kReloading, kStopping}, {kReloading, kFailed},  {kReloading, kStopped},
      {kStopping, kStopped},   {kStopping, kFailed},   {kRunning, kStarting},
      {kReloading, kStarting}, {kStopping, kRunning},  {kStopping, kStarting},
  };
  for (const Lifecycle from : kAll)
    for (const Lifecycle to : kAll)
      EXPECT_EQ(is_legal(from, to), legal.contains({from, to}))
          << to_string(from) << " -> " << to_string(to);
}

TEST(Lifecycle, EveryStateCanEndAndBeLeft) {
  for (const Lifecycle state : kAll) {
    int ways_out = 0;
    for (const Lifecycle to : kAll) ways_out += is_legal(state, to) ? 1 : 0;
    EXPECT_GT(ways_out, 0) << to_string(state);
  }
}

TEST(Health, WordsGoBothWays) {
  for (const Health health :
       {Health::kUnknown, Health::kHealthy, Health::kDegraded, Health::kFailing})
    EXPECT_EQ(parse_health(to_string(health)), health);
  EXPECT_FALSE(parse_health("fine"));
  EXPECT_FALSE(parse_health(""));
  EXPECT_FALSE(parse_health("Healthy"));
}

}  // namespace
}  // namespace vpntun
