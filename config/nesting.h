// How deep a TOML text nests, found before it is parsed: toml++ 3.3 destroys nested tables by
// recursion and sets dotted keys no limit, so that a.a.a... = 1 with some ten thousand dots
// exhausts the stack. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace vpntun::config {

inline constexpr int kMaxBrackets = 32;  // arrays and inline tables inside each other
inline constexpr int kMaxDots = 16;      // dots in one key

// The offset of the first byte that nests deeper. Right up to the first syntax error, where the
// parser stops.
std::optional<std::size_t> find_deep_nesting(std::string_view text) noexcept;

}  // namespace vpntun::config
