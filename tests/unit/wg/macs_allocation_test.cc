// What everybody can make us do, a stranger's handshake message or a packet, takes no memory from
// the heap: neither ours nor OpenSSL's.
#include <malloc.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <span>

#include "allocations.h"
#include "vectors/vectors.h"
#include "wg/macs.h"
#include "wg/noise.h"
#include "wg/replay_window.h"

namespace {

std::atomic<std::size_t> of_openssl{0};

void* counted(std::size_t size, const char*, int) {
  ++of_openssl;
  return std::malloc(size);
}
void* counted_again(void* old, std::size_t size, const char*, int) {
  ++of_openssl;
  return std::realloc(old, size);
}
std::span<const std::uint8_t> watched;  // a key that freed memory should not hold
std::atomic<std::size_t> freed_with_key{0};

void freed(void* old, const char*, int) {
  if (old != nullptr && !watched.empty() &&
      ::memmem(old, ::malloc_usable_size(old), watched.data(), watched.size()) != nullptr)
    ++freed_with_key;
  std::free(old);
}
// Before the library has allocated anything, or it refuses.
const bool counting = ::CRYPTO_set_mem_functions(counted, counted_again, freed) == 1;

}  // namespace

namespace vpntun::wg {
namespace {

template <typename Action>
std::size_t allocations_of(Action action) {
  action();  // contexts are made once per thread
  const std::size_t before = allocations() + of_openssl;
  for (int i = 0; i < 10; ++i) action();
  return allocations() + of_openssl - before;
}

class Allocations : public testing::Test {
 protected:
  crypto::SecretKey private_key_ = crypto::SecretKey::generate_private();
  crypto::PublicKey public_key_ = crypto::public_key_of(private_key_);
  MacChecker checker_{public_key_, crypto::random_bytes};
  CookieJar jar_{public_key_};
  std::array<std::uint8_t, kInitiationSize> message_{};
  Endpoint source_{IpAddress::v4(192, 0, 2, 1), 51820};

  void SetUp() override {
    ASSERT_TRUE(counting);
    jar_.seal(message_, Instant{});
  }
};

TEST_F(Allocations, AreCounted) {
  EXPECT_GE(allocations_of([&] { crypto::Sealer(private_key_.expose()); }), 2u);
}

TEST_F(Allocations, NoneForMac1WhetherRightOrWrong) {
  EXPECT_EQ(allocations_of([&] { EXPECT_TRUE(checker_.mac1_holds(message_)); }), 0u);
  message_[7] ^= 1;
  EXPECT_EQ(allocations_of([&] { EXPECT_FALSE(checker_.mac1_holds(message_)); }), 0u);
}

TEST_F(Allocations, NoneForMac2AndCookies) {
  EXPECT_EQ(allocations_of([&] {
              EXPECT_FALSE(checker_.mac2_holds(message_, source_, Instant{}));
              const CookieReply reply = checker_.reply(message_, source_, Instant{});
              EXPECT_NE(reply.nonce, decltype(reply.nonce){});
            }),
            0u);
}

TEST_F(Allocations, NoneForAPacket) {
  crypto::Sealer sealer(private_key_.expose());
  crypto::Opener opener(private_key_.expose());
  ReplayWindow window;
  std::uint64_t counter = 0;
  std::array<std::uint8_t, 1452> datagram{};
  const MutableBytes payload = MutableBytes(datagram).subspan(kDataHeaderSize);
  EXPECT_EQ(allocations_of([&] {
              write(DataHeader{1, ++counter}, datagram);
              sealer.seal(crypto::nonce_of(counter), payload);
              EXPECT_EQ(type_of(datagram), MessageType::kData);
              const auto nonce = crypto::nonce_of(read_data_header(datagram).counter);
              EXPECT_TRUE(opener.open(nonce, payload));
              EXPECT_TRUE(window.take(counter, ~std::uint64_t{0}));
              EXPECT_FALSE(opener.open(nonce, payload));
            }),
            0u);
}

TEST_F(Allocations, OfASessionsContextsAreWipedWithThem) {
  watched = private_key_.expose();
  void* const copy = ::CRYPTO_malloc(watched.size(), nullptr, 0);
  std::memcpy(copy, watched.data(), watched.size());
  ::CRYPTO_free(copy, nullptr, 0);
  EXPECT_EQ(freed_with_key, 1u) << "it is seen";
  {
    crypto::Sealer sealer(private_key_.expose());
    crypto::Opener opener(private_key_.expose());
    std::array<std::uint8_t, 64> bytes{};
    sealer.seal(crypto::nonce_of(1), bytes);
    EXPECT_TRUE(opener.open(crypto::nonce_of(1), bytes));
  }
  watched = {};
  EXPECT_EQ(freed_with_key, 1u);
}

TEST_F(Allocations, NoneForX25519) {
  std::array<std::uint8_t, crypto::kKeySize> shared;
  EXPECT_EQ(allocations_of([&] {
              EXPECT_TRUE(crypto::x25519(shared, private_key_, public_key_));
              EXPECT_FALSE(crypto::x25519(shared, private_key_, crypto::PublicKey{}));
            }),
            0u);
}

}  // namespace
}  // namespace vpntun::wg
