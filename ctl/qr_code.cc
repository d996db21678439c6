#include "ctl/qr_code.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"

namespace vpntun::ctl {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr unsigned kVersions = 40;
// Of level L, by version from 1 (ISO/IEC 18004, table 9).
constexpr std::array<std::uint8_t, kVersions> kCorrectionPerBlock{
    7,  10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28,
    28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30};
constexpr std::array<std::uint8_t, kVersions> kBlocks{
    1, 1, 1, 1,  1,  2,  2,  2,  2,  4,  4,  4,  4,  4,  6,  6,  6,  6,  7,  8,
    8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25};
constexpr unsigned kLevelL = 1;  // in the format information

std::size_t size_of(unsigned version) {
  return std::size_t{version} * 4 + 17;
}

// Rows and columns where alignment patterns have their centres.
std::vector<std::size_t> alignment_centres(unsigned version) {
  if (version == 1) return {};
  const std::size_t count = version / 7 + 2;
  const std::size_t step = (std::size_t{version} * 8 + count * 3 + 5) / (count * 4 - 4) * 2;
  std::vector<std::size_t> centres{6};
  for (std::size_t i = count - 1; i > 0; --i)
    centres.push_back(size_of(version) - 7 - (i - 1) * step);
  return centres;
}

// All codewords, of data and correction.
std::size_t codewords_of(unsigned version) {
  std::size_t modules = (std::size_t{16} * version + 128) * version + 64;
  if (version >= 2) {
    const std::size_t count = version / 7 + 2;
    modules -= (25 * count - 10) * count - 55;
    if (version >= 7) modules -= 36;
  }
  return modules / 8;
}

std::size_t data_codewords_of(unsigned version) {
  return codewords_of(version) -
         std::size_t{kCorrectionPerBlock[version - 1]} * kBlocks[version - 1];
}

unsigned count_bits(unsigned version) {
  return version < 10 ? 8 : 16;
}

// In GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  for (int bit = 7; bit >= 0; --bit) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    if ((b >> bit & 1) != 0) product ^= a;
  }
  return static_cast<std::uint8_t>(product);
}

// The product of (x - 2^i) for i below the degree, without its leading 1.
Bytes generator(std::size_t degree) {
  Bytes result(degree, 0);
  result.back() = 1;
  std::uint8_t root = 1;
  for (std::size_t i = 0; i < degree; ++i) {
    for (std::size_t j = 0; j < degree; ++j) {
      result[j] = multiply(result[j], root);
      if (j + 1 < degree) result[j] ^= result[j + 1];
    }
    root = multiply(root, 2);
  }
  return result;
}

Bytes correction_of(const Bytes& data, const Bytes& divisor) {
  Bytes rest(divisor.size(), 0);
  for (const std::uint8_t byte : data) {
    const std::uint8_t factor = byte ^ rest.front();
    std::rotate(rest.begin(), rest.begin() + 1, rest.end());
    rest.back() = 0;
    for (std::size_t i = 0; i < rest.size(); ++i) rest[i] ^= multiply(divisor[i], factor);
  }
  return rest;
}

// Mode, length, the bytes, and padding.
Bytes data_codewords(std::string_view bytes, unsigned version) {
  std::vector<bool> bits;
  const auto append = [&](unsigned value, unsigned count) {
    while (count-- > 0) bits.push_back((value >> count & 1) != 0);
  };
  append(4, 4);  // byte mode
  append(static_cast<unsigned>(bytes.size()), count_bits(version));
  for (const char c : bytes) append(static_cast<unsigned char>(c), 8);
  const std::size_t capacity = data_codewords_of(version) * 8;
  append(0, static_cast<unsigned>(std::min<std::size_t>(4, capacity - bits.size())));
  append(0, static_cast<unsigned>((8 - bits.size() % 8) % 8));
  for (unsigned pad = 0xec; bits.size() < capacity; pad ^= 0xec ^ 0x11) append(pad, 8);
  Bytes codewords(capacity / 8, 0);
  for (std::size_t i = 0; i < bits.size(); ++i)
    codewords[i / 8] = static_cast<std::uint8_t>(codewords[i / 8] << 1 | (bits[i] ? 1 : 0));
  return codewords;
}

// In blocks with a correction each, taken in turns; the later blocks have one byte more.
Bytes interleaved(const Bytes& data, unsigned version) {
  const std::size_t blocks = kBlocks[version - 1];
  const Bytes divisor = generator(kCorrectionPerBlock[version - 1]);
  const std::size_t shorter = data.size() / blocks;
  const std::size_t longer_from = blocks - data.size() % blocks;
  std::vector<Bytes> parts, corrections;
  for (std::size_t i = 0, at = 0; i < blocks; ++i) {
    const std::size_t length = shorter + (i >= longer_from ? 1 : 0);
    const auto begin = data.begin() + static_cast<std::ptrdiff_t>(at);
    parts.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(length));
    corrections.push_back(correction_of(parts.back(), divisor));
    at += length;
  }
  Bytes all;
  for (std::size_t i = 0; i <= shorter; ++i)
    for (const Bytes& part : parts)
      if (i < part.size()) all.push_back(part[i]);
  for (std::size_t i = 0; i < divisor.size(); ++i)
    for (const Bytes& correction : corrections) all.push_back(correction[i]);
  return all;
}

