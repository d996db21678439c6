// The forms of findings: text, colours, JSON, summary; and what must never be in them.
#include "config/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vpntun::config {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Finding> findings_of(std::string_view text) {
  return load_text(text, "/etc/vpntund/x.toml", "x").findings;
}

constexpr std::string_view kTwoMistakes =
    "[tunnel]\nencryption = \"none\"\nkind = \"tub\"\n[interface]\nmtu = 1\nlisten-port = 80\n";

TEST(Findings, are_sorted_by_position) {
  const auto findings = findings_of(kTwoMistakes);
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[0].line, 3u);
  EXPECT_EQ(findings[1].line, 5u);
  EXPECT_EQ(findings[2].line, 6u);
  EXPECT_EQ(findings[2].severity, Severity::kWarning);
}

TEST(Findings, as_text_have_place_line_caret_and_code) {
  const auto findings = findings_of("[tunnel]\nencryption = \"none\"\n  kind = \"tub\"\n");
  EXPECT_EQ(to_text(findings, false),
            "/etc/vpntund/x.toml:3:10: error: tunnel.kind: expected \"tun\" or \"tap\", got "
            "\"tub\"\n"
            "    3 |   kind = \"tub\"\n"
            "      |          ^^^^^ did you mean \"tun\"?\n"
            "      = code: E0203\n");
  EXPECT_EQ(to_text({}, false), "");
}

TEST(Findings, in_colour_are_the_same_text) {
  const auto findings = findings_of(kTwoMistakes);
  std::string text = to_text(findings, true);
  EXPECT_THAT(text, HasSubstr("\x1b[1;31merror:\x1b[0m"));
  for (std::size_t at; (at = text.find('\x1b')) != std::string::npos;)
    text.erase(at, text.find('m', at) - at + 1);
  EXPECT_EQ(text, to_text(findings, false));
}

TEST(Findings, as_json_have_a_schema_and_every_field) {
  const auto json = nlohmann::json::parse(to_json(findings_of(kTwoMistakes)));
  EXPECT_EQ(json["schema"], "vpnctl.check/1");
  ASSERT_EQ(json["findings"].size(), 3u);
  const nlohmann::json expected = {{"severity", "error"},
                                   {"file", "/etc/vpntund/x.toml"},
                                   {"line", 5},
                                   {"column", 7},
                                   {"length", 1},
                                   {"code", "E0205"},
                                   {"key", "interface.mtu"},
                                   {"message", "expected 68 to 65535, got 1"},
                                   {"detail", ""},
                                   {"help", ""},
                                   {"source_line", "mtu = 1"}};
  EXPECT_EQ(json["findings"][1], expected);
  EXPECT_EQ(nlohmann::json::parse(to_json({}))["findings"], nlohmann::json::array());
}

TEST(Findings, as_json_survive_a_file_name_that_is_not_utf8) {
  const auto loaded = load_text("", "/tmp/\xff.toml", "x");
  EXPECT_TRUE(nlohmann::json::accept(to_json(loaded.findings)));
  EXPECT_THAT(to_text(loaded.findings, false), HasSubstr("/tmp/\\xff.toml: error"));
}

TEST(Findings, in_one_line_are_the_first_error_and_a_number) {
  EXPECT_EQ(summary({}), "");
  EXPECT_EQ(summary(findings_of("[tunnel]\nencryption = 1\n")),
            "/etc/vpntund/x.toml:2:14: tunnel.encryption: expected \"wireguard\" or \"none\", got "
            "an integer");
  EXPECT_EQ(summary(findings_of(kTwoMistakes)),
            "/etc/vpntund/x.toml:3:8: tunnel.kind: expected \"tun\" or \"tap\", got \"tub\" "
            "(and 1 more error)");
}

TEST(Findings, in_a_log_have_no_empty_parts) {
  EXPECT_EQ(line_of(findings_of("[tunnel]\nencryption = 1\n").at(0)),
            summary(findings_of("[tunnel]\nencryption = 1\n")));
  Finding finding;
  finding.file = "lab.toml";
  finding.message = "cannot read it";
  EXPECT_EQ(line_of(finding), "lab.toml: cannot read it");
}

