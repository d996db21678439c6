// The command line of vpntund. Called by main.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/log.h"

namespace vpntun::bus {

struct Options {
  enum class Launcher { kAuto, kSystemd, kProcess };

  bool help = false;
  bool version = false;
  std::optional<std::string> session;  // the tunnel to be, instead of the manager
  std::optional<std::string> reload;   // the tunnel whose session is to reload
  Launcher launcher = Launcher::kAuto;
  std::vector<std::string> profile_folders;
  std::string runtime_folder;  // empty: a private one
  log::Level log_level = log::Level::kInfo;
};

// Throws Error kInvalidArguments.
Options parse_options(int argc, char** argv);
std::string usage();
// "vpntund 0.1.0"
std::string version_line();

}  // namespace vpntun::bus
