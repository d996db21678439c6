// setsockopt(2) that must succeed. Callers: what opens sockets in this room. Thread: the caller's.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "base/error.h"

namespace vpntun::os {

// Throws Error: `attempted` could not be done, because the kernel refused the option.
template <typename Value>
void set_option(int fd, int level, int option, const Value& value, std::string_view attempted) {
  if (::setsockopt(fd, level, option, &value, sizeof(value)) < 0) throw_errno(errno, attempted);
}

}  // namespace vpntun::os
