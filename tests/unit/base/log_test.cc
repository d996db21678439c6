#include "base/log.h"

#include <gtest/gtest.h>

namespace vpntun {
namespace {

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
