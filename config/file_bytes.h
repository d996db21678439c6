// The content of an open file. Used by the loader and for credentials.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

namespace vpntun::config {

// Reads to the end, at most limit + 1 bytes, so that a longer file shows. Returns 0 or the errno.
inline int read_bytes(int fd, std::size_t limit, std::string& bytes) {
  bytes.resize(limit + 1);
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(fd, bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  return 0;
}

}  // namespace vpntun::config
