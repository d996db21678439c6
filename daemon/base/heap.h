// Freed memory goes back to the system, so that a process is as large as what it holds, not as what
// it held while it read a profile of thousands of peers or told all about them. Called by the
// session. Any thread.
#pragma once

#include <malloc.h>

namespace vpntun {

// Large blocks, now and later. glibc would keep ever larger ones for itself otherwise.
inline void give_back_large_blocks() noexcept {
  constexpr int kLarge = 128 * 1024;  // bytes
  ::mallopt(M_MMAP_THRESHOLD, kLarge);
}

// All that is free now: after much was read and thrown away.
inline void give_back_freed_memory() noexcept {
  ::malloc_trim(0);
}

}  // namespace vpntun
