// vpntund --session NAME: one tunnel, from the profile to the bus. Called by main.
#pragma once

#include <optional>

#include "base/error.h"
#include "bus/options.h"

namespace vpntun::bus {

// Until SIGTERM or SIGINT, by then everything is taken down; or SIGUSR1: the tunnel is left in
// place for the session that follows. Throws Error when the tunnel cannot be
// brought up. Returns why it could not go on, if it could not; the log has
// that.
std::optional<Error> run_session(const Options& options);

}  // namespace vpntun::bus
