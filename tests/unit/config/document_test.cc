// What the parser is spared and what it gives: nesting, UTF-8, places, hostile text in bounded
// time.
#include "config/document.h"

#include <gtest/gtest.h>

#include <ctime>

#include "config/finding.h"
#include "config/guard.h"

namespace vpntun::config {
namespace {

constexpr std::size_t kMiB = 1 << 20;

std::string repeated(std::string_view text, std::size_t bytes) {
  std::string out;
  out.reserve(bytes + text.size());
  while (out.size() + text.size() <= bytes) out += text;
  return out;
}

// Of this program alone: the machine may be busy.
double seconds_since(std::clock_t start) {
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

TEST(Document, knows_where_keys_and_values_stand) {
  const auto parsed =
      parse_document("[interface]\n  \"mtu\"= 1400 # x\naddress = [\"a\",\n \"bc\"]\n");
  const Value& document = std::get<Value>(parsed);
  const Value& interface = document.find("interface")->value;
  const Entry* mtu = interface.find("mtu");
  EXPECT_EQ(mtu->value.integer, 1400);
  EXPECT_EQ(std::tie(mtu->key_place.line, mtu->key_place.column, mtu->key_place.length),
            std::tuple(2u, 3u, 5u));
  EXPECT_EQ(std::tie(mtu->value.place.line, mtu->value.place.column, mtu->value.place.length),
            std::tuple(2u, 10u, 4u));
  const Value& item = interface.find("address")->value.items.at(1);
  EXPECT_EQ(std::tie(item.place.line, item.place.column, item.place.length),
            std::tuple(4u, 2u, 4u));
  EXPECT_EQ(document.find("nothing"), nullptr);
}

std::optional<std::size_t> at(Hazard hazard, std::string_view text) {
  const auto found = find_hazard(text);
  if (!found || found->hazard != hazard) return std::nullopt;
  return found->offset;
}

std::optional<std::size_t> nesting_at(std::string_view text) {
  return at(Hazard::kNesting, text);
}

TEST(NonAscii, is_found_outside_of_comments_and_strings_of_one_line) {
  EXPECT_EQ(at(Hazard::kNonAscii, "a = \xc3\xbc"), 4u);
  EXPECT_EQ(at(Hazard::kNonAscii, "# x\n\xe3\x80\x80"), 4u);
  EXPECT_EQ(at(Hazard::kNonAscii, "a = \"\"\"\\\xc3\xbc\"\"\""), 8u);
  EXPECT_EQ(at(Hazard::kNonAscii, "a = '''\xc3\xbc'''"), 7u);
  for (const char* number : {"a = 1\"", "a = 1=\"", "a = 1[\"", "a = 1.\"", "a = 1979-05-27 \"",
                             "a = [1,2=\"", "a = [[1]\"", "a = {b=1=\"", "a = \"\"\""})
    EXPECT_TRUE(find_hazard(std::string(number) + "\xc3\xbc\"")) << number;
  for (const char* right :
       {"a=\"", "a = [\"", "a = [ 1,\"", "a = [1,\n \"", "a = {b = [1], c=\"", "a = 1\n\"", "[\"",
        "a = 1\n[[ \"", "a = [\n# x\n\"", "a = 1\r\nb = \"", "[x]\ny=\""})
    EXPECT_FALSE(find_hazard(std::string(right) + "\xc3\xbc\"")) << right;
  EXPECT_FALSE(find_hazard("\xef\xbb\xbf# \xc3\xbc\na = \"\xc3\xbc\\\xc3\xbc\" # \xc3\xbc"));
  EXPECT_FALSE(find_hazard("a = '\xc3\xbc'\n\"\xc3\xbc\" = 1"));
}

TEST(Nesting, counts_brackets_and_dots_but_not_in_strings_and_comments) {
  EXPECT_FALSE(find_hazard(repeated("[", kMaxBrackets) + repeated("]", kMaxBrackets)));
  EXPECT_EQ(nesting_at(repeated("[", kMaxBrackets + 1)), kMaxBrackets);
  EXPECT_FALSE(find_hazard(repeated("[]", 1000)));
  EXPECT_EQ(nesting_at(repeated("a.", 100)), 2 * kMaxDots + 1);
  EXPECT_EQ(nesting_at(repeated("\"]\".", 100)), 4 * kMaxDots + 3);
  EXPECT_EQ(nesting_at(repeated("'\n", 20) + repeated("a.", 100)), 20 + 2 * kMaxDots + 1);
  const std::string noise = repeated("[.", 200);
  EXPECT_FALSE(find_hazard("# " + noise + "\n"));
  EXPECT_FALSE(find_hazard("a = \"\\\"" + noise + "\""));
  EXPECT_FALSE(find_hazard("a = '" + noise + "\\'"));
  EXPECT_FALSE(find_hazard("a = \"\"\"\n\"\"" + noise + "\n\"\"\"\"\""));
  EXPECT_FALSE(find_hazard("a = '''\n''" + noise + "\n'''''"));
  EXPECT_TRUE(find_hazard("a = \"\"\"x\"\"\"\n" + noise));
  EXPECT_TRUE(find_hazard("a = ''\n" + noise));
}

TEST(Utf8, finds_the_first_wrong_byte) {
  for (const char* good : {"", "abc", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_FALSE(find_invalid_utf8(good)) << good;
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(find_invalid_utf8("a\xc3"), 1u);
  EXPECT_EQ(find_invalid_utf8("\xc0\x80"), 0u);          // overlong
  EXPECT_EQ(find_invalid_utf8("\xe0\x80\x80"), 0u);      // overlong
  EXPECT_EQ(find_invalid_utf8("\xf0\x80\x80\x80"), 0u);  // overlong
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u);      // surrogate
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(find_invalid_utf8("\x80"), 0u);
}

// Each text is as large as a profile may be; each is answered with findings, soon and without a
// crash.
TEST(HostileText, is_refused_in_bounded_time) {
  const std::string head = "[tunnel]\nencryption = \"none\"\n";
  const std::string texts[] = {
      repeated("[", kMiB),
      repeated("[[", kMiB),
      "a = " + repeated("[", kMiB - 4),
      "a = " + repeated("{a=", kMiB - 4),
      repeated("a.", kMiB - 4) + "a=1",
      "[" + repeated("a.", kMiB - 4) + "a]",
      "[" + repeated("\"\".", kMiB - 5) + "a]",
      "a = " + repeated("[{a.a.a.a.a.a.a.a=", kMiB - 4),
      repeated("[[peer]]\n", kMiB),
      head + repeated("[[peer]]\nname=\"a\"\n", kMiB - head.size()),
      head + repeated("[[peer]]\nallowed-ips=[\"::/9\"]\n", kMiB - head.size()),
      head + "[interface]\naddress=[" + repeated("\"1.1.1.1/8\",", kMiB - 60) + "]",
      head + "[routing]\nroutes=[" + repeated("\"1.1.1.1\",", kMiB - 60) + "]",
      repeated("\n", kMiB),
      repeated("\"", kMiB),
      repeated("\xf0\x9f\x98\x80", kMiB),
      "description = \"" + repeated("\xc3\xbc", kMiB - 20) + "\"\n",
      repeated("#", kMiB),
      "a" + repeated("\\", kMiB - 1),
  };
  for (const std::string& text : texts) {
    const std::clock_t start = std::clock();
    const Loaded loaded = load_text(text, "x.toml", "x");
    const std::string shown = to_text(loaded.findings, true) + to_json(loaded.findings);
    const double taken = seconds_since(start);
    EXPECT_FALSE(loaded.profile) << text.substr(0, 60);
    EXPECT_FALSE(loaded.findings.empty()) << text.substr(0, 60);
    EXPECT_LT(shown.size(), 2 * kMiB) << text.substr(0, 60);
    EXPECT_LT(taken, 60.0) << text.substr(0, 60);  // sanitizers included
  }
}

// CPU seconds to load a profile with so many routes and allowed IPs, none of them twice.
double time_of_prefixes(unsigned count) {
  std::string text = "[tunnel]\nencryption=\"none\"\n[routing]\nroutes=[";
  for (unsigned i = 0; i < count; ++i)
    text += "\"11." + std::to_string(i >> 8) + "." + std::to_string(i & 255) + ".0/24\",";
  text += "]\n[interface]\nlisten-port=9090\n[[peer]]\nallowed-ips=[";
  for (unsigned i = 0; i < count; ++i)
    text += "\"10." + std::to_string(i >> 8) + "." + std::to_string(i & 255) + ".0/" +
            std::to_string(24 + i % 9) + "\",";
  text += "]\n";
  EXPECT_LE(text.size(), kMiB + 1);
  const std::clock_t start = std::clock();
  const Loaded loaded = load_text(text, "x.toml", "x");
  const double taken = seconds_since(start);
  EXPECT_EQ(loaded.findings.size(), 101u);
  if (loaded.findings.empty()) return taken;
  EXPECT_EQ(loaded.findings.front().code, "E0308");
  EXPECT_EQ(loaded.findings.back().message,
            std::to_string(count - 100) + " more findings are not shown");
  return taken;
}

// Four times as many take four times as long; 16 times, if each were compared with all others.
TEST(HostileText, of_many_different_prefixes_takes_time_in_proportion) {
  const double few = time_of_prefixes(7500);
  EXPECT_LT(time_of_prefixes(30000), 10 * few + 0.5);
}

}  // namespace
}  // namespace vpntun::config
