// KDF1, KDF2 and KDF3 against wireguard-go's own tables.
#include "vectors/vectors.h"

namespace vpntun::crypto {
namespace {

using vectors::hex;
using vectors::Json;
using vectors::Octets;
using vectors::to_hex;

TEST(Kdf, AgreesWithWireguardGo) {
  const Json table = vectors::load("wg_kdf.json").at("vectors");
  ASSERT_EQ(table.size(), 3u);
  for (const Json& row : table) {
    const Octets key = hex(row.at("key"));
    const Octets input = hex(row.at("input"));
    for (std::size_t count = 1; count <= 3; ++count) {
      std::vector<Hash> out(count);
      kdf(out, key, input);
      for (std::size_t i = 0; i < count; ++i)
        EXPECT_EQ(to_hex(out[i]), row.at("t" + std::to_string(i))) << row << count;
    }
  }
}

}  // namespace
}  // namespace vpntun::crypto
