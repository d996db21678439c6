// vpntund --session NAME: one tunnel, from the profile to the bus. Called by main.
#pragma once

#include "bus/options.h"

namespace vpntun::bus {

// Until SIGTERM or SIGINT; by then everything is taken down. Throws Error when the tunnel cannot be
// brought up, or cannot go on, or the bus goes away.
void run_session(const Options& options);

}  // namespace vpntun::bus
