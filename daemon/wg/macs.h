// What guards the handshake against floods (paper, section 5.3 and 5.4.4, 5.4.7): mac1 proves that
// the sender knows our public key, mac2 that it receives at its address. MacChecker is the
// receiver's side, CookieJar what a sender keeps for one peer. Pure: time and chance are arguments.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/address.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "wg/messages.h"

namespace vpntun::wg {

inline constexpr Duration kCookieSecretTime = std::chrono::seconds(120);
// The sender stops using a cookie so much earlier.
inline constexpr Duration kCookieLatency = std::chrono::seconds(5);

using Random = std::function<void(MutableBytes)>;

// A cookie on its way: sealed for whoever sent the handshake message with that mac1. key: of the
// public key of whoever answers.
crypto::Hash cookie_key_of(const crypto::PublicKey& answering) noexcept;
CookieReply seal_cookie(const crypto::Hash& key, std::uint32_t receiver, const crypto::Mac& mac1,
                        const crypto::Mac& cookie,
                        const std::array<std::uint8_t, crypto::kXNonceSize>& nonce) noexcept;
// Nothing: not authentic.
std::optional<crypto::Mac> open_cookie(const crypto::Hash& key, const crypto::Mac& mac1,
                                       const CookieReply& reply) noexcept;

class MacChecker {
 public:
  // own: our public key. random: for the secret behind cookies and for nonces.
  MacChecker(const crypto::PublicKey& own, Random random);

  // handshake: an initiation or response whose size is that of its type. Comes before anything
  // else that costs: one keyed hash, no allocation.
  bool mac1_holds(Bytes handshake) const noexcept;
  bool mac2_holds(Bytes handshake, const Endpoint& source, Instant now) const noexcept;
  // The answer to a handshake message with a right mac1.
  CookieReply reply(Bytes handshake, const Endpoint& source, Instant now) noexcept;

 private:
  crypto::Mac cookie_of(const Endpoint& source) const noexcept;

  Random random_;
  crypto::Hash mac1_key_{};
  crypto::Hash cookie_key_{};
  crypto::SecretKey secret_;
  std::optional<Instant> secret_since_;
};

class CookieJar {
 public:
  // remote: the peer's public key.
  explicit CookieJar(const crypto::PublicKey& remote) noexcept;

  // Writes mac1 and, while a cookie is fresh, mac2 at the end of a handshake message.
  void seal(MutableBytes handshake, Instant now) noexcept;
  // Takes the cookie out of a reply to the last message that was sealed. False: not authentic, or
  // nothing was sent.
  bool take(const CookieReply& reply, Instant now) noexcept;
  bool has_cookie(Instant now) const noexcept;

 private:
  crypto::Hash mac1_key_{};
  crypto::Hash cookie_key_{};
  std::optional<crypto::Mac> last_mac1_;
  crypto::Mac cookie_{};
  std::optional<Instant> cookie_since_;
};

}  // namespace vpntun::wg