// The symbol while it is drawn.
class Drawing {
 public:
  explicit Drawing(unsigned version) : version_(version) {
    code_.size = size_of(version);
    code_.dark.resize(code_.size * code_.size);
    code_.fixed.resize(code_.dark.size());
    draw_patterns();
  }

  void draw_data(const Bytes& codewords);
  // Undoes itself when called again.
  void mask(unsigned pattern);
  void draw_format(unsigned pattern);
  long penalty() const;
  const QrCode& code() const { return code_; }

 private:
  void set(std::size_t row, std::size_t column, bool dark) {
    code_.dark[row * code_.size + column] = dark;
    code_.fixed[row * code_.size + column] = true;
  }
  void draw_patterns();
  void draw_finder(std::size_t row, std::size_t column);
  void draw_version();
  template <typename At>
  long line_penalty(At at) const;

  unsigned version_;
  QrCode code_;
};

// Around its centre, with the light border inside of the symbol.
void Drawing::draw_finder(std::size_t row, std::size_t column) {
  for (int y = -4; y <= 4; ++y)
    for (int x = -4; x <= 4; ++x) {
      const std::size_t at_row = row + static_cast<std::size_t>(y);
      const std::size_t at_column = column + static_cast<std::size_t>(x);
      const int ring = std::max(std::abs(x), std::abs(y));
      if (at_row < code_.size && at_column < code_.size)
        set(at_row, at_column, ring != 2 && ring != 4);
    }
}

void Drawing::draw_patterns() {
  for (std::size_t i = 0; i < code_.size; ++i) {
    set(6, i, i % 2 == 0);
    set(i, 6, i % 2 == 0);
  }
  draw_finder(3, 3);
  draw_finder(3, code_.size - 4);
  draw_finder(code_.size - 4, 3);
  const std::vector<std::size_t> centres = alignment_centres(version_);
  for (const std::size_t row : centres)
    for (const std::size_t column : centres) {
      const bool at_finder = (row == 6 && column == 6) || (row == 6 && column == centres.back()) ||
                             (row == centres.back() && column == 6);
      if (at_finder) continue;
      for (std::size_t y = 0; y < 5; ++y)
        for (std::size_t x = 0; x < 5; ++x) {
          const bool border = x == 0 || x == 4 || y == 0 || y == 4;
          set(row + y - 2, column + x - 2, border || (x == 2 && y == 2));
        }
    }
  draw_format(0);
  draw_version();
}

// 15 bits, of a BCH code, twice.
void Drawing::draw_format(unsigned pattern) {
  const unsigned data = kLevelL << 3 | pattern;
  unsigned rest = data;
  for (int i = 0; i < 10; ++i) rest = (rest << 1) ^ ((rest >> 9) * 0x537);
  const unsigned bits = (data << 10 | rest) ^ 0x5412;
  const auto bit = [bits](std::size_t i) { return (bits >> i & 1) != 0; };
  const std::size_t size = code_.size;
  for (std::size_t i = 0; i < 6; ++i) set(i, 8, bit(i));
  set(7, 8, bit(6));
  set(8, 8, bit(7));
  set(8, 7, bit(8));
  for (std::size_t i = 9; i < 15; ++i) set(8, 14 - i, bit(i));
  for (std::size_t i = 0; i < 8; ++i) set(8, size - 1 - i, bit(i));
  for (std::size_t i = 8; i < 15; ++i) set(size - 15 + i, 8, bit(i));
  set(size - 8, 8, true);
}

// 18 bits, of another BCH code, twice.
void Drawing::draw_version() {
  if (version_ < 7) return;
  unsigned rest = version_;
  for (int i = 0; i < 12; ++i) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25);
  const unsigned bits = version_ << 12 | rest;
  for (std::size_t i = 0; i < 18; ++i) {
    const bool dark = (bits >> i & 1) != 0;
    const std::size_t along = code_.size - 11 + i % 3;
    set(i / 3, along, dark);
    set(along, i / 3, dark);
  }
}

// Upwards and downwards in turns, two columns at a time, from the right.
void Drawing::draw_data(const Bytes& codewords) {
  const std::size_t size = code_.size;
  std::size_t next = 0;
  for (std::size_t right = size - 1; right >= 1 && right < size; right -= 2) {
    if (right == 6) right = 5;  // the column of the timing pattern
    const bool up = ((right + 1) & 2) == 0;
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t column : {right, right - 1}) {
        const std::size_t row = up ? size - 1 - i : i;
        if (code_.fixed[row * size + column] || next >= codewords.size() * 8) continue;
        code_.dark[row * size + column] = (codewords[next / 8] >> (7 - next % 8) & 1) != 0;
        ++next;
      }
  }
}

