// What operator new gave out in this test program, and what was in it when it came back, so that
// tests can say what allocates, and what is wiped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vpntun {

std::size_t allocations() noexcept;      // calls so far
std::size_t allocated_bytes() noexcept;  // in use now

// While it lives: how often memory was given back with these bytes still in it. One at a time.
class FreedWith {
 public:
  explicit FreedWith(std::span<const std::uint8_t> secret) noexcept;
  ~FreedWith();
  FreedWith(const FreedWith&) = delete;
  FreedWith& operator=(const FreedWith&) = delete;

  std::size_t times() const noexcept;
};

}  // namespace vpntun
