#include "base/folding.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace vpntun::log {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

Instant at(int second) {
  return Instant{} + std::chrono::hours(1) + seconds(second);
}

Line moved(const std::string& peer, const std::string& endpoint) {
  return {Level::kNotice,
          Event::kEndpointMoved,
          {.peer = peer, .endpoint = endpoint},
          peer + " is at " + endpoint};
}

// The lines that are let through at once.
void use_up(Folding& folding, const Line& line, Instant now) {
  for (unsigned i = 0; i < Folding::kAtOnce; ++i) EXPECT_TRUE(folding.admit(line, now));
}

TEST(Folding, TheFirstGoThroughAndTheLastOfAMinuteComesOutWithTheirNumber) {
  Folding folding;
  use_up(folding, moved("u", "a"), at(0));
  EXPECT_EQ(folding.due(), std::nullopt);
  EXPECT_FALSE(folding.admit(moved("u", "b"), at(1)));
  EXPECT_FALSE(folding.admit(moved("u", "c"), at(59)));
  EXPECT_EQ(folding.due(), at(60));
  EXPECT_THAT(folding.take_due(at(59)), IsEmpty());

  const std::vector<Line> lines = folding.take_due(at(60));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text, "u is at c (repeated 2 times in 60 s)");
  EXPECT_EQ(lines[0].repeated, 2u);
  EXPECT_EQ(lines[0].fields.endpoint, "c");
  EXPECT_EQ(lines[0].level, Level::kNotice);
  EXPECT_EQ(folding.due(), std::nullopt);
}

TEST(Folding, AFloodIsOneLineAMinute) {
  Folding folding;
  std::size_t written = 0;
  for (int second = 0; second < 600; ++second) {
    written += folding.take_due(at(second)).size();
    for (int i = 0; i < 100; ++i) written += folding.admit(moved("u", "a"), at(second)) ? 1u : 0u;
  }
  written += folding.take_all().size();
  EXPECT_EQ(written, Folding::kAtOnce + 10);  // the first, and one for each of ten minutes
}

TEST(Folding, AfterAQuietMinuteTheNextGoesThroughAtOnce) {
  Folding folding;
  use_up(folding, moved("u", "a"), at(0));
  use_up(folding, moved("u", "a"), at(60));
  EXPECT_FALSE(folding.admit(moved("u", "a"), at(61)));
  EXPECT_EQ(folding.take_due(at(120)).size(), 1u);
  EXPECT_THAT(folding.take_due(at(180)), IsEmpty());
  EXPECT_TRUE(folding.admit(moved("u", "a"), at(181)));
}

TEST(Folding, EventTunnelPeerAndReasonTellKindsApart) {
  Folding folding;
  Line line = moved("u", "a");
  use_up(folding, line, at(0));
  line.fields.peer = "v";
  use_up(folding, line, at(0));
  line.fields.reason = "because";
  use_up(folding, line, at(0));
  line.fields.tunnel = "lab";
  use_up(folding, line, at(0));
  line.event = Event::kEndpointLearned;
  use_up(folding, line, at(0));
  EXPECT_FALSE(folding.admit(line, at(0)));
}

TEST(Folding, WhatComesOutIsInTheOrderInWhichItWasLastSeen) {
  Folding folding;
  for (const char* peer : {"a", "b", "c"}) use_up(folding, moved(peer, "x"), at(0));
  for (const char* peer : {"a", "c", "b", "a"}) folding.admit(moved(peer, "x"), at(0));
  EXPECT_THAT(folding.take_due(at(60)),
              ElementsAre(Field(&Line::text, "c is at x (repeated 1 time in 60 s)"),
                          Field(&Line::text, "b is at x (repeated 1 time in 60 s)"),
                          Field(&Line::text, "a is at x (repeated 2 times in 60 s)")));
}

TEST(Folding, NothingIsLostAtTheEnd) {
  Folding folding;
  use_up(folding, moved("u", "a"), at(0));
  folding.admit(moved("u", "b"), at(1));
  EXPECT_THAT(folding.take_all(),
              ElementsAre(Field(&Line::text, "u is at b (repeated 1 time in 60 s)")));
  EXPECT_THAT(folding.take_all(), IsEmpty());
}

TEST(Folding, MoreKindsThanItKeepsAreFoldedByTheirEvent) {
  Folding folding;
  for (std::size_t i = 0; i < Folding::kMaximumKinds; ++i)
    EXPECT_TRUE(folding.admit(moved(std::to_string(i), "a"), at(0)));
  for (unsigned i = 0; i < Folding::kAtOnce; ++i)
    EXPECT_TRUE(folding.admit(moved(fmt::format("more {}", i), "a"), at(0)));
  EXPECT_FALSE(folding.admit(moved("and one more", "a"), at(0)));
  EXPECT_EQ(folding.take_due(at(60)).size(), 1u);
}

TEST(Folding, ARemarkIsNoEventAndGoesThrough) {
  Folding folding;
  const Line remark{Level::kInfo, std::nullopt, {}, "hello"};
  for (unsigned i = 0; i <= Folding::kAtOnce; ++i) EXPECT_TRUE(folding.admit(remark, at(0)));
}

}  // namespace
}  // namespace vpntun::log
