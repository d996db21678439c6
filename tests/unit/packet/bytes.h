// What the packet tests share: bytes written as hex, and chance with a seed that a failing test
// prints.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace vpntun::packet {

using Bytes = std::vector<std::uint8_t>;

// "45 00 0054": blanks and newlines may stand anywhere between digits.
inline Bytes hex(std::string_view text) {
  Bytes bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high * 16 + digit));
      high = -1;
    }
  }
  return bytes;
}

inline Bytes text(std::string_view characters) {
  return Bytes(characters.begin(), characters.end());
}

inline IpAddress ip(std::string_view characters) {
  return IpAddress::parse(characters).value();
}

// A generator whose seed VPNTUN_SEED overrides, to repeat a failure.
class Chance {
 public:
  Chance() : seed_(chosen_seed()), engine_(seed_) {}
  unsigned seed() const { return seed_; }

  // least <= result <= most.
  std::size_t between(std::size_t least, std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(least, most)(engine_);
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(between(0, 255)); }
  Bytes bytes(std::size_t length) {
    Bytes result(length);
    for (std::uint8_t& value : result) value = byte();
    return result;
  }

 private:
  static unsigned chosen_seed() {
    const char* given = std::getenv("VPNTUN_SEED");
    return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                            : std::random_device{}();
  }

  unsigned seed_;
  std::mt19937 engine_;
};

#define PRINT_SEED(chance) SCOPED_TRACE("VPNTUN_SEED=" + std::to_string((chance).seed()))

// An echo request of the lab, as a kernel sent it: 192.168.53.99 -> 192.168.60.101, id 77, seq 1,
// 56 bytes.
inline Bytes lab_ping() {
  return hex(
      "45 00 00 54 1c 46 40 00 40 01 2b 4a c0 a8 35 63 c0 a8 3c 65"
      "08 00 00 9f 00 4d 00 01"
      "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 19 1a 1b"
      "1c 1d 1e 1f 20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f 30 31 32 33 34 35 36 37");
}

}  // namespace vpntun::packet
