// Shell completions, made from the declared command line: what it knows, they know. Pure.
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace vpntun::ctl {

// shell: "bash", "zsh" or "fish". Tunnel names are asked with `vpnctl list --names` when the user
// presses Tab.
std::string completion_script(const CLI::App& app, std::string_view shell);

}  // namespace vpntun::ctl
