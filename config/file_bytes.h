// The content of an open file. Used by the loader, for credentials and by vpnctl.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>

namespace vpntun::config {

inline constexpr std::size_t kLargestProfile = 4 << 20;  // bytes: 10,000 peers of 400

// Reads to the end, at most limit + 1 bytes, so that a longer file shows. Returns 0 or the errno.
// Of a file that does not grow meanwhile nothing is copied: it may have secrets.
inline int read_bytes(int fd, std::size_t limit, std::string& bytes) {
  struct stat info {};
  const bool known = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  bytes.resize(1 + (known ? std::min(limit, static_cast<std::size_t>(info.st_size)) : limit));
  std::size_t size = 0;
  for (;;) {
    if (size == bytes.size()) {
      if (size == limit + 1) break;
      bytes.resize(limit + 1);
    }
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