bool inverts(unsigned pattern, std::size_t row, std::size_t column) {
  switch (pattern) {
    case 0:
      return (row + column) % 2 == 0;
    case 1:
      return row % 2 == 0;
    case 2:
      return column % 3 == 0;
    case 3:
      return (row + column) % 3 == 0;
    case 4:
      return (row / 2 + column / 3) % 2 == 0;
    case 5:
      return row * column % 2 + row * column % 3 == 0;
    case 6:
      return (row * column % 2 + row * column % 3) % 2 == 0;
    default:
      return ((row + column) % 2 + row * column % 3) % 2 == 0;
  }
}

void Drawing::mask(unsigned pattern) {
  for (std::size_t row = 0; row < code_.size; ++row)
    for (std::size_t column = 0; column < code_.size; ++column) {
      const std::size_t at = row * code_.size + column;
      if (!code_.fixed[at] && inverts(pattern, row, column)) code_.dark[at] = !code_.dark[at];
    }
}

// Runs of five and more, and what looks like a finder pattern.
template <typename At>
long Drawing::line_penalty(At at) const {
  constexpr unsigned kFinder = 0b10111010000;
  constexpr unsigned kRedniF = 0b00001011101;
  long penalty = 0;
  for (std::size_t line = 0; line < code_.size; ++line) {
    long run = 0;
    unsigned window = 0;
    for (std::size_t i = 0; i < code_.size; ++i) {
      run = i > 0 && at(line, i) == at(line, i - 1) ? run + 1 : 1;
      if (run == 5) penalty += 3;
      if (run > 5) ++penalty;
      window = (window << 1 | (at(line, i) ? 1u : 0u)) & 0x7ff;
      if (i >= 10 && (window == kFinder || window == kRedniF)) penalty += 40;
    }
  }
  return penalty;
}

long Drawing::penalty() const {
  const std::size_t size = code_.size;
  long penalty = line_penalty([&](std::size_t a, std::size_t b) { return code_.at(a, b); }) +
                 line_penalty([&](std::size_t a, std::size_t b) { return code_.at(b, a); });
  for (std::size_t row = 0; row + 1 < size; ++row)
    for (std::size_t column = 0; column + 1 < size; ++column) {
      const bool dark = code_.at(row, column);
      if (dark == code_.at(row, column + 1) && dark == code_.at(row + 1, column) &&
          dark == code_.at(row + 1, column + 1))
        penalty += 3;
    }
  const auto modules = static_cast<long>(size * size);
  const auto dark = static_cast<long>(std::ranges::count(code_.dark, true));
  return penalty + std::abs(dark * 20 - modules * 10) / modules * 10;
}

unsigned version_for(std::size_t bytes) {
  for (unsigned version = 1; version <= kVersions; ++version)
    if (4 + count_bits(version) + bytes * 8 <= data_codewords_of(version) * 8) return version;
  throw Error(ErrorKind::kNotSupported, "a QR code holds 2953 bytes, and these are {}", bytes);
}

}  // namespace

QrCode encode_qr(std::string_view bytes) {
  const unsigned version = version_for(bytes.size());
  Drawing drawing(version);
  drawing.draw_data(interleaved(data_codewords(bytes, version), version));
  unsigned best = 0;
  long least = 0;
  for (unsigned pattern = 0; pattern < 8; ++pattern) {
    drawing.mask(pattern);
    drawing.draw_format(pattern);
    const long penalty = drawing.penalty();
    drawing.mask(pattern);
    if (pattern > 0 && penalty >= least) continue;
    best = pattern;
    least = penalty;
  }
  drawing.mask(best);
  drawing.draw_format(best);
  return drawing.code();
}

std::string qr_text(const QrCode& code, bool colour) {
  constexpr std::size_t kBorder = 4;
  const std::size_t size = code.size + 2 * kBorder;
  const auto light = [&](std::size_t row, std::size_t column) {
    const bool inside = row >= kBorder && column >= kBorder && row < code.size + kBorder &&
                        column < code.size + kBorder;
    return row < size && !(inside && code.at(row - kBorder, column - kBorder));
  };
  std::string text;
  for (std::size_t row = 0; row < size; row += 2) {
    if (colour) text += "\x1b[97;40m";
    for (std::size_t column = 0; column < size; ++column) {
      const bool upper = light(row, column);
      const bool lower = light(row + 1, column);
      text += upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
    }
    if (colour) text += "\x1b[0m";
    text += '\n';
  }
  return text;
}

}  // namespace vpntun::ctl
