// Starts a program as systemd starts a service: a session (setsid(2)) of its own, signals as new,
// nothing inherited but what it is handed over by the protocol of sd_listen_fds(3). Called by
// ProcessLauncher. Thread: control; the process must have no other thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace vpntun::manager {

// With the names they were stored under.
using NamedFds = std::vector<std::pair<std::string, UniqueFd>>;

// arguments: from argv[0]. environment: "NAME=value". The descriptors stay the caller's. Returns
// once the program runs; throws Error when it cannot be run.
pid_t spawn(const std::string& program, std::vector<std::string> arguments,
            std::vector<std::string> environment, const NamedFds& handed_over);

}  // namespace vpntun::manager
