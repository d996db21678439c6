#include "ctl/completion.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "ctl/verbs.h"

namespace vpntun::ctl {
namespace {

std::string script(const char* shell) {
  CLI::App app{"", "vpnctl"};
  Options options;
  declare(app, options);
  return completion_script(app, shell);
}

TEST(Completion, KnowsEveryVerbAndOptionInEveryShell) {
  CLI::App app{"", "vpnctl"};
  Options options;
  declare(app, options);
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string text = script(shell);
    for (const Verb& verb : verbs()) {
      EXPECT_NE(text.find(verb.name), std::string::npos) << shell << ' ' << verb.name;
      for (const CLI::Option* option : app.get_subcommand(std::string(verb.name))->get_options())
        for (const std::string& name : option->get_lnames())
          EXPECT_NE(text.find(name), std::string::npos) << shell << ' ' << name;
    }
  }
}

TEST(Completion, AsksTheProgramForTunnels) {
  for (const char* shell : {"bash", "zsh", "fish"})
    EXPECT_NE(script(shell).find("vpnctl list --names 2>/dev/null"), std::string::npos) << shell;
}

}  // namespace
}  // namespace vpntun::ctl
