// docs/vpnctl.md against the program: every verb has a section "## VERB ..." with its options as "-
// `--option`", the global ones are under "## Global options", and nothing else is there.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "ctl/verbs.h"

namespace vpntun::ctl {
namespace {

using Sections = std::map<std::string, std::set<std::string>>;
constexpr const char* kGlobal = "(global)";

std::set<std::string> options_of(const CLI::App& app) {
  std::set<std::string> options;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      if (name != "help") options.insert("--" + name);
    for (const std::string& name : option->get_snames())
      if (name != "h") options.insert("-" + name);
  }
  return options;
}

Sections sections_of_program() {
  CLI::App app{"", "vpnctl"};
  Options options;
  declare(app, options);
  Sections sections{{kGlobal, options_of(app)}};
  for (const Verb& verb : verbs())
    sections[std::string(verb.name)] = options_of(*app.get_subcommand(std::string(verb.name)));
  return sections;
}

// Option spellings are read from the code span at the head of a list item: "- `--write FILE`, `-w`:
// ...".
std::set<std::string> options_of_line(const std::string& line) {
  static const std::regex kSpelling("`(-[-a-z]+)[^`]*`");
  const std::string head = line.substr(0, line.find(": "));
  std::set<std::string> options;
  for (std::sregex_iterator match(head.begin(), head.end(), kSpelling), end; match != end; ++match)
    options.insert((*match)[1]);
  return options;
}

Sections sections_of_reference() {
  std::ifstream page(VPNCTL_REFERENCE);
  EXPECT_TRUE(page.is_open()) << VPNCTL_REFERENCE;
  static const std::regex kVerb("## `vpnctl ([a-z]+).*`");
  Sections sections;
  std::string section;
  std::string line;
  while (std::getline(page, line)) {
    std::smatch match;
    if (line.starts_with("## ")) section = line == "## Global options" ? kGlobal : "";
    if (std::regex_match(line, match, kVerb)) section = match[1];
    if (section.empty()) continue;
    std::set<std::string>& options = sections[section];
    if (line.starts_with("- `-")) options.merge(options_of_line(line));
  }
  return sections;
}

TEST(Reference, AndTheProgramHaveTheSameVerbsAndOptions) {
  EXPECT_EQ(sections_of_reference(), sections_of_program());
}

}  // namespace
}  // namespace vpntun::ctl
