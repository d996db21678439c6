// Keys as values and as text, base64, chance.
#include "crypto/key.h"

#include <new>
#include <set>

#include "vectors/vectors.h"

namespace vpntun::crypto {
namespace {

using vectors::Octets;
using vectors::to_hex;

Octets text(std::string_view characters) {
  return Octets(characters.begin(), characters.end());
}

TEST(Base64, ExamplesOfRfc4648) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, encoded] : rows) {
    EXPECT_EQ(encode_base64(text(plain)), encoded);
    Octets decoded(plain.size());
    EXPECT_TRUE(decode_base64(encoded, decoded));
    EXPECT_EQ(decoded, text(plain));
  }
}

TEST(Base64, WhatIsNotCanonicalOrOfTheSizeIsRefusedAndLeavesNothing) {
  for (const std::string_view wrong : {"Zm9", "Zm9v=", "Zm9vZg==", "Zm8=", "Zm9 ", " Zm9v",
                                       "Zm9v\n", "Zm-v", "Zm_v", "Zm9\0", ""}) {
    Octets out(3, 0xaa);
    EXPECT_FALSE(decode_base64(wrong, out)) << wrong;
    EXPECT_EQ(out, Octets(3)) << wrong;
  }
  Octets out(1);
  EXPECT_TRUE(decode_base64("Zg==", out));
  for (const std::string_view wrong : {"Zh==", "Zg=", "Zg", "Zg===", "Zg==Zg=="})
    EXPECT_FALSE(decode_base64(wrong, out)) << wrong;
}

constexpr std::string_view kText = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";  // of wg(8)

TEST(Key, TextIsThatOfWg) {
  const auto key = SecretKey::parse(kText);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->expose_text(), kText);
  const auto public_key = PublicKey::parse(kText);
  ASSERT_TRUE(public_key);
  EXPECT_EQ(public_key->to_string(), kText);
  EXPECT_EQ(to_hex(public_key->bytes), to_hex(key->expose()));
}

TEST(Key, OtherTextIsRefused) {
  const std::string right(kText);
  std::vector<std::string> wrong = {"", right + "=", right + "\n", " " + right.substr(1),
                                    right + right};
  for (std::size_t size = 0; size < right.size(); ++size) wrong.push_back(right.substr(0, size));
  for (std::size_t i = 0; i < right.size(); ++i)
    for (const char c : {'\0', ' ', '-', '_', '%', '=', '\xff'}) {
      wrong.push_back(right);
      wrong.back()[i] = c;
    }
  for (const std::string& text : wrong) {
    if (text == right) continue;
    EXPECT_FALSE(SecretKey::parse(text)) << text;
    EXPECT_FALSE(PublicKey::parse(text)) << text;
  }
}

TEST(Key, HasSixtyFourDigitsAndNoMore) {
  for (std::size_t i = 0; i < 42; ++i) {
    std::string text(kText);
    unsigned accepted = 0;
    for (int c = 0; c < 256; ++c) {
      text[i] = static_cast<char>(c);
      if (PublicKey::parse(text)) ++accepted;
    }
    EXPECT_EQ(accepted, 64u) << i;
  }
}

TEST(Key, OnlyOneTextMeansAKey) {  // the last digit carries four bits
  std::string text(kText);
  unsigned accepted = 0;
  for (int c = 0; c < 256; ++c) {
    text[42] = static_cast<char>(c);
    const auto key = PublicKey::parse(text);
    if (!key) continue;
    ++accepted;
    EXPECT_EQ(key->to_string(), text);
  }
  EXPECT_EQ(accepted, 16u);
}

TEST(SecretKey, IsComparedWholly) {
  const SecretKey key = SecretKey::generate_preshared();
  for (std::size_t bit = 0; bit < kKeySize * 8; ++bit) {
    std::array<std::uint8_t, kKeySize> other;
    std::ranges::copy(key.expose(), other.begin());
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(key == SecretKey(other)) << bit;
    std::array<std::uint8_t, kKeySize> one{};
    one[bit / 8] = static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(SecretKey(one).is_zero()) << bit;
  }
  EXPECT_TRUE(key == SecretKey(key.expose()));
  EXPECT_TRUE(SecretKey().is_zero());
}

TEST(SecretKey, LeavesNothingWhereItWas) {
  alignas(SecretKey) std::array<std::uint8_t, sizeof(SecretKey)> place;
  place.fill(0xaa);
  std::destroy_at(new (place.data()) SecretKey(SecretKey::generate_preshared()));
  // Read as bytes that the compiler knows nothing about.
  const volatile std::uint8_t* byte = place.data();
  for (std::size_t i = 0; i < place.size(); ++i) EXPECT_EQ(byte[i], 0) << i;
}

TEST(SecretKey, FreshPrivateKeysAreClamped) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const SecretKey key = SecretKey::generate_private();
    EXPECT_EQ(key.expose()[0] & 7, 0);
    EXPECT_EQ(key.expose()[31] & 0xc0, 0x40);
    EXPECT_TRUE(seen.insert(to_hex(key.expose())).second);
  }
}

TEST(SecretKey, FreshPresharedKeysHaveEveryBit) {
  std::array<std::uint8_t, kKeySize> ones{};
  std::array<std::uint8_t, kKeySize> zeros{};
  for (int i = 0; i < 100; ++i) {
    const SecretKey key = SecretKey::generate_preshared();
    for (std::size_t b = 0; b < kKeySize; ++b) {
      ones[b] |= key.expose()[b];
      zeros[b] |= static_cast<std::uint8_t>(~key.expose()[b]);
    }
  }
  EXPECT_EQ(to_hex(ones), std::string(64, 'f'));
  EXPECT_EQ(to_hex(zeros), std::string(64, 'f'));
}

TEST(PublicKeyOf, IgnoresWhatClampingSets) {
  std::array<std::uint8_t, kKeySize> bytes;
  std::ranges::copy(SecretKey::generate_private().expose(), bytes.begin());
  const PublicKey expected = public_key_of(SecretKey(bytes));
  bytes[0] |= 7;
  bytes[31] |= 0x80;
  EXPECT_EQ(public_key_of(SecretKey(bytes)), expected);
}

TEST(Equal, NeedsEqualSizes) {
  EXPECT_TRUE(equal({}, {}));
  EXPECT_FALSE(equal(Octets{1}, Octets{1, 2}));
  EXPECT_FALSE(equal(Octets{}, Octets{0}));
}

TEST(Wipe, OfAText) {
  std::string secret(kText);
  wipe(secret);
  EXPECT_TRUE(secret.empty());
}

}  // namespace
}  // namespace vpntun::crypto
