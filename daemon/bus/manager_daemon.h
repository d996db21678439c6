// vpntund without --session: the manager process. Called by main.
#pragma once

#include "bus/options.h"

namespace vpntun::bus {

// Until SIGTERM or SIGINT, which leave the sessions alone. Throws Error, also when the bus goes
// away.
void run_manager(const Options& options);

}  // namespace vpntun::bus
