#include "config/guard.h"

#include <algorithm>

namespace vpntun::config {
namespace {

bool is_ascii(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x80;
}

// Behind the string that opens at i (TOML 1.0, section String). One that is not closed ends with
// its line. One of several lines also ends at a character that is not ASCII.
std::size_t skip_string(std::string_view text, std::size_t i) noexcept {
  const char quote = text[i];
  const std::string_view three = quote == '"' ? R"(""")" : "'''";
  const bool multi_line = text.substr(i).starts_with(three);
  i += multi_line ? 3 : 1;
  while (i < text.size()) {
    if (multi_line && !is_ascii(text[i])) return i;
    if (multi_line && text.substr(i).starts_with(three)) {
      i += 3;
      // Up to two quotes may stand directly before the closing ones.
      for (int extra = 0; extra < 2 && i < text.size() && text[i] == quote; ++extra) ++i;
      return i;
    }
    if (!multi_line && (text[i] == quote || text[i] == '\n')) return i + 1;
    const bool escape =
        quote == '"' && text[i] == '\\' && i + 1 < text.size() && is_ascii(text[i + 1]);
    i += escape ? 2 : 1;
  }
  return text.size();
}

}  // namespace

std::optional<FoundHazard> find_hazard(std::string_view text) noexcept {
  int brackets = 0;
  int dots = 0;
  std::size_t i = text.starts_with("\xef\xbb\xbf") ? 3 : 0;  // a byte order mark
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
    if (!is_ascii(c)) return FoundHazard{Hazard::kNonAscii, i};
    if (c == '.' && ++dots > kMaxDots) return FoundHazard{Hazard::kNesting, i};
    const bool opens = c == '[' || c == '{';
    if (opens && ++brackets > kMaxBrackets) return FoundHazard{Hazard::kNesting, i};
    if ((c == ']' || c == '}') && brackets > 0) --brackets;
    if (c == '\n' || c == '=' || c == ',' || opens) dots = 0;
    ++i;
  }
  return std::nullopt;
}

}  // namespace vpntun::config
