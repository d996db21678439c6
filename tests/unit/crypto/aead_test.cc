// ChaCha20-Poly1305 and XChaCha20-Poly1305 against Wycheproof, and what our use of them adds:
// contexts that keep their key, work in place.
#include "vectors/vectors.h"

namespace vpntun::crypto {
namespace {

using vectors::array_of;
using vectors::hex;
using vectors::Json;
using vectors::Octets;
using vectors::to_hex;

using Key = std::array<std::uint8_t, kKeySize>;

struct Row {
  Key key;
  Octets nonce;
  Octets associated;
  Octets text;
  Octets sealed;  // with the tag
  bool valid;
};

Row row_of(const Json& test) {
  Octets sealed = hex(test.at("ct"));
  const Octets tag = hex(test.at("tag"));
  sealed.insert(sealed.end(), tag.begin(), tag.end());
  return {array_of<kKeySize>(hex(test.at("key"))),
          hex(test.at("iv")),
          hex(test.at("aad")),
          hex(test.at("msg")),
          sealed,
          test.at("result") == "valid"};
}

// Calls check(row) for every test with nonces of that size; all others are there to say that such
// nonces are invalid, which our types do. Returns how many of each there were.
template <typename Check>
std::pair<std::size_t, std::size_t> for_each_row(const std::string& file_name,
                                                 std::size_t nonce_size, Check check) {
  std::size_t checked = 0;
  std::size_t wrong_nonce = 0;
  const Json file = vectors::load(file_name);
  for (const Json& group : file.at("testGroups"))
    for (const Json& test : group.at("tests")) {
      SCOPED_TRACE(test.dump());
      const Row row = row_of(test);
      if (row.nonce.size() == nonce_size) {
        ++checked;
        check(row);
      } else {
        ++wrong_nonce;
        EXPECT_FALSE(row.valid);
      }
    }
  EXPECT_EQ(checked + wrong_nonce, file.at("numberOfTests"));
  return {checked, wrong_nonce};
}

void expect_opened(const Row& row, bool opened, const Octets& bytes) {
  EXPECT_EQ(opened, row.valid);
  if (!opened) return;
  EXPECT_EQ(to_hex(Bytes(bytes).first(bytes.size() - kTagSize)), to_hex(row.text));
}

TEST(Aead, AgreesWithWycheproof) {
  const auto counts =
      for_each_row("wycheproof_chacha20_poly1305_test.json", kNonceSize, [&](const Row& row) {
        const auto nonce = array_of<kNonceSize>(row.nonce);
        Octets bytes = row.sealed;
        const bool opened = aead_open(row.key, nonce, row.associated, bytes);
        expect_opened(row, opened, bytes);
        bytes = row.text;
        bytes.resize(bytes.size() + kTagSize);
        aead_seal(row.key, nonce, row.associated, bytes);
        EXPECT_EQ(bytes == row.sealed, row.valid);
      });
  EXPECT_EQ(counts, std::pair(std::size_t{316}, std::size_t{9}));
}

TEST(XAead, AgreesWithWycheproof) {
  const auto counts =
      for_each_row("wycheproof_xchacha20_poly1305_test.json", kXNonceSize, [&](const Row& row) {
        const auto nonce = array_of<kXNonceSize>(row.nonce);
        Octets bytes = row.sealed;
        const bool opened = xaead_open(row.key, nonce, row.associated, bytes);
        expect_opened(row, opened, bytes);
        bytes = row.text;
        bytes.resize(bytes.size() + kTagSize);
        xaead_seal(row.key, nonce, row.associated, bytes);
        EXPECT_EQ(bytes == row.sealed, row.valid);
      });
  EXPECT_EQ(counts, std::pair(std::size_t{306}, std::size_t{9}));
}

class AeadRefusal : public testing::TestWithParam<bool> {
 protected:
  Key key_{1, 2, 3};
  Octets associated_{4, 5, 6};
  Octets sealed_;

