#include "ctl/log_text.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "ctl/client.h"

namespace vpntun::ctl {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;
// 2026-01-31 12:00:09 UTC
constexpr std::uint64_t kNow = 1'769'860'809 * kSecond;

class LogText : public testing::Test {
 protected:
  LogText() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
};

JournalEntry moved() {
  JournalEntry entry;
  entry.time_usec = kNow;
  entry.level = log::Level::kNotice;
  entry.identifier = "vpntund";
  entry.pid = "77";
  entry.text = "peer u is at 10.0.2.7:1";
  entry.event = "endpoint-learned";
  entry.peer = "u";
  entry.endpoint = "10.0.2.7:1";
  return entry;
}

TEST_F(LogText, AnEntryIsOneLine) {
  EXPECT_EQ(entry_text(moved(), {}), "Jan 31 12:00:09 vpntund[77]: peer u is at 10.0.2.7:1");
  JournalEntry entry = moved();
  entry.pid.clear();
  entry.text = "a\nb\x1b[31m";
  EXPECT_EQ(entry_text(entry, {}), "Jan 31 12:00:09 vpntund: a\\x0ab\\x1b[31m");
}

TEST_F(LogText, ColoursFollowThePriority) {
  const Style style{.colour = true};
  std::string before;
  for (const log::Level level : {log::Level::kError, log::Level::kWarning, log::Level::kNotice,
                                 log::Level::kInfo, log::Level::kDebug}) {
    JournalEntry entry = moved();
    entry.level = level;
    EXPECT_NE(entry_text(entry, style), before);
    before = entry_text(entry, style);
  }
  JournalEntry entry = moved();
  entry.level = log::Level::kInfo;
  EXPECT_EQ(entry_text(entry, style), entry_text(entry, {}));
}

TEST_F(LogText, AProgramGetsWhatTheEntryHas) {
  const nlohmann::json line = nlohmann::json::parse(entry_json(moved()));
  EXPECT_EQ(line, (nlohmann::json{{"time-usec", kNow},
                                  {"level", "notice"},
                                  {"identifier", "vpntund"},
                                  {"pid", "77"},
                                  {"event", "endpoint-learned"},
                                  {"peer", "u"},
                                  {"endpoint", "10.0.2.7:1"},
                                  {"text", "peer u is at 10.0.2.7:1"}}));
  JournalEntry entry = moved();
  entry.text = "\xff\"";
  EXPECT_EQ(nlohmann::json::parse(entry_json(entry))["text"], "\\xff\"");
}

TEST_F(LogText, TimesAreAgoOrOnTheClock) {
  constexpr std::uint64_t kMidnight = kNow - (12 * 3600 + 9) * kSecond;
  EXPECT_EQ(time_of("9s", kNow), kNow - 9 * kSecond);
  EXPECT_EQ(time_of("10m", kNow), kNow - 600 * kSecond);
  EXPECT_EQ(time_of("2h", kNow), kNow - 7200 * kSecond);
  EXPECT_EQ(time_of("1d", kNow), kNow - 86400 * kSecond);
  EXPECT_EQ(time_of("4000000000s", kNow), 0u);
  EXPECT_EQ(time_of("06:30", kNow), kMidnight + (6 * 3600 + 30 * 60) * kSecond);
  EXPECT_EQ(time_of("06:30:01", kNow), kMidnight + (6 * 3600 + 30 * 60 + 1) * kSecond);
  EXPECT_EQ(time_of("2026-01-31", kNow), kMidnight);
  EXPECT_EQ(time_of("2026-01-30 12:00", kNow), kMidnight - 43200 * kSecond);
  EXPECT_EQ(time_of("2026-01-31 00:00:02", kNow), kMidnight + 2 * kSecond);
  for (const char* text : {"", "m", "-1m", "1.5h", "10", "10 m", "25:00", "2026-13-01", "now", "1w",
                           "2026-01-31T12:00", "99999999999s"})
    EXPECT_THROW(time_of(text, kNow), Failure) << text;
}

class JournalFolders : public testing::Test {
 protected:
  JournalFolders() {
    std::string name = (std::filesystem::temp_directory_path() / "vpntun-journal-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~JournalFolders() override { std::filesystem::remove_all(root_); }

  std::filesystem::path root_;
};

TEST_F(JournalFolders, ThereIsAJournalWhereThisMachineHasOne) {
  const std::vector<std::string> folders{(root_ / "run").string(), (root_ / "var").string()};
  EXPECT_EQ(journal_access(folders, "id"), JournalAccess::kNone);
  std::filesystem::create_directories(root_ / "var" / "another");
  EXPECT_EQ(journal_access(folders, "id"), JournalAccess::kNone);
  std::filesystem::create_directories(root_ / "var" / "id");
  EXPECT_EQ(journal_access(folders, "id"), JournalAccess::kForbidden);
  std::ofstream(root_ / "var" / "id" / "user-1000.journal") << "x";
  EXPECT_EQ(journal_access(folders, "id"), JournalAccess::kForbidden);
  std::ofstream(root_ / "var" / "id" / "system.journal") << "x";
  EXPECT_EQ(journal_access(folders, "id"), JournalAccess::kAllowed);
}

}  // namespace
}  // namespace vpntun::ctl
