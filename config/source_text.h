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

class SourceText {
 public:
  // text must outlive the object. A byte order mark at its beginning does not count as a character.
  explicit SourceText(std::string_view text);

  // The place of one byte.
  Place place_at(std::size_t offset) const;
  // The same place, kept inside the text: a column at most one behind the line's end, a length of
  // at least 1.
  Place inside(Place place) const;
  // The line of a place that is inside. A value of a secret key on it is left out.
  Excerpt excerpt(Place place) const;
  // Whether the line has a key whose value must not be shown.
  bool is_secret(std::uint32_t line) const;

 private:
  std::string_view line(std::uint32_t number) const;

  std::string_view text_;
  std::vector<std::size_t> starts_;  // offset of each line
};

// The offset of the first byte that is not well-formed UTF-8 (RFC 3629).
std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept;

// Characters of UTF-8 text: bytes that do not continue another one.
std::size_t count_characters(std::string_view text) noexcept;

}  // namespace vpntun::config
