// Reads the published test data of this folder (README.md says what it is and whose).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/crypto.h"

namespace vpntun::vectors {

using Octets = std::vector<std::uint8_t>;
using Json = nlohmann::json;

inline Json load(const std::string& name) {
  std::ifstream file(std::string(VECTORS) + "/" + name);
  if (!file) throw std::runtime_error("no test data " + name);
  return Json::parse(file);
}

// Pairs of lower-case digits, nothing else.
inline Octets hex(std::string_view text) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Octets bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(value(text[i]) * 16 + value(text[i + 1])));
  return bytes;
}
inline Octets hex(const Json& text) {
  return hex(std::string_view(text.get_ref<const std::string&>()));
}

inline std::string to_hex(crypto::Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// As long as the array, or the test data is not what it should be.
template <std::size_t Size>
std::array<std::uint8_t, Size> array_of(const Octets& bytes) {
  if (bytes.size() != Size) throw std::length_error("bytes of another size than expected");
  std::array<std::uint8_t, Size> result;
  std::ranges::copy(bytes, result.begin());
  return result;
}
inline crypto::SecretKey secret_of(const Json& text) {
  return crypto::SecretKey(array_of<crypto::kKeySize>(hex(text)));
}
inline crypto::PublicKey public_of(const Json& text) {
  return {array_of<crypto::kKeySize>(hex(text))};
}

}  // namespace vpntun::vectors
