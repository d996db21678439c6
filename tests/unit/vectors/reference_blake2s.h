// BLAKE2s (RFC 7693) once more, as the RFC's text has it, for what the libraries are compared with
// or do not offer: a hash without key of any size.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/wire.h"

namespace vpntun::vectors {

class ReferenceBlake2s {
 public:
  using Bytes = std::span<const std::uint8_t>;

  // size: 1 to 32 bytes of result; key: none to 32 bytes.
  ReferenceBlake2s(std::size_t size, Bytes key) : size_(size), state_(kStart) {
    state_[0] ^= 0x01010000U ^ static_cast<std::uint32_t>(key.size() << 8 | size);
    if (!key.empty()) {
      std::ranges::copy(key, block_.begin());
      filled_ = block_.size();
    }
  }

  void update(Bytes data) {
    for (const std::uint8_t byte : data) {
      if (filled_ == block_.size()) {
        compress(false);
        block_ = {};
        filled_ = 0;
      }
      block_[filled_++] = byte;
    }
  }

  std::vector<std::uint8_t> result() {
    compress(true);
    std::array<std::uint8_t, 32> all{};
    for (std::size_t i = 0; i < 8; ++i) store_le(all.data() + 4 * i, state_[i]);
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size_)};
  }

 private:
  using Words = std::array<std::uint32_t, 8>;
  static constexpr Words kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  static constexpr std::uint8_t kSigma[10][16] = {
      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
      {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
      {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
      {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
      {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
      {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
      {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
      {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
      {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
      {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
  };
  static constexpr std::uint8_t kMixed[8][4] = {{0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14},
                                                {3, 7, 11, 15}, {0, 5, 10, 15}, {1, 6, 11, 12},
                                                {2, 7, 8, 13},  {3, 4, 9, 14}};

  void compress(bool last) {
    total_ += filled_;
    std::array<std::uint32_t, 16> v;
    std::ranges::copy(state_, v.begin());
    std::ranges::copy(kStart, v.begin() + 8);
    v[12] ^= static_cast<std::uint32_t>(total_);
    v[13] ^= static_cast<std::uint32_t>(total_ >> 32);
    if (last) v[14] = ~v[14];
    for (const auto& sigma : kSigma)
      for (std::size_t i = 0; i < 8; ++i)
        mix(v, kMixed[i], word(sigma[2 * i]), word(sigma[2 * i + 1]));
    for (std::size_t i = 0; i < 8; ++i) state_[i] ^= v[i] ^ v[i + 8];
  }

  static void mix(std::array<std::uint32_t, 16>& v, const std::uint8_t (&at)[4], std::uint32_t x,
                  std::uint32_t y) {
    std::uint32_t& a = v[at[0]];
    std::uint32_t& b = v[at[1]];
    std::uint32_t& c = v[at[2]];
    std::uint32_t& d = v[at[3]];
    a += b + x;
    d = std::rotr(d ^ a, 16);
    c += d;
    b = std::rotr(b ^ c, 12);
    a += b + y;
    d = std::rotr(d ^ a, 8);
    c += d;
    b = std::rotr(b ^ c, 7);
  }

  std::uint32_t word(std::size_t index) const {
    return load_le<std::uint32_t>(block_.data() + 4 * index);
  }

  std::size_t size_;
  Words state_;
  std::array<std::uint8_t, 64> block_{};
  std::size_t filled_ = 0;
  std::uint64_t total_ = 0;
};

inline std::vector<std::uint8_t> reference_blake2s(std::size_t size, ReferenceBlake2s::Bytes key,
                                                   ReferenceBlake2s::Bytes data) {
  ReferenceBlake2s hash(size, key);
  hash.update(data);
  return hash.result();
}

}  // namespace vpntun::vectors
