// Chance that can be repeated: keys and bytes of a seeded generator, for tests and fuzz targets.
#pragma once

#include <array>
#include <cstdint>
#include <random>

#include "crypto/key.h"
#include "wg/macs.h"

namespace vpntun::wg {

// Bytes of a seeded generator, as crypto::random_bytes gives real ones.
inline Random seeded(unsigned seed) {
  return [generator = std::mt19937(seed)](MutableBytes out) mutable {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(generator());
  };
}

inline crypto::SecretKey key_of(unsigned seed) {
  std::array<std::uint8_t, crypto::kKeySize> bytes{};
  seeded(seed)(bytes);
  return crypto::SecretKey(bytes);
}

}  // namespace vpntun::wg