  void SetUp() override {
    sealed_ = {'p', 'a', 'y', 'l', 'o', 'a', 'd'};
    sealed_.resize(sealed_.size() + kTagSize);
    if (GetParam())
      xaead_seal(key_, x_nonce(7), associated_, sealed_);
    else
      aead_seal(key_, nonce_of(7), associated_, sealed_);
    ASSERT_TRUE(opens(key_, 7, associated_, sealed_));
  }
  static std::array<std::uint8_t, kXNonceSize> x_nonce(std::uint8_t number) { return {number}; }
  bool opens(const Key& key, std::uint8_t nonce, Bytes associated, Octets bytes) {
    return GetParam() ? xaead_open(key, x_nonce(nonce), associated, bytes)
                      : aead_open(key, nonce_of(nonce), associated, bytes);
  }
};

TEST_P(AeadRefusal, EveryFlippedBit) {
  for (std::size_t bit = 0; bit < sealed_.size() * 8; ++bit) {
    Octets bytes = sealed_;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(opens(key_, 7, associated_, bytes)) << bit;
  }
  for (std::size_t bit = 0; bit < key_.size() * 8; ++bit) {
    Key key = key_;
    key[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(opens(key, 7, associated_, sealed_)) << bit;
  }
}

TEST_P(AeadRefusal, EveryOtherLength) {
  for (std::size_t size = 0; size < sealed_.size(); ++size)
    EXPECT_FALSE(
        opens(key_, 7, associated_,
              Octets(sealed_.begin(), sealed_.begin() + static_cast<std::ptrdiff_t>(size))))
        << size;
  Octets longer = sealed_;
  longer.push_back(0);
  EXPECT_FALSE(opens(key_, 7, associated_, longer));
}

TEST_P(AeadRefusal, AnotherNonceOrAssociatedData) {
  EXPECT_FALSE(opens(key_, 8, associated_, sealed_));
  EXPECT_FALSE(opens(key_, 7, {}, sealed_));
  EXPECT_FALSE(opens(key_, 7, Octets{4, 5, 7}, sealed_));
  EXPECT_TRUE(opens(key_, 7, associated_, sealed_));  // a refusal leaves nothing behind
}

INSTANTIATE_TEST_SUITE_P(Both, AeadRefusal, testing::Bool(), [](const auto& chosen) {
  return chosen.param ? "XChaCha20" : "ChaCha20";
});

TEST(PacketCipher, AgreesWithWycheproof) {
  std::size_t checked = 0;
  for_each_row("wycheproof_chacha20_poly1305_test.json", kNonceSize, [&](const Row& row) {
    if (!row.associated.empty()) return;
    ++checked;
    const auto nonce = array_of<kNonceSize>(row.nonce);
    Octets bytes = row.sealed;
    const bool opened = Opener(row.key).open(nonce, bytes);
    expect_opened(row, opened, bytes);
    bytes = row.text;
    bytes.resize(bytes.size() + kTagSize);
    Sealer(row.key).seal(nonce, bytes);
    EXPECT_EQ(bytes == row.sealed, row.valid);
  });
  EXPECT_GE(checked, 30u);
}

// The other library computes the same for every size, with one context for all.
TEST(PacketCipher, AgreesWithTheCipherOfHandshakesForEverySize) {
  const Key key{7, 8, 9};
  Sealer sealer(key);
  Opener opener(key);
  for (std::size_t size = 0; size < 2000; ++size) {
    Octets text(size + kTagSize, static_cast<std::uint8_t>(size));
    const Nonce nonce = nonce_of(size * 0x0101010101);
    Octets sealed = text;
    Octets expected = text;
    sealer.seal(nonce, sealed);
    aead_seal(key, nonce, {}, expected);
    ASSERT_EQ(sealed, expected) << size;
    ASSERT_TRUE(opener.open(nonce, sealed)) << size;
    ASSERT_TRUE(std::equal(text.begin(), text.end() - kTagSize, sealed.begin())) << size;
  }
}

TEST(PacketCipher, RefusesEveryFlippedBitAndOtherLengthAndThenGoesOn) {
  const Key key{1, 2, 3};
  Sealer sealer(key);
  Opener opener(key);
  Octets sealed(100 + kTagSize, 0x55);
  sealer.seal(nonce_of(7), sealed);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Octets bytes = sealed;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(opener.open(nonce_of(7), bytes)) << bit;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    Octets bytes(sealed.begin(), sealed.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(opener.open(nonce_of(7), bytes)) << size;
  }
  Octets bytes = sealed;
  EXPECT_FALSE(opener.open(nonce_of(8), bytes));
  EXPECT_TRUE(opener.open(nonce_of(7), sealed));
}

TEST(PacketCipher, IsMovedWithItsKey) {
  const Key key{1};
  Sealer first(key);
  Sealer second = std::move(first);
  Octets bytes(kTagSize);
  second.seal(nonce_of(0), bytes);
  EXPECT_TRUE(Opener(key).open(nonce_of(0), bytes));
}

TEST(Nonce, IsFourZeroBytesAndTheCounterInLittleEndian) {
  EXPECT_EQ(to_hex(nonce_of(0)), "000000000000000000000000");
  EXPECT_EQ(to_hex(nonce_of(0x0102030405060708)), "000000000807060504030201");
  EXPECT_EQ(to_hex(nonce_of(~std::uint64_t{0})), "00000000ffffffffffffffff");
}

}  // namespace
}  // namespace vpntun::crypto
