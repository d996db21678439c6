// The login service on V's port 23: "login:", "Password:", then every line comes back. It stands
// for the telnet server of the original lab, accepts any name and password and runs nothing.
// Callers: keeper. Thread: the only one of its process.
#pragma once

#include "base/unique_fd.h"

namespace vpntun::lab {

// A listening TCP socket in the namespace of the calling thread. Throws Error.
UniqueFd listen_for_logins(int port);
// Serves until the process is killed.
[[noreturn]] void serve_logins(const UniqueFd& listener) noexcept;

}  // namespace vpntun::lab
