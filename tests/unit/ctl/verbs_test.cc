#include "ctl/verbs.h"

#include <gtest/gtest.h>

#include <sstream>

namespace vpntun::ctl {
namespace {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome vpnctl(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "vpnctl");
  std::ostringstream out;
  std::ostringstream err;
  const int code = run(static_cast<int>(arguments.size()), arguments.data(), out, err);
  return {code, out.str(), err.str()};
}

TEST(CommandLine, MistakesAreUsageErrors) {
  const std::vector<std::vector<const char*>> mistakes{
      {},
      {"explode"},
      {"start"},
      {"--unknown"},
      {"status", "a", "b"},
      {"status", "--healthy"},
      {"status", "--timeout", "0"},
      {"status", "--timeout", "soon"},
      {"capture"},
      {"capture", "lab", "--count", "-1"},
      {"capture", "lab", "--duration", "-1"},
      {"capture", "lab", "--json"},
      {"capture", "lab", "--hex", "--write", "/dev/null"},
      {"capture", "lab", "--snaplen", "64"},
      {"inject", "lab"},
      {"inject", "lab", "--text", "a", "--hex", "00"},
      {"inject", "lab", "--hex", "0"},
      {"inject", "lab", "--icmp", "1.2.3.4"},
      {"inject", "lab", "--icmp", "1.2.3.4", "here"},
      {"inject", "lab", "--icmp", "1.2.3.4", "1.2.3.5", "--ttl", "256"},
      {"completion", "csh"},
  };
  for (const std::vector<const char*>& mistake : mistakes) {
    const Outcome outcome = vpnctl(mistake);
    std::string shown;
    for (const char* word : mistake) shown += std::string(word) + ' ';
    EXPECT_EQ(outcome.code, 2) << shown;
    EXPECT_EQ(outcome.out, "") << shown;
    EXPECT_TRUE(outcome.err.starts_with("vpnctl: ")) << outcome.err;
  }
}

TEST(CommandLine, MistakesSayWhereTheRightWayIs) {
  EXPECT_EQ(vpnctl({}).err, "vpnctl: a verb is missing\n  All verbs: vpnctl --help\n");
  EXPECT_EQ(vpnctl({"explode"}).err,
            "vpnctl: there is no verb \"explode\"\n  All verbs: vpnctl --help\n");
  EXPECT_EQ(vpnctl({"statsu"}).err,
            "vpnctl: there is no verb \"statsu\"\n"
            "  Did you mean \"status\"? All verbs: vpnctl --help\n");
  EXPECT_EQ(vpnctl({"--unknown"}).err,
            "vpnctl: there is no option \"--unknown\"\n  All verbs: vpnctl --help\n");
  EXPECT_EQ(vpnctl({"start"}).err, "vpnctl: NAME is required\n  See: vpnctl start --help\n");
  EXPECT_EQ(vpnctl({"capture", "lab", "--duration", "soon"}).err,
            "vpnctl: --duration: expected a number from 0 to 1000000000, got \"soon\"\n"
            "  See: vpnctl capture --help\n");
}

TEST(CommandLine, HelpIsNoError) {
  for (const Verb& verb : verbs()) {
    if (verb.name == "lab") continue;
    const Outcome outcome = vpnctl({verb.name.data(), "--help"});
    EXPECT_EQ(outcome.code, 0) << verb.name;
    EXPECT_NE(outcome.out.find(verb.summary), std::string::npos) << outcome.out;
  }
}

TEST(CommandLine, TakesGlobalOptionsBeforeAndAfterTheVerb) {
  EXPECT_EQ(vpnctl({"--no-color", "completion", "bash"}).code, 0);
  EXPECT_EQ(vpnctl({"completion", "bash", "--no-color"}).code, 0);
}

TEST(Lab, SaysWhatIsMissing) {
  const Outcome outcome = vpnctl({"lab", "run", "all"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("the lab is not installed"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace vpntun::ctl
