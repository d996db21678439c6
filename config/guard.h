// What toml++ 3.3 must not be given, found before the text is parsed. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace vpntun::config {

enum class Hazard {
  // It destroys nested tables by recursion and sets dotted keys no limit: a.a.a... = 1 with some
  // ten thousand dots
  // exhausts the stack.
  kNesting,
  // Its test for white space runs into undefined behaviour for many other characters, where it
  // looks for white space.
  // TOML has them in strings and comments only; those in strings of one line are safe.
  kNonAscii,
};

inline constexpr int kMaxBrackets = 32;  // arrays and inline tables inside each other
inline constexpr int kMaxDots = 16;      // dots in one key

struct FoundHazard {
  Hazard hazard = Hazard::kNesting;
  std::size_t offset = 0;  // of its first byte
  bool operator==(const FoundHazard&) const = default;
};

// The first hazard of a UTF-8 text. Right up to the first syntax error, where the parser stops.
std::optional<FoundHazard> find_hazard(std::string_view text) noexcept;

}  // namespace vpntun::config