TEST(Findings, are_counted) {
  EXPECT_EQ(count_line({}), "0 errors, 0 warnings.");
  EXPECT_EQ(count_line(findings_of(kTwoMistakes)), "2 errors, 1 warning.");
}

TEST(Findings, count_columns_in_characters) {
  const auto findings =
      findings_of("tunnel = { kind = \"\xc3\xbc\xe2\x82\xac\", encryption = \"x\" }\n");
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].column, 19u);
  EXPECT_EQ(findings[0].length, 4u);
  EXPECT_EQ(findings[1].column, 38u);
}

TEST(Findings, show_a_long_line_around_the_mistake) {
  std::string list;
  for (int i = 0; i < 40; ++i) list += "\"10.0.0." + std::to_string(i) + "/32\", ";
  const auto findings = findings_of(
      "[tunnel]\nencryption = \"none\"\n[interface]\nlisten-port = 1024\n"
      "[[peer]]\nallowed-ips = [" +
      list + "\"10.0.0.300/32\", " + "\"10.0.1.0/24\"]\n");
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_LE(finding.source_line.size(), 106u);
  EXPECT_THAT(finding.source_line, testing::StartsWith("..."));
  EXPECT_EQ(finding.source_line.substr(finding.mark, finding.length), "\"10.0.0.300/32\"");
}

TEST(Findings, never_contain_control_characters_of_the_file) {
  const auto findings = findings_of("[tunnel]\nencryption = \"none\"\n\x1b[31m = \"\x07\"\n");
  ASSERT_FALSE(findings.empty());
  for (const char c : to_text(findings, false)) EXPECT_TRUE(c == '\n' || c >= ' ' || c < 0);
  const auto tabs = findings_of("[tunnel]\n\tencryption\t=\t\"x\"\n");
  ASSERT_EQ(tabs.size(), 1u);
  EXPECT_EQ(tabs[0].source_line, " encryption = \"x\"");
}

TEST(Findings, never_contain_a_key_of_wireguard) {
  const std::string secret = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
  for (const std::string& text : std::vector<std::string>{
           "[interface]\nprivate-key = \"" + secret + "\"\n",
           "[interface]\nPrivateKey = " + secret + "\n",
           "[[peer]]\npreshared_key = \"" + secret + "\n",
           "[[peer]]\n\"PresharedKey\" = \"" + secret + "\" x\n",
           "interface = { private-key = \"" + secret + "\", mtu = true }\n",
           "private-key = \"" + secret + "\"\nprivate-key = \"" + secret + "\"\n",
           "[tunnel]\nprivate-key = \"\\q" + secret + "\"\n",
           "[interface]\nPrivateKey: " + secret + "\n",
       }) {
    const auto findings = findings_of(text);
    ASSERT_FALSE(findings.empty()) << text;
    const std::string shown = to_text(findings, false) + to_json(findings) + summary(findings);
    for (std::size_t i = 0; i + 6 <= secret.size(); ++i)
      EXPECT_THAT(shown, Not(HasSubstr(secret.substr(i, 6)))) << text;
  }
}

TEST(Suggestions, follow_spelling_then_distance) {
  EXPECT_EQ(suggest("peer", "AllowedIPs").key, "allowed-ips");
  EXPECT_EQ(suggest("peer", "allowed_ips").key, "allowed-ips");
  EXPECT_EQ(suggest("interface", "ListenPort").key, "listen-port");
  EXPECT_EQ(suggest("interface", "listen-prot").key, "listen-port");
  EXPECT_EQ(suggest("interface", "adress").key, "address");
  EXPECT_EQ(suggest("interface", "mut").key, "mtu");
  EXPECT_EQ(suggest("", "Interface").key, "interface");
  EXPECT_EQ(suggest("", "peers").key, "peer");
  EXPECT_EQ(suggest("", "mtu").table, "interface");
  EXPECT_EQ(suggest("peer", "listen-port").table, "interface");
  EXPECT_EQ(suggest("interface", "xy").key, "");
  EXPECT_EQ(suggest("interface", "something-else").key, "");
  EXPECT_EQ(suggest("interface", std::string(100'000, 'a')).key, "");
}

}  // namespace
}  // namespace vpntun::config
