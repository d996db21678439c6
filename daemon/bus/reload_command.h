// vpntund --reload NAME: what systemctl reload runs. Called by main.
#pragma once

#include <string>

namespace vpntun::bus {

// Lets the running session of the tunnel take in its profile again, and says in one line what came
// of it. Throws Error: what the session's Reload says, kNotRunning, kTimeout.
std::string run_reload(const std::string& tunnel);

}  // namespace vpntun::bus
