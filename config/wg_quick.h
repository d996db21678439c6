// Profiles in the form of wg-quick(8) and wg(8): read and written. Called by vpnctl. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/finding.h"
#include "config/profile.h"

namespace vpntun::config {

// What the text says, as a profile of that tunnel. Warnings are about lines that a profile cannot
// say, such as hooks; notes about values that mean the same written another way. path: for
// findings. A peer's name is taken from a comment "# Name = phone" in its section.
Loaded parse_wg_quick(std::string_view text, const std::string& path,
                      const std::string& tunnel_name);

struct WgQuickText {
  std::string text;                 // secret keys included: the caller's to wipe
  std::vector<std::string> unsaid;  // what wg-quick cannot say, a sentence each
};
// Throws Error kNotSupported for a profile that is not of WireGuard, or carries frames.
WgQuickText to_wg_quick(const Profile& profile);

}  // namespace vpntun::config
