#include "config/nesting.h"

#include <algorithm>

namespace vpntun::config {
namespace {

// Behind the string that opens at i (TOML 1.0, section String). One that is not closed ends with
// its line.
std::size_t skip_string(std::string_view text, std::size_t i) noexcept {
  const char quote = text[i];
  const std::string_view three = quote == '"' ? R"(""")" : "'''";
  const bool multi_line = text.substr(i).starts_with(three);
  i += multi_line ? 3 : 1;
  while (i < text.size()) {
    if (quote == '"' && text[i] == '\\') {
      i += 2;
    } else if (multi_line && text.substr(i).starts_with(three)) {
      i += 3;
      // Up to two quotes may stand directly before the closing ones.
      for (int extra = 0; extra < 2 && i < text.size() && text[i] == quote; ++extra) ++i;
      return i;
    } else if (!multi_line && (text[i] == quote || text[i] == '\n')) {
      return i + 1;
    } else {
      ++i;
    }
  }
  return text.size();
}

}  // namespace

std::optional<std::size_t> find_deep_nesting(std::string_view text) noexcept {
  int brackets = 0;
  int dots = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = skip_string(text, i);
      continue;
    }
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (c == '.' && ++dots > kMaxDots) return i;
    if ((c == '[' || c == '{') && ++brackets > kMaxBrackets) return i;
    if ((c == ']' || c == '}') && brackets > 0) --brackets;
    if (c == '\n' || c == '=' || c == ',' || c == '[' || c == '{') dots = 0;
    ++i;
  }
  return std::nullopt;
}

}  // namespace vpntun::config
