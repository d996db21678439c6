// What operator new gave out in this test program, so that tests can say what allocates.
#pragma once

#include <cstddef>

namespace vpntun {

std::size_t allocations() noexcept;      // calls so far
std::size_t allocated_bytes() noexcept;  // in use now

}  // namespace vpntun
