#include "config/guard.h"

#include <algorithm>
#include <array>

namespace vpntun::config {
namespace {

bool is_ascii(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x80;
}

// Behind the string that opens at i (TOML 1.0, section String). One that is not closed ends with
// its line; one in which other characters than ASCII are not safe ends there.
std::size_t skip_string(std::string_view text, std::size_t i, bool after_word) noexcept {
  const char quote = text[i];
  const std::string_view three = quote == '"' ? R"(""")" : "'''";
  const bool multi_line = text.substr(i).starts_with(three);
  const bool safe = !multi_line && !after_word;
  i += multi_line ? 3 : 1;
  while (i < text.size()) {
    if (!safe && !is_ascii(text[i])) return i;
    if (multi_line && text.substr(i).starts_with(three)) {
      i += 3;
      // Up to two quotes may stand directly before the closing ones.
      for (int extra = 0; extra < 2 && i < text.size() && text[i] == quote; ++extra) ++i;
      return i;
    }
    if (!multi_line && text[i] == '\n') return i;
    if (!multi_line && text[i] == quote) return i + 1;
    const bool escape =
        quote == '"' && text[i] == '\\' && i + 1 < text.size() && is_ascii(text[i + 1]);
    i += escape ? 2 : 1;
  }
  return text.size();
}

// Where in the grammar a text is, as far as the hazards need it.
class Scan {
 public:
  // Something before this place may be a key or value that is not over yet: the parser looks ahead
  // for the end of numbers and dates, also across a string.
  bool in_word() const noexcept { return in_word_; }
  void take_string() noexcept { in_word_ = true; }

  // One character outside of strings and comments. False when it nests too deeply.
  bool take(char c) noexcept {
    switch (c) {
      case ' ':
      case '\t':
      case '\r':
        return true;
      case '\n':
        dots_ = 0;
        if (depth_ == 0) in_word_ = in_value_ = false;
        return true;
      case ',':
        dots_ = 0;
        in_word_ = false;
        if (top() == '{') in_value_ = false;
        return true;
      case '=':
        dots_ = 0;
        in_word_ = in_value_ || top() == '[';
        in_value_ = true;
        return true;
      case '[':
      case '{':
        return open(c);
      case ']':
      case '}':
        if (depth_ > 0) --depth_;
        in_word_ = in_value_ = true;
        return true;
      default:
        in_word_ = true;
        return c != '.' || ++dots_ <= kMaxDots;
    }
  }

 private:
  char top() const noexcept { return depth_ > 0 ? brackets_[depth_ - 1] : '\0'; }
  bool open(char bracket) noexcept {
    if (depth_ == brackets_.size()) return false;
    brackets_[depth_++] = bracket;
    dots_ = 0;
    if (bracket == '{') in_value_ = false;
    return true;
  }

  std::array<char, kMaxBrackets> brackets_{};
  std::size_t depth_ = 0;
  int dots_ = 0;
  bool in_word_ = false;
  bool in_value_ = false;  // behind the "=" of a key
};

}  // namespace

std::optional<FoundHazard> find_hazard(std::string_view text) noexcept {
  Scan scan;
  std::size_t i = text.starts_with("\xef\xbb\xbf") ? 3 : 0;  // a byte order mark
  while (i < text.size()) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = skip_string(text, i, scan.in_word());
      scan.take_string();
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (!is_ascii(c)) {
      return FoundHazard{Hazard::kNonAscii, i};
    } else if (!scan.take(c)) {
      return FoundHazard{Hazard::kNesting, i};
    } else {
      ++i;
    }
  }
  return std::nullopt;
}

}  // namespace vpntun::config
