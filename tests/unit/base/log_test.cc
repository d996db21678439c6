#include "base/log.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

namespace vpntun {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

// Takes the place of the journal.
class Log : public testing::Test {
 protected:
  void begin(const std::string& tunnel = "") {
    log::init({.name = "test", .tunnel = tunnel, .journal = [this](const log::Line& line) {
                 lines_.push_back(line);
                 return true;
               }});
  }
  ~Log() override {
    log::let_out_all_folded();
    log::init({});
  }

  std::vector<log::Line> lines_;
};

TEST_F(Log, AnEventCarriesItsPriorityAndFields) {
  begin("lab");
  log::event(log::Event::kEndpointMoved, {.peer = "u", .endpoint = "10.0.2.7:1"}, "{} is at {}",
             "u", "10.0.2.7:1");
  log::info("a remark");
  const log::Line moved{log::Level::kNotice,
                        log::Event::kEndpointMoved,
                        {.tunnel = "lab", .peer = "u", .endpoint = "10.0.2.7:1"},
                        "u is at 10.0.2.7:1"};
  const log::Line remark{log::Level::kInfo, std::nullopt, {.tunnel = "lab"}, "a remark"};
  EXPECT_THAT(lines_, ElementsAre(moved, remark));
}

TEST_F(Log, AManagerSaysWhichTunnel) {
  begin();
  log::event(log::Event::kTunnelChanged, {.tunnel = "lab"}, "tunnel lab: running");
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_EQ(lines_[0].fields.tunnel, "lab");
}

TEST_F(Log, TextAndFieldsFromOutsideAreEscaped) {
  begin();
  log::event(log::Event::kProfileIgnored, {.peer = "a\nPRIORITY=0", .reason = "\xff"}, "{}",
             "b\nc");
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_EQ(lines_[0].text, "b\\x0ac");
  EXPECT_EQ(lines_[0].fields.peer, "a\\x0aPRIORITY=0");
  EXPECT_EQ(lines_[0].fields.reason, "\\xff");
}

TEST_F(Log, ALevelHoldsFromTheNextLineOn) {
  begin();
  log::debug("not shown");
  log::set_level(log::Level::kDebug);
  log::debug("shown");
  log::set_level(log::Level::kWarning);
  log::notice("not shown");
  log::event(log::Event::kUp, {}, "not shown");
  log::warning("shown");
  log::set_level(log::Level::kEmergency);
  log::error("not shown");
  EXPECT_THAT(lines_, SizeIs(2));
}

TEST_F(Log, RepeatsAreFoldedAndNoneIsLost) {
  begin();
  for (int i = 0; i < 1000; ++i)
    log::event(log::Event::kCallerRefused, {.reason = "start"}, "refused {}", i);
  EXPECT_THAT(lines_, SizeIs(3));
  ASSERT_TRUE(log::folded_due());
  log::let_out_folded(BootClock::now());
  EXPECT_THAT(lines_, SizeIs(3));
  log::let_out_folded(*log::folded_due());
  ASSERT_THAT(lines_, SizeIs(4));
  EXPECT_EQ(lines_[3].text, "refused 999 (repeated 997 times in 60 s)");
}

TEST_F(Log, WhatCannotBeProvokedIsNeverFolded) {
  begin();
  for (int i = 0; i < 3; ++i) log::event(log::Event::kReloaded, {}, "reloaded");
  EXPECT_THAT(lines_, SizeIs(3));
}

TEST_F(Log, TheTargetCanBeChangedWhereThereIsAJournal) {
  begin();
  EXPECT_EQ(log::target(), log::Target::kJournal);
  EXPECT_TRUE(log::set_target(log::Target::kNull));
  log::error("nowhere");
  EXPECT_THAT(lines_, SizeIs(0));
  EXPECT_TRUE(log::set_target(log::Target::kConsole));
  testing::internal::CaptureStderr();
  log::warning("on standard error");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<4>on standard error\n");
  EXPECT_TRUE(log::set_target(log::Target::kJournal));
  log::init({.name = "test"});
  EXPECT_EQ(log::target(), log::Target::kConsole);
  EXPECT_FALSE(log::set_target(log::Target::kJournal));
}

TEST_F(Log, AJournalThatDoesNotTakeALineLosesNone) {
  log::init({.name = "test", .journal = [](const log::Line&) { return false; }});
  testing::internal::CaptureStderr();
  log::error("kept");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<3>kept\n");
}

TEST_F(Log, ThreadsWriteLineByLine) {
  begin();
  constexpr int kEach = 200;
  const auto write = [] {
    for (int i = 0; i < kEach; ++i) log::event(log::Event::kReloaded, {}, "{}", i);
  };
  std::thread other(write);
  write();
  other.join();
  EXPECT_THAT(lines_, SizeIs(2 * kEach));
}

TEST(Escaped, PlainTextStays) {
  EXPECT_EQ(escaped(""), "");
  EXPECT_EQ(escaped("tun0: 10.0.2.7 ~"), "tun0: 10.0.2.7 ~");
  EXPECT_EQ(escaped("Zürich €  𝄞"), "Zürich €  𝄞");
}

TEST(Escaped, ControlCharactersCannotForgeALine) {
  EXPECT_EQ(escaped("a\nb\r\tc\x1b[31m\x7f"), "a\\x0ab\\x0d\\x09c\\x1b[31m\\x7f");
  EXPECT_EQ(escaped(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(escaped("\xc2\x85\xc2\x9b"), "\\xc2\\x85\\xc2\\x9b");  // NEL and CSI of C1
  EXPECT_EQ(escaped("\xc2\xa0"), "\xc2\xa0");
}

TEST(Escaped, InvalidUtf8IsShownAsBytes) {
  for (const auto& [text, shown] : {
           std::pair{"\xff", "\\xff"},
           {"\x80", "\\x80"},
           {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong '/'
           {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},           // overlong '/'
           {"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},  // overlong '/'
           {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // surrogate
           {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond U+10FFFF
           {"\xc3", "\\xc3"},                             // cut off
           {"\xe2\x82", "\\xe2\\x82"},
           {"\xf0\x9d\x84", "\\xf0\\x9d\\x84"},
           {"\xe2\x82x", "\\xe2\\x82x"},
       })
    EXPECT_EQ(escaped(text), shown);
}

TEST(Escaped, LimitsOfUtf8AreKept) {
  for (const char* text : {"\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(escaped(text), text);
}

TEST(Escaped, IsCutAtTheMaximumBetweenCharacters) {
  EXPECT_EQ(escaped("abcdef", 6), "abcdef");
  EXPECT_EQ(escaped("abcdefg", 6), "abcdef...");
  EXPECT_EQ(escaped("abcd€", 6), "abcd...");
  EXPECT_EQ(escaped("abcd\n", 6), "abcd...");
  EXPECT_EQ(escaped(std::string(1'000'000, '\n')).size(), 203u);
}

}  // namespace
}  // namespace vpntun
