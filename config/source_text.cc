#include "config/source_text.h"

#include <algorithm>
#include <cctype>

#include "base/log.h"

namespace vpntun::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::size_t kShownBefore = 60;  // characters of a long line before the place
constexpr std::size_t kShown = 100;       // and in all

bool continues(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// The offset of character number n, or the end.
std::size_t offset_of(std::string_view text, std::size_t n) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (continues(text[i])) continue;
    if (n == 0) return i;
    --n;
  }
  return text.size();
}

// One character per tab, so that the caret stands right wherever the terminal has its tab stops.
std::string shown(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\t', ' ');
  return escaped(line, line.size() * 4 + 1);
}

// Behind the "=" (or a mistaken ":") of a key of secret value, or where something begins that looks
// like one, or npos. Spelling and quotes do not matter.
std::size_t secret_offset(std::string_view line) {
  std::string letters;
  bool secret = false;
  std::size_t base64 = 0;  // characters in a row
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    if (secret && (c == '=' || c == ':')) return i + 1;
    // A key on a line of its own: one in a text of several lines, or in a comment.
    if (c == '=' && base64 >= 43 && letters.find("publickey") == std::string::npos)
      return i - base64;
    base64 = std::isalnum(c) || c == '+' || c == '/' ? base64 + 1 : 0;
    if (!std::isalnum(c)) continue;
    letters += static_cast<char>(std::tolower(c));
    secret = secret || letters.ends_with("privatekey") || letters.ends_with("presharedkey");
  }
  return std::string_view::npos;
}

}  // namespace

SourceText::SourceText(std::string_view text) : text_(text) {
  starts_.push_back(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n') starts_.push_back(i + 1);
}

Line SourceText::line(std::uint32_t number) const {
  number = std::clamp(number, 1u, static_cast<std::uint32_t>(starts_.size()));
  const std::size_t start = starts_[number - 1];
  const std::size_t end = number < starts_.size() ? starts_[number] - 1 : text_.size();
  std::string_view text = text_.substr(start, end - start);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return {number, text, count_characters(text), secret_offset(text)};
}

Place SourceText::place_at(std::size_t offset) const {
  offset = std::clamp(offset, starts_.front(), text_.size());
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
  const std::size_t start = *(after - 1);
  const auto before = count_characters(text_.substr(start, offset - start));
  return {static_cast<std::uint32_t>(after - starts_.begin()),
          static_cast<std::uint32_t>(before + 1), 1};
}

Place inside(const Line& line, Place place) {
  const auto characters = static_cast<std::uint32_t>(line.characters);
  place.line = line.number;
  place.column = std::clamp(place.column, 1u, characters + 1);
  const std::uint32_t rest = std::max(characters + 1 - place.column, 1u);
  place.length = place.length == 0 ? rest : std::min(place.length, rest);
  return place;
}

Excerpt excerpt(const Line& line, Place place) {
  const bool secret = line.secret < line.text.size();
  const std::string_view whole = line.text.substr(0, line.secret);
  const std::string_view tail = secret ? " (not shown)" : "";
  const std::size_t characters = secret ? count_characters(whole) : line.characters;
  const std::size_t before = std::min<std::size_t>(place.column - 1, characters);
  std::size_t first = 0;
  if (characters > kShown && before > kShownBefore)
    first = std::min(before - kShownBefore, characters - kShown);
  const std::size_t start = offset_of(whole, first);
  const std::size_t mark = offset_of(whole, before);
  const std::size_t end = offset_of(whole, first + kShown);

  const std::string lead = (first > 0 ? "..." : "") + shown(whole.substr(start, mark - start));
  const std::string rest = shown(whole.substr(mark, end - mark));
  const std::string_view cut = end < whole.size() ? "..." : "";
  return {lead + rest + std::string(cut) + std::string(tail),
          static_cast<std::uint32_t>(count_characters(lead))};
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  std::size_t i = 0;
  while (i < text.size()) {
    const unsigned lead = byte(i);
    const unsigned second = byte(i + 1);
    std::size_t length = 1;
    if (lead >= 0xc2 && lead <= 0xdf) length = 2;
    if (lead >= 0xe0 && lead <= 0xef) length = 3;
    if (lead >= 0xf0 && lead <= 0xf4) length = 4;
    // Overlong forms, surrogates and numbers above U+10FFFF show in the second byte.
    const bool wrong = (length == 1 && lead >= 0x80) || (lead == 0xe0 && second < 0xa0) ||
                       (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
                       (lead == 0xf4 && second > 0x8f);
    if (wrong) return i;
    for (std::size_t j = 1; j < length; ++j)
      if ((byte(i + j) & 0xc0) != 0x80) return i;
    i += length;
  }
  return std::nullopt;
}

std::size_t count_characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

}  // namespace vpntun::config
