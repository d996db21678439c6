#include "base/events.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace vpntun::log {
namespace {

using testing::MatchesRegex;

TEST(Events, EachHasAWordAndAnIdOfItsOwn) {
  std::set<std::string_view> words;
  std::set<std::string_view> ids;
  for (const EventInfo& event : events()) {
    EXPECT_THAT(std::string(event.word), MatchesRegex("[a-z]+(-[a-z]+)*"));
    EXPECT_THAT(std::string(event.message_id), MatchesRegex("[0-9a-f]{32}"));
    EXPECT_TRUE(words.insert(event.word).second) << event.word;
    EXPECT_TRUE(ids.insert(event.message_id).second) << event.word;
    EXPECT_EQ(&info_of(event.event), &event);
  }
}

TEST(Events, TheLastOfTheEnumIsInTheTable) {
  EXPECT_EQ(events().back().event, Event::kLogLevelSet);
}

TEST(Levels, HaveTheWordsAndNumbersOfSyslog) {
  EXPECT_EQ(static_cast<int>(Level::kDebug), 7);
  EXPECT_EQ(to_string(Level::kError), "err");
  for (int number = 0; number < 8; ++number)
    EXPECT_EQ(level_of(to_string(static_cast<Level>(number))), static_cast<Level>(number));
  for (const char* word : {"", "error", "Debug", "debug ", "3"})
    EXPECT_EQ(level_of(word), std::nullopt);
}

}  // namespace
}  // namespace vpntun::log
