#include "ctl/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace vpntun::ctl {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode's East Asian Width W and F, in coarse ranges, and the marks that take no column.
constexpr std::array kWide{Range{0x1100, 0x115f},  Range{0x2e80, 0x303e}, Range{0x3041, 0xa4cf},
                           Range{0xac00, 0xd7a3},  Range{0xf900, 0xfaff}, Range{0xfe30, 0xfe6f},
                           Range{0xff00, 0xff60},  Range{0xffe0, 0xffe6}, Range{0x1f300, 0x1faff},
                           Range{0x20000, 0x3fffd}};
constexpr std::array kZero{Range{0x0300, 0x036f}, Range{0x200b, 0x200f}, Range{0x20d0, 0x20ff},
                           Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}};

bool within(const auto& ranges, char32_t character) {
  return std::any_of(ranges.begin(), ranges.end(), [character](const Range& range) {
    return character >= range.first && character <= range.last;
  });
}

struct Character {
  std::size_t bytes;
  std::size_t columns;
};

// The first character of non-empty text; a byte that is no UTF-8 counts as one column.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (length == 1 || length > text.size()) return {1, 1};
  char32_t code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i)
    code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3fu);
  return {length, within(kZero, code) ? 0u : within(kWide, code) ? 2u : 1u};
}

std::string_view sgr(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      break;
    case Colour::kBold:
      return "\x1b[1m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kRed:
      return "\x1b[31m";
  }
  return "";
}

std::string_view shown(const Cell& cell) {
  return cell.text.empty() ? kNothing : cell.text;
}

// Narrower columns than this say nothing.
constexpr std::size_t kNarrowest = 6;

// One line of a table, each cell cut and padded to its column's width.
std::string line(const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                 const Style& style, std::size_t indent) {
  std::string out(indent, ' ');
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string text = cut(shown(row[i]), widths[i]);
    out += paint(style, row[i].colour, text);
    out.append(widths[i] - display_width(text) + 2, ' ');
  }
  out.erase(out.find_last_not_of(' ') + 1);
  return out + '\n';
}

// Takes from the columns until all fit into a terminal, as far as that makes sense: from headers
// wider than all `cells` of their column, then from the widest.
void shrink(std::vector<std::size_t>& widths, const std::vector<std::size_t>& cells,
            std::size_t columns) {
  std::size_t total = 2 * (widths.size() - 1);
  for (const std::size_t width : widths) total += width;
  for (std::size_t i = 0; i < widths.size(); ++i)
    for (; total > columns && widths[i] > std::max(cells[i], kNarrowest); --total) --widths[i];
  for (; total > columns; --total) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kNarrowest) return;
    --*widest;
  }
}

std::chrono::seconds elapsed(std::uint64_t usec, std::uint64_t now_usec) {
  return std::chrono::seconds(now_usec > usec ? (now_usec - usec) / 1'000'000 : 0);
}

}  // namespace

std::string paint(const Style& style, Colour colour, std::string_view text) {
  if (!style.colour || colour == Colour::kNone) return std::string(text);
  return fmt::format("{}{}\x1b[0m", sgr(colour), text);
}

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.5 would be rounded to "1024".
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return value < 9.95 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                      : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string rate_text(double bytes_per_second) {
  return size_text(static_cast<std::uint64_t>(std::max(bytes_per_second, 0.0))) + "/s";
}

std::string duration_text(std::chrono::seconds duration) {
  const auto total = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  const std::uint64_t days = total / 86400;
  const std::uint64_t hours = total / 3600 % 24;
  const std::uint64_t minutes = total / 60 % 60;
  const std::uint64_t seconds = total % 60;
  if (days != 0) return fmt::format("{} d {} h", days, hours);
  if (hours != 0) return fmt::format("{} h {} min", hours, minutes);
  if (minutes != 0) return fmt::format("{} min {} s", minutes, seconds);
  return fmt::format("{} s", seconds);
}

std::string ago_text(std::uint64_t usec, std::uint64_t now_usec) {
  return usec == 0 ? "never" : duration_text(elapsed(usec, now_usec)) + " ago";
}

std::string brief_ago_text(std::uint64_t usec, std::uint64_t now_usec) {
  if (usec == 0) return "never";
  const std::string both = duration_text(elapsed(usec, now_usec));
  return both.substr(0, both.find(' ', both.find(' ') + 1)) + " ago";
}

std::string count_text(std::uint64_t count, std::string_view singular) {
  return fmt::format("{} {}{}", count, singular, count == 1 ? "" : "s");
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    columns += character.columns;
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t bytes = 0;
  std::size_t used = 0;
  while (bytes < text.size()) {
    const Character character = first_character(text.substr(bytes));
    if (used + character.columns > columns - 1) break;
    used += character.columns;
    bytes += character.bytes;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  std::size_t width = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    const std::size_t word_width = display_width(word);
    if (lines.empty() || width + 1 + word_width > columns) {
      lines.emplace_back(word);
      width = word_width;
    } else {
      (lines.back() += ' ') += word;
      width += 1 + word_width;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string Table::text(const Style& style, std::size_t indent) const {
  std::vector<Cell> header;
  std::vector<std::size_t> cells;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    header.push_back({header_[i], Colour::kBold});
    std::size_t width = 0;
    for (const std::vector<Cell>& row : rows_)
      width = std::max(width, display_width(shown(row[i])));
    cells.push_back(width);
    widths.push_back(std::max(width, display_width(header_[i])));
  }
  if (style.columns != 0) shrink(widths, cells, style.columns - std::min(indent, style.columns));
  std::string out = line(header, widths, style, indent);
  for (const std::vector<Cell>& row : rows_) out += line(row, widths, style, indent);
  return out;
}

}  // namespace vpntun::ctl
