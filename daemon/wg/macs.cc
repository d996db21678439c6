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
crypto::Hash cookie_key_of(const crypto::PublicKey& receiver) noexcept {
  return key_of("cookie--", receiver);
}

Bytes mac1_of(Bytes handshake) noexcept {
  return before_mac2(handshake).last(crypto::kMacSize);
}
Bytes mac2_of(Bytes handshake) noexcept {
  return handshake.last(crypto::kMacSize);
}

bool is_fresh(const std::optional<Instant>& since, Duration validity, Instant now) noexcept {
  return since && now - *since < validity;
}

}  // namespace

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
  CookieReply reply;
  reply.receiver = load_le<std::uint32_t>(handshake.data() + kSenderOffset);
  random_(reply.nonce);
  std::ranges::copy(cookie_of(source), reply.sealed_cookie.begin());
  crypto::xaead_seal(cookie_key_, reply.nonce, mac1_of(handshake), reply.sealed_cookie);
  return reply;
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
  auto opened = reply.sealed_cookie;
  if (!last_mac1_ || !crypto::xaead_open(cookie_key_, reply.nonce, *last_mac1_, opened))
    return false;
  std::copy_n(opened.begin(), cookie_.size(), cookie_.begin());
  cookie_since_ = now;
  last_mac1_.reset();  // one message, one cookie: a replayed reply does not make it younger
  return true;
}

bool CookieJar::has_cookie(Instant now) const noexcept {
  return is_fresh(cookie_since_, kCookieSecretTime - kCookieLatency, now);
}

}  // namespace vpntun::wg
