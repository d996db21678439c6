// How values look in text: sizes, durations, rates, tables measured in display columns, colours.
// Pure. Called by every verb that prints for people; JSON output never comes here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vpntun::ctl {

enum class Colour { kNone, kBold, kDim, kGreen, kYellow, kRed };

// What the output can show. columns and rows 0: not a terminal, so nothing is cut to fit.
struct Style {
  bool colour = false;
  std::size_t columns = 0;
  std::size_t rows = 0;
};

// What stands in a cell without a value.
inline constexpr std::string_view kNothing = "-";

std::string paint(const Style& style, Colour colour, std::string_view text);

// "0 B", "9.4 KiB", "84 MiB": at most three digits, powers of 1024.
std::string size_text(std::uint64_t bytes);
// "1.2 KiB/s".
std::string rate_text(double bytes_per_second);
// The two largest units: "38 s", "3 min 10 s", "3 d 4 h". Negative: "0 s".
std::string duration_text(std::chrono::seconds duration);
// "12 s ago", or "never" for 0. Both in microseconds since 1970.
std::string ago_text(std::uint64_t usec, std::uint64_t now_usec);
// The same for narrow columns, the largest unit alone: "3 min ago".
std::string brief_ago_text(std::uint64_t usec, std::uint64_t now_usec);
// "1 peer", "2 peers".
std::string count_text(std::uint64_t count, std::string_view singular);

// Columns a terminal needs for UTF-8 text: 0 for combining marks, 2 for wide characters. Escape
// sequences are not known.
std::size_t display_width(std::string_view text);
// The text in at most `columns` display columns, its end replaced by an ellipsis when it is longer.
std::string cut(std::string_view text, std::size_t columns);

// The text broken at spaces into lines of at most `columns` display columns; a longer word stays
// whole.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

struct Cell {
  std::string text;
  Colour colour = Colour::kNone;
};

// Rows under a header, two spaces between columns, no spaces at line ends.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}

  // Requires as many cells as the header has. An empty cell shows kNothing.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  // Each line starts with `indent` spaces. On a terminal the widest columns are cut until the lines
  // fit.
  std::string text(const Style& style, std::size_t indent = 0) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace vpntun::ctl
