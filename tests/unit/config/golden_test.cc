// One mistake per file: golden/NAME.toml and the findings about it in golden/NAME.txt, word for
// word. After a wanted change of words: VPNTUN_WRITE_GOLDEN=1 config_test
// --gtest_filter='*Golden*', then read the diff.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/finding.h"

namespace vpntun::config {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(VPNTUN_GOLDEN))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, says_what_is_written_down) {
  const fs::path profile = fs::path(VPNTUN_GOLDEN) / (GetParam() + ".toml");
  const fs::path expected = fs::path(VPNTUN_GOLDEN) / (GetParam() + ".txt");
  const Loaded loaded = load_text(read(profile), profile.filename(), "golden");
  const std::string text = to_text(loaded.findings, false) + count_line(loaded.findings) + "\n";
  if (std::getenv("VPNTUN_WRITE_GOLDEN")) std::ofstream(expected, std::ios::binary) << text;
  ASSERT_TRUE(fs::exists(expected)) << "write down what is to be said in " << expected;
  EXPECT_EQ(text, read(expected));

  EXPECT_FALSE(loaded.findings.empty());
  const bool errors =
      std::any_of(loaded.findings.begin(), loaded.findings.end(),
                  [](const Finding& each) { return each.severity == Severity::kError; });
  EXPECT_EQ(loaded.profile.has_value(), !errors);
}

INSTANTIATE_TEST_SUITE_P(mistakes, Golden, testing::ValuesIn(names()), [](const auto& name) {
  std::string word = name.param;
  std::replace(word.begin(), word.end(), '-', '_');
  return word;
});

TEST(Golden, covers_at_least_45_mistakes) {
  EXPECT_GE(names().size(), 45u);
}

TEST(Golden, has_a_mistake_for_each_text) {
  for (const auto& entry : fs::directory_iterator(VPNTUN_GOLDEN)) {
    fs::path profile = entry.path();
    EXPECT_TRUE(fs::exists(profile.replace_extension(".toml"))) << entry.path();
  }
}

}  // namespace
}  // namespace vpntun::config
