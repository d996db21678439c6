#include "ctl/print.h"

#include <gtest/gtest.h>

#include "ctl/console.h"

namespace vpntun::ctl {
namespace {

using std::chrono::seconds;

TEST(SizeText, HasThreeDigitsAtMost) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1.0 KiB");
  EXPECT_EQ(size_text(9626), "9.4 KiB");
  EXPECT_EQ(size_text(10189), "10 KiB");
  EXPECT_EQ(size_text(84 * 1024 * 1024), "84 MiB");
  EXPECT_EQ(size_text(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(size_text(1288490189), "1.2 GiB");
  EXPECT_EQ(size_text(~std::uint64_t{0}), "16 EiB");
}

TEST(RateText, IsASizePerSecond) {
  EXPECT_EQ(rate_text(0), "0 B/s");
  EXPECT_EQ(rate_text(1536.7), "1.5 KiB/s");
  EXPECT_EQ(rate_text(-3), "0 B/s");
}

TEST(DurationText, ShowsTheTwoLargestUnits) {
  EXPECT_EQ(duration_text(seconds(0)), "0 s");
  EXPECT_EQ(duration_text(seconds(59)), "59 s");
  EXPECT_EQ(duration_text(seconds(190)), "3 min 10 s");
  EXPECT_EQ(duration_text(seconds(7500)), "2 h 5 min");
  EXPECT_EQ(duration_text(seconds(3 * 86400 + 4 * 3600 + 59)), "3 d 4 h");
  EXPECT_EQ(duration_text(seconds(-5)), "0 s");
}

TEST(AgoText, KnowsNeverAndAClockThatWentBack) {
  EXPECT_EQ(ago_text(0, 1'000'000), "never");
  EXPECT_EQ(ago_text(1'000'000, 13'900'000), "12 s ago");
  EXPECT_EQ(ago_text(9'000'000, 1'000'000), "0 s ago");
}

TEST(Ago, IsOneUnitWhereItIsBrief) {
  constexpr std::uint64_t kSecond = 1'000'000;
  EXPECT_EQ(brief_ago_text(0, kSecond), "never");
  EXPECT_EQ(brief_ago_text(kSecond, kSecond), "0 s ago");
  EXPECT_EQ(brief_ago_text(kSecond, 39 * kSecond), "38 s ago");
  EXPECT_EQ(brief_ago_text(kSecond, 191 * kSecond), "3 min ago");
  EXPECT_EQ(brief_ago_text(kSecond, 7201 * kSecond), "2 h ago");
  EXPECT_EQ(brief_ago_text(kSecond, 300'000 * kSecond), "3 d ago");
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("lab"), 3u);
  EXPECT_EQ(display_width("Zürich"), 6u);
  EXPECT_EQ(display_width("東京"), 4u);
  EXPECT_EQ(display_width("e\xcc\x81"), 1u);
  EXPECT_EQ(display_width("\xff\xc3"), 2u);
}

TEST(Cut, EndsWithAnEllipsisInsideTheColumns) {
  EXPECT_EQ(cut("short", 5), "short");
  EXPECT_EQ(cut("longer", 5), "long…");
  EXPECT_EQ(cut("東京都", 4), "東…");
  EXPECT_EQ(cut("東京都", 5), "東京…");
  EXPECT_EQ(cut("x", 0), "");
}

Table sample() {
  Table table({"NAME", "STATE", "ADDRESS"});
  table.add({{"Zürich"}, {"running", Colour::kGreen}, {"192.168.53.99/24"}});
  table.add({{"l2"}, {"stopped"}, {""}});
  return table;
}

TEST(Table, AlignsByDisplayColumnsAndMarksWhatIsAbsent) {
  EXPECT_EQ(sample().text({}),
            "NAME    STATE    ADDRESS\n"
            "Zürich  running  192.168.53.99/24\n"
            "l2      stopped  -\n");
}

TEST(Table, CutsItsWidestColumnToFitATerminal) {
  EXPECT_EQ(sample().text({.colour = false, .columns = 26, .rows = 0}, 1),
            " NAME    STATE    ADDRESS\n"
            " Zürich  running  192.168…\n"
            " l2      stopped  -\n");
}

TEST(Table, CutsHeadersBeforeWhatIsBelowThem) {
  Table table({"INTERFACE", "ADDRESS"});
  table.add({{"tun0"}, {"192.168.53.99/24"}});
  EXPECT_EQ(table.text({.colour = false, .columns = 26, .rows = 0}),
            "INTERFA…  ADDRESS\n"
            "tun0      192.168.53.99/24\n");
}

TEST(Table, StopsCuttingWhereNothingWouldBeLeft) {
  EXPECT_EQ(sample().text({.colour = false, .columns = 5, .rows = 0}),
            "NAME    STATE   ADDRE…\n"
            "Zürich  runni…  192.1…\n"
            "l2      stopp…  -\n");
}

TEST(Wrapped, BreaksAtSpaces) {
  EXPECT_EQ(wrapped("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrapped("a-very-long-word b", 4), (std::vector<std::string>{"a-very-long-word", "b"}));
  EXPECT_EQ(wrapped("", 4), std::vector<std::string>{});
}

TEST(Table, PaintsCellsWithoutMovingColumns) {
  EXPECT_EQ(sample().text({.colour = true, .columns = 0, .rows = 0}),
            "\x1b[1mNAME\x1b[0m    \x1b[1mSTATE\x1b[0m    \x1b[1mADDRESS\x1b[0m\n"
            "Zürich  \x1b[32mrunning\x1b[0m  192.168.53.99/24\n"
            "l2      stopped  -\n");
}

TEST(Colours, AreForTerminalsThatWantThem) {
  EXPECT_TRUE(colours_wanted(nullptr, "xterm", false));
  EXPECT_TRUE(colours_wanted("", "xterm", false));
  EXPECT_FALSE(colours_wanted("0", "xterm", false));
  EXPECT_FALSE(colours_wanted(nullptr, "xterm", true));
  EXPECT_FALSE(colours_wanted(nullptr, "dumb", false));
  EXPECT_FALSE(colours_wanted(nullptr, nullptr, false));
}

}  // namespace
}  // namespace vpntun::ctl
