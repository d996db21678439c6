// mac1, mac2 and cookies.
#include "wg/macs.h"

#include "vectors/vectors.h"

namespace vpntun::wg {
namespace {

using namespace std::chrono_literals;
using vectors::Octets;

constexpr Instant kStart{1000s};

class Macs : public testing::TestWithParam<std::size_t> {
 protected:
  crypto::PublicKey own_ = crypto::public_key_of(crypto::SecretKey::generate_private());
  unsigned asked_ = 0;
  MacChecker checker_{own_, [this](MutableBytes out) {
                        ++asked_;
                        crypto::random_bytes(out);
                      }};
  CookieJar jar_{own_};
  Endpoint source_ = Endpoint::parse("192.0.2.1:51820").value();

  // An initiation or response, with its macs.
  Octets sealed(Instant now) { return sealed(jar_, now); }
  Octets sealed(CookieJar& jar, Instant now) {
    Octets message(GetParam());
    crypto::random_bytes(message);
    jar.seal(message, now);
    return message;
  }
  // The jar has a cookie for the source then.
  void exchange_cookie(Instant now) {
    ASSERT_TRUE(jar_.take(checker_.reply(sealed(now), source_, now), now));
  }
  bool mac2_holds(Instant now) { return checker_.mac2_holds(sealed(now), source_, now); }
  static bool is_zero(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
  }
};

TEST_P(Macs, Mac1HoldsForItsReceiverOnly) {
  const Octets message = sealed(kStart);
  EXPECT_TRUE(checker_.mac1_holds(message));
  MacChecker other(crypto::public_key_of(crypto::SecretKey::generate_private()),
                   crypto::random_bytes);
  EXPECT_FALSE(other.mac1_holds(message));
}

TEST_P(Macs, EveryFlippedBitThatMac1CoversOrIsIsNoticed) {
  const Octets message = sealed(kStart);
  for (std::size_t bit = 0; bit < (message.size() - crypto::kMacSize) * 8; ++bit) {
    Octets other = message;
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    ASSERT_FALSE(checker_.mac1_holds(other)) << bit;
  }
}

TEST_P(Macs, Mac1DoesNotCoverMac2) {
  Octets message = sealed(kStart);
  message.back() ^= 1;
  EXPECT_TRUE(checker_.mac1_holds(message));
}

TEST_P(Macs, Mac1NeedsNoChance) {
  EXPECT_TRUE(checker_.mac1_holds(sealed(kStart)));
  EXPECT_FALSE(checker_.mac2_holds(sealed(kStart), source_, kStart));
  EXPECT_EQ(asked_, 0u);  // neither does refusing mac2 before a cookie was ever given
}

TEST_P(Macs, WithoutACookieMac2IsZero) {
  EXPECT_TRUE(is_zero(Bytes(sealed(kStart)).last(crypto::kMacSize)));
  EXPECT_FALSE(mac2_holds(kStart));
}

TEST_P(Macs, ZeroMac2NeverHolds) {
  exchange_cookie(kStart);
  Octets message = sealed(kStart);
  std::fill_n(message.rbegin(), crypto::kMacSize, std::uint8_t{0});
  EXPECT_FALSE(checker_.mac2_holds(message, source_, kStart));
}

TEST_P(Macs, CookieMakesMac2Hold) {
  exchange_cookie(kStart);
  EXPECT_TRUE(jar_.has_cookie(kStart));
  EXPECT_TRUE(mac2_holds(kStart));
  EXPECT_TRUE(checker_.mac1_holds(sealed(kStart)));
}

TEST_P(Macs, EveryFlippedBitIsNoticedByMac2) {
  exchange_cookie(kStart);
  const Octets message = sealed(kStart);
  ASSERT_TRUE(checker_.mac2_holds(message, source_, kStart));
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    Octets other = message;
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    ASSERT_FALSE(checker_.mac2_holds(other, source_, kStart)) << bit;
  }
}

TEST_P(Macs, CookieIsBoundToAddressAndPort) {
  exchange_cookie(kStart);
  const Octets message = sealed(kStart);
  for (const std::string_view other :
       {"192.0.2.1:51821", "192.0.2.1:20682", "192.0.2.2:51820", "192.0.3.1:51820",
        "[2001:db8::1]:51820", "[::ffff:192.0.2.1]:51820", "[c000:201::]:51820"})
    EXPECT_FALSE(checker_.mac2_holds(message, Endpoint::parse(other).value(), kStart)) << other;
  EXPECT_TRUE(checker_.mac2_holds(message, source_, kStart));
}

TEST_P(Macs, CookieOfIpv6IsBoundToTheWholeAddress) {
  source_ = Endpoint::parse("[2001:db8::1]:51820").value();
  exchange_cookie(kStart);
  const Octets message = sealed(kStart);
  EXPECT_TRUE(checker_.mac2_holds(message, source_, kStart));
  EXPECT_FALSE(checker_.mac2_holds(message, *Endpoint::parse("[2001:db8::2]:51820"), kStart));
}

TEST_P(Macs, SenderUsesACookieFor115Seconds) {
  exchange_cookie(kStart);
  EXPECT_TRUE(jar_.has_cookie(kStart + 115s - 1ns));
  EXPECT_TRUE(mac2_holds(kStart + 115s - 1ns));
  EXPECT_FALSE(jar_.has_cookie(kStart + 115s));
  EXPECT_TRUE(is_zero(Bytes(sealed(kStart + 115s)).last(crypto::kMacSize)));
}

TEST_P(Macs, ReceiverKeepsItsSecretFor120Seconds) {
  exchange_cookie(kStart);
  const Octets message = sealed(kStart);
  EXPECT_TRUE(checker_.mac2_holds(message, source_, kStart + 120s - 1ns));
  EXPECT_FALSE(checker_.mac2_holds(message, source_, kStart + 120s));
}

TEST_P(Macs, SecretIsMadeAnewWhenItIsTooOld) {
  exchange_cookie(kStart);
  EXPECT_EQ(asked_, 2u);  // secret and nonce
  const Octets old = sealed(kStart);
  exchange_cookie(kStart + 119s);
  EXPECT_EQ(asked_, 3u);  // a nonce
  EXPECT_TRUE(checker_.mac2_holds(old, source_, kStart + 119s));
  exchange_cookie(kStart + 120s);
  EXPECT_EQ(asked_, 5u);
  EXPECT_FALSE(checker_.mac2_holds(old, source_, kStart + 120s));  // also within the new one's time
  EXPECT_TRUE(mac2_holds(kStart + 120s));
}

TEST_P(Macs, ReplyGoesToTheSenderOfTheMessage) {
  Octets message = sealed(kStart);
  const CookieReply reply = checker_.reply(message, source_, kStart);
  EXPECT_EQ(reply.receiver, static_cast<std::uint32_t>(message[4]) |
                                static_cast<std::uint32_t>(message[5]) << 8 |
                                static_cast<std::uint32_t>(message[6]) << 16 |
                                static_cast<std::uint32_t>(message[7]) << 24);
  EXPECT_NE(checker_.reply(message, source_, kStart).nonce, reply.nonce);
}

TEST_P(Macs, ReplyAnswersTheLastMessageOnly) {
  const Octets first = sealed(kStart);
  const CookieReply late = checker_.reply(first, source_, kStart);
  const Octets second = sealed(kStart);
  EXPECT_FALSE(jar_.take(late, kStart));
  EXPECT_FALSE(jar_.has_cookie(kStart));
  EXPECT_TRUE(jar_.take(checker_.reply(second, source_, kStart), kStart));
}

TEST_P(Macs, ReplyIsTakenOnce) {
  const CookieReply reply = checker_.reply(sealed(kStart), source_, kStart);
  EXPECT_TRUE(jar_.take(reply, kStart));
  EXPECT_FALSE(jar_.take(reply, kStart + 60s));
  EXPECT_FALSE(jar_.has_cookie(kStart + 115s));  // and did not become younger
}

TEST_P(Macs, ReplyToNothingIsRefused) {
  CookieJar silent(own_);
  EXPECT_FALSE(silent.take(checker_.reply(sealed(kStart), source_, kStart), kStart));
}

TEST_P(Macs, ReplyOfSomeoneElseIsRefused) {
  const Octets message = sealed(kStart);
  MacChecker other(crypto::public_key_of(crypto::SecretKey::generate_private()),
                   crypto::random_bytes);
  EXPECT_FALSE(jar_.take(other.reply(message, source_, kStart), kStart));
  EXPECT_TRUE(jar_.take(checker_.reply(message, source_, kStart), kStart));
}

TEST_P(Macs, EveryFlippedBitOfAReplyIsNoticed) {
  const auto bytes = write(checker_.reply(sealed(kStart), source_, kStart));
  for (std::size_t bit = 8 * 8; bit < bytes.size() * 8; ++bit) {  // behind the receiver's index
    auto other = bytes;
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    ASSERT_FALSE(jar_.take(read_cookie_reply(other), kStart)) << bit;
  }
  EXPECT_TRUE(jar_.take(read_cookie_reply(bytes), kStart));
}

TEST_P(Macs, CookiesOfTwoSendersAreApart) {
  CookieJar other(own_);
  const Endpoint elsewhere = *Endpoint::parse("198.51.100.7:1000");
  exchange_cookie(kStart);
  ASSERT_TRUE(other.take(checker_.reply(sealed(other, kStart), elsewhere, kStart), kStart));
  EXPECT_FALSE(checker_.mac2_holds(sealed(other, kStart), source_, kStart));
  EXPECT_TRUE(checker_.mac2_holds(sealed(other, kStart), elsewhere, kStart));
}

INSTANTIATE_TEST_SUITE_P(Handshake, Macs, testing::Values(kInitiationSize, kResponseSize),
                         [](const auto& size) {
                           return size.param == kInitiationSize ? "Initiation" : "Response";
                         });

TEST(Cookie, IsOpenedByWhoeverItWasSealedFor) {
  const crypto::Hash key = cookie_key_of({{1}});
  const crypto::Mac mac1{2};
  const crypto::Mac cookie{3};
  const CookieReply reply = seal_cookie(key, 0x01020304, mac1, cookie, {4});
  EXPECT_EQ(reply.receiver, 0x01020304u);
  EXPECT_EQ(open_cookie(key, mac1, reply), cookie);
  EXPECT_FALSE(open_cookie(key, crypto::Mac{1}, reply));
  EXPECT_FALSE(open_cookie(cookie_key_of({{2}}), mac1, reply));
}

}  // namespace
}  // namespace vpntun::wg
