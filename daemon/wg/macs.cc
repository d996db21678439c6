#include "wg/macs.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/wire.h"

namespace vpntun::wg {
namespace {

constexpr std::size_t kSenderOffset = 4;  // bytes; of both handshake messages

crypto::Hash key_of(std::string_view label, const crypto::PublicKey& receiver) noexcept {
  return crypto::hash(
      {Bytes(reinterpret_cast<const std::uint8_t*>(label.data()), label.size()), receiver.bytes});
}
crypto::Hash mac1_key_of(const crypto::PublicKey& receiver) noexcept {
  return key_of("mac1----", receiver);
}

auto mac1_of(Bytes handshake) noexcept {
  return handshake.last<kMacsSize>().first<crypto::kMacSize>();
}
auto mac2_of(Bytes handshake) noexcept {
  return handshake.last<crypto::kMacSize>();
}

bool is_fresh(const std::optional<Instant>& since, Duration validity, Instant now) noexcept {
  return since && now - *since < validity;
}

}  // namespace

crypto::Hash cookie_key_of(const crypto::PublicKey& answering) noexcept {
  return key_of("cookie--", answering);
}

CookieReply seal_cookie(const crypto::Hash& key, std::uint32_t receiver, const crypto::Mac& mac1,
                        const crypto::Mac& cookie,
                        const std::array<std::uint8_t, crypto::kXNonceSize>& nonce) noexcept {
  CookieReply reply;
  reply.receiver = receiver;
  reply.nonce = nonce;
  std::ranges::copy(cookie, reply.sealed_cookie.begin());
  crypto::xaead_seal(key, nonce, mac1, reply.sealed_cookie);
  return reply;
}

std::optional<crypto::Mac> open_cookie(const crypto::Hash& key, const crypto::Mac& mac1,
                                       const CookieReply& reply) noexcept {
  auto opened = reply.sealed_cookie;
  if (!crypto::xaead_open(key, reply.nonce, mac1, opened)) return std::nullopt;
  crypto::Mac cookie;
  std::copy_n(opened.begin(), cookie.size(), cookie.begin());
  return cookie;
}

MacChecker::MacChecker(const crypto::PublicKey& own, Random random)
    : random_(std::move(random)), mac1_key_(mac1_key_of(own)), cookie_key_(cookie_key_of(own)) {}

bool MacChecker::mac1_holds(Bytes handshake) const noexcept {
  return crypto::equal(crypto::mac(mac1_key_, {before_mac1(handshake)}), mac1_of(handshake));
}

bool MacChecker::mac2_holds(Bytes handshake, const Endpoint& source, Instant now) const noexcept {
  if (!is_fresh(secret_since_, kCookieSecretTime, now)) return false;
  return crypto::equal(crypto::mac(cookie_of(source), {before_mac2(handshake)}),
                       mac2_of(handshake));
}

CookieReply MacChecker::reply(Bytes handshake, const Endpoint& source, Instant now) noexcept {
  if (!is_fresh(secret_since_, kCookieSecretTime, now)) {
    crypto::Hash fresh;
    random_(fresh);
    secret_ = crypto::SecretKey(fresh);
    crypto::wipe(fresh);
    secret_since_ = now;
  }
  std::array<std::uint8_t, crypto::kXNonceSize> nonce;
  random_(nonce);
  crypto::Mac mac1;
  std::ranges::copy(mac1_of(handshake), mac1.begin());
  return seal_cookie(cookie_key_, load_le<std::uint32_t>(handshake.data() + kSenderOffset), mac1,
                     cookie_of(source), nonce);
}

crypto::Mac MacChecker::cookie_of(const Endpoint& source) const noexcept {
  std::array<std::uint8_t, 2> port;
  store_be(port.data(), source.port);
  return crypto::mac(secret_.expose(), {source.address.bytes(), port});
}

CookieJar::CookieJar(const crypto::PublicKey& remote) noexcept
    : mac1_key_(mac1_key_of(remote)), cookie_key_(cookie_key_of(remote)) {}

void CookieJar::seal(MutableBytes handshake, Instant now) noexcept {
  const MutableBytes mac1 = handshake.last(kMacsSize).first(crypto::kMacSize);
  const MutableBytes mac2 = handshake.last(crypto::kMacSize);
  last_mac1_ = crypto::mac(mac1_key_, {before_mac1(handshake)});
  std::ranges::copy(*last_mac1_, mac1.begin());
  std::ranges::copy(
      has_cookie(now) ? crypto::mac(cookie_, {before_mac2(handshake)}) : crypto::Mac{},
      mac2.begin());
}

bool CookieJar::take(const CookieReply& reply, Instant now) noexcept {
  if (!last_mac1_) return false;
  const auto cookie = open_cookie(cookie_key_, *last_mac1_, reply);
  if (!cookie) return false;
  cookie_ = *cookie;
  cookie_since_ = now;
  last_mac1_.reset();  // one message, one cookie: a replayed reply does not make it younger
  return true;
}

bool CookieJar::has_cookie(Instant now) const noexcept {
  return is_fresh(cookie_since_, kCookieSecretTime - kCookieLatency, now);
}

}  // namespace vpntun::wg
