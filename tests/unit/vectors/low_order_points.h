// The seven encodings of X25519 whose product with any private key is zero (RFC 7748, section 7;
// the list is that of cr.yp.to/ecdh.html), and each with its highest bit set, which X25519 ignores.
#pragma once

#include <vector>

#include "vectors/vectors.h"

namespace vpntun::vectors {

inline std::vector<crypto::PublicKey> low_order_points() {
  constexpr std::string_view kPoints[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",  // 0
      "0100000000000000000000000000000000000000000000000000000000000000",  // 1
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",  // of order 8
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",  // of order 8
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // p - 1
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // p
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // p + 1
  };
  std::vector<crypto::PublicKey> points;
  for (const std::string_view text : kPoints) {
    crypto::PublicKey point{array_of<crypto::kKeySize>(hex(text))};
    points.push_back(point);
    point.bytes.back() |= 0x80;
    points.push_back(point);
  }
  return points;
}

}  // namespace vpntun::vectors
