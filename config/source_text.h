// The text of a profile as its lines, for findings: where a byte lies, and what to show around a
// place. Used by the loader only. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vpntun::config {

// Where something stands in the file. Line 0: the file as a whole.
struct Place {
  std::uint32_t line = 0;    // 1-based
  std::uint32_t column = 0;  // 1-based, in characters
  std::uint32_t length = 1;  // characters; 0: to the end of the line
};

// A line made fit for showing.
struct Excerpt {
  std::string text;
  std::uint32_t mark = 0;  // characters of text before the place
};

// A line, measured once for all findings on it: it may be as long as the file.
struct Line {
  std::uint32_t number = 0;
  std::string_view text;
  std::size_t characters = 0;
  std::size_t secret = std::string_view::npos;  // offset of a value that must not be shown
};

class SourceText {
 public:
  // text must outlive the object. A byte order mark at its beginning does not count as a character.
  explicit SourceText(std::string_view text);

  // The place of one byte.
  Place place_at(std::size_t offset) const;
  // The line of that number; the last one when there are not so many.
  Line line(std::uint32_t number) const;

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;  // offset of each line
};

// The place, kept inside its line: a column at most one behind the end, a length of at least 1.
Place inside(const Line& line, Place place);
// What to show of the line around a place inside. A secret value is left out.
Excerpt excerpt(const Line& line, Place place);

// The offset of the first byte that is not well-formed UTF-8 (RFC 3629).
std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept;

// Characters of UTF-8 text: bytes that do not continue another one.
std::size_t count_characters(std::string_view text) noexcept;

}  // namespace vpntun::config
