// BLAKE2s with and without key, and HMAC over it. The answers that no published table has were
// computed by Python's hashlib and hmac.
#include <numeric>

#include "vectors/reference_blake2s.h"
#include "vectors/vectors.h"

namespace vpntun::crypto {
namespace {

using vectors::hex;
using vectors::Json;
using vectors::Octets;
using vectors::reference_blake2s;
using vectors::to_hex;

Octets counting(std::size_t size) {
  Octets bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}
Octets text(std::string_view characters) {
  return Octets(characters.begin(), characters.end());
}

TEST(Hash, ExampleOfRfc7693) {
  EXPECT_EQ(to_hex(hash({text("abc")})),
            "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
  EXPECT_EQ(to_hex(hash({})), "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9");
}

TEST(KeyedHash, AgreesWithThePublishedTable) {
  const Json table = vectors::load("blake2s_keyed_kat.json").at("vectors");
  ASSERT_EQ(table.size(), 256u);
  for (const Json& row : table) {
    Hash out;
    keyed_blake2s(out, hex(row.at("key")), {hex(row.at("in"))});
    EXPECT_EQ(to_hex(out), row.at("hash"));
  }
}

TEST(KeyedHash, AgreesWithAnotherImplementationForEverySizeOfKeyAndResult) {
  const Octets data = counting(130);
  for (std::size_t key_size = 1; key_size <= 32; ++key_size)
    for (std::size_t size = 1; size <= 32; ++size) {
      Octets out(size);
      keyed_blake2s(out, counting(key_size), {data});
      ASSERT_EQ(out, reference_blake2s(size, counting(key_size), data)) << key_size << ' ' << size;
    }
}

TEST(Hash, AgreesWithAnotherImplementationForEveryLength) {
  for (std::size_t length = 0; length <= 260; ++length)
    ASSERT_EQ(to_hex(hash({Octets(length, 7)})),
              to_hex(reference_blake2s(kHashSize, {}, Octets(length, 7))))
        << length;
}

TEST(Hash, PartsAreJoined) {
  const Octets data = counting(150);
  const Bytes all(data);
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    EXPECT_EQ(hash({all.first(cut), all.subspan(cut)}), hash({all}));
    EXPECT_EQ(mac(all.first(32), {all.first(cut), {}, all.subspan(cut)}),
              mac(all.first(32), {all}));
    EXPECT_EQ(hmac(all.first(32), {all.first(cut), all.subspan(cut)}), hmac(all.first(32), {all}));
  }
}

TEST(Mac, HasSixteenBytesAndIsNoPartOfALongerOne) {
  EXPECT_EQ(to_hex(mac(text("k"), {text("abc")})), "f335237426ff5582d0c607ef240684b5");
  EXPECT_EQ(to_hex(mac(counting(32), {})), "9536f9b267655743dee97b8a670f9f53");
  EXPECT_EQ(to_hex(mac(counting(32), {counting(116)})), "072e94ffbfc684bd8ab2a1b9dade2fd5");
  EXPECT_EQ(to_hex(mac(counting(16), {counting(64)})), "dd55c51c98f8ab96ed272882941f0b6a");
  Hash longer;
  keyed_blake2s(longer, counting(32), {counting(116)});
  EXPECT_NE(to_hex(mac(counting(32), {counting(116)})), to_hex(longer).substr(0, 32));
}

TEST(Mac, OneKeyAfterAnother) {
  const Mac first = mac(counting(32), {text("a")});
  EXPECT_NE(mac(counting(31), {text("a")}), first);
  Hash longer;
  keyed_blake2s(longer, counting(32), {text("a")});
  EXPECT_EQ(mac(counting(32), {text("a")}), first);  // neither key nor size is left behind
}

TEST(Hmac, AgreesWithPython) {
  const struct {
    Octets key;
    Octets data;
    std::string_view result;
  } rows[] = {
      {{}, {}, "eaf4bb25938f4d20e72656bbbc7a9bf63c0c18537333c35bdb67db1402661acd"},
      {text("key"), text("data"),
       "84f646acda0776ee848b7f9dc5771c7d8cf023999c0c3dd84dc78636a146e805"},
      {counting(64), counting(200),
       "690ee478866a3698f0ed2e87e8b25fcb63e56f6c2e6baa69acec75b6d645d1ae"},
      {counting(65), text(std::string(64, 'x')),
       "2dc234e7ba0339736f4050a10eb610e957a26a2adacb026508c1c8514a115742"},  // a key longer than a
                                                                             // block is hashed
      {counting(200), {}, "bbf611db9d3c9f85c2ae44e375350bfbec3f5300ebe676c3163948c0abd6498a"},
  };
  for (const auto& row : rows) EXPECT_EQ(to_hex(hmac(row.key, {row.data})), row.result);
}

}  // namespace
}  // namespace vpntun::crypto
