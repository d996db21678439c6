#include "bus/options.h"

#include <getopt.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"
#include "config/finding.h"

namespace vpntun::bus {
namespace {

Options parse(std::vector<std::string> words) {
  words.insert(words.begin(), "vpntund");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  optind = 0;  // getopt(3): start anew
  opterr = 0;
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Options, WithoutAnyItIsTheManagerOfTheUsualFolders) {
  const Options options = parse({});
  EXPECT_FALSE(options.session);
  EXPECT_EQ(options.profile_folders, config::default_profile_folders());
  EXPECT_EQ(options.launcher, Options::Launcher::kAuto);
}

TEST(Options, AreAllTaken) {
  const Options options =
      parse({"--session", "lab", "--profile-folder=a", "--profile-folder", "b", "--launcher",
             "process", "--runtime-folder", "r", "--log-level", "debug"});
  EXPECT_EQ(options.session, "lab");
  EXPECT_EQ(options.profile_folders, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options.launcher, Options::Launcher::kProcess);
  EXPECT_EQ(options.runtime_folder, "r");
  EXPECT_EQ(options.log_level, log::Level::kDebug);
}

TEST(Options, WhatIsWrongIsRefused) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--launcher", "magic"},
                                             {"--log-level", "loud"},
                                             {"--session", "../x"},
                                             {"--session", ""},
                                             {"--unknown"},
                                             {"more"},
                                             {"--session"}})
    EXPECT_THROW(parse(words), Error) << words[0];
}

}  // namespace
}  // namespace vpntun::bus
