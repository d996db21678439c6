// Integers as they lie on the wire: no alignment, fixed byte order. Pure.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace vpntun {

template <std::unsigned_integral T>
constexpr T load_be(const std::uint8_t* p) noexcept {
  return [p]<std::size_t... i>(std::index_sequence<i...>) {
    return static_cast<T>((... | (std::uint64_t{p[i]} << (8 * (sizeof(T) - 1 - i)))));
  }
  (std::make_index_sequence<sizeof(T)>{});
}

template <std::unsigned_integral T>
constexpr void store_be(std::uint8_t* p, T value) noexcept {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    p[i] = static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * (sizeof(T) - 1 - i)));
}

template <std::unsigned_integral T>
constexpr T load_le(const std::uint8_t* p) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = (value << 8) | p[i];
  return static_cast<T>(value);
}

template <std::unsigned_integral T>
constexpr void store_le(std::uint8_t* p, T value) noexcept {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    p[i] = static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * i));
}

}  // namespace vpntun
