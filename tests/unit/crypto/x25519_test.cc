// X25519 against Wycheproof and RFC 7748.
#include "vectors/low_order_points.h"
#include "vectors/vectors.h"

namespace vpntun::crypto {
namespace {

using vectors::hex;
using vectors::Json;
using vectors::public_of;
using vectors::secret_of;
using vectors::to_hex;

using Shared = std::array<std::uint8_t, kKeySize>;
constexpr std::string_view kZero =
    "0000000000000000000000000000000000000000000000000000000000000000";

// A row without a shared secret, all zero in the table, must be refused; the others, also points of
// the twist and numbers that are not reduced, are taken as RFC 7748 wants.
TEST(X25519, AgreesWithWycheproof) {
  std::size_t agreed = 0;
  std::size_t refused = 0;
  const Json file = vectors::load("wycheproof_x25519_test.json");
  for (const Json& group : file.at("testGroups"))
    for (const Json& row : group.at("tests")) {
      SCOPED_TRACE(row.dump());
      Shared shared{};
      const bool done = x25519(shared, secret_of(row.at("private")), public_of(row.at("public")));
      EXPECT_EQ(to_hex(shared), row.at("shared"));
      EXPECT_EQ(done, row.at("shared") != kZero);
      EXPECT_TRUE(done || row.at("result") == "acceptable");
      ++(done ? agreed : refused);
    }
  EXPECT_EQ(agreed + refused, file.at("numberOfTests"));
  EXPECT_EQ(agreed + refused, 518u);
  EXPECT_EQ(refused, 31u);
}

TEST(X25519, ExampleOfRfc7748) {
  const SecretKey alice =
      secret_of("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const SecretKey bob =
      secret_of("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  EXPECT_EQ(to_hex(public_key_of(alice).bytes),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(to_hex(public_key_of(bob).bytes),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  for (const auto& [own, theirs] : {std::pair(alice, bob), std::pair(bob, alice)}) {
    Shared shared{};
    EXPECT_TRUE(x25519(shared, own, public_key_of(theirs)));
    EXPECT_EQ(to_hex(shared), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  }
}

TEST(X25519, AThousandTimes) {  // RFC 7748, section 5.2
  SecretKey k = secret_of("0900000000000000000000000000000000000000000000000000000000000000");
  PublicKey u{{9}};
  for (int i = 0; i < 1000; ++i) {
    Shared shared{};
    ASSERT_TRUE(x25519(shared, k, u));
    std::ranges::copy(k.expose(), u.bytes.begin());
    k = SecretKey(shared);
  }
  EXPECT_EQ(to_hex(k.expose()), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(X25519, LowOrderPointsAreRefusedAndLeaveNothing) {
  for (const PublicKey& point : vectors::low_order_points()) {
    Shared shared;
    shared.fill(0xaa);
    EXPECT_FALSE(x25519(shared, SecretKey::generate_private(), point)) << to_hex(point.bytes);
    EXPECT_EQ(to_hex(shared), kZero);
  }
}

}  // namespace
}  // namespace vpntun::crypto
