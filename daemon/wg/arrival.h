// What became of a datagram that arrived. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wg/constants.h"
#include "wg/messages.h"

namespace vpntun::wg {

// Why a datagram was refused. A closed set: each has its counter.
enum class Refusal : std::uint8_t {
  kMalformed,           // no message of WireGuard
  kWrongMac1,           // not made for our public key
  kCookieRequired,      // under load, without proof of its address: answered with a cookie
  kRateLimited,         // under load, too many from its address; or more than can be answered
  kUnknownPeer,         // a handshake of a public key that is no peer's
  kNotAuthentic,        // does not decrypt: forged, damaged, or another preshared key
  kReplayed,            // was there already, or is older than what was
  kTooManyInitiations,  // more than 50 a second of one peer
  kUnknownIndex,        // for a session that is not or no longer there
  kExpired,             // of a session that is too old, or has carried too much
};
inline constexpr std::size_t kRefusalCount = 10;

struct Arrival {
  enum class Kind : std::uint8_t {
    kData,       // payload is the inner bytes with their padding
    kKeepalive,  // of a session, without payload
    kHandshake,  // an initiation or response, taken
    kCookie,     // taken; says nothing of where the peer is
    kRefused,
  };
  Kind kind = Kind::kRefused;
  Refusal refusal = Refusal::kMalformed;  // of kRefused
  PeerId peer = kNobody;  // whose it is; of kRefused: whose it claims to be, as far as is known
  MutableBytes payload;   // kData: inside the datagram's own bytes

  // It is authentic and new, so its source is where the peer is.
  bool moves_peer() const noexcept { return kind != Kind::kRefused && kind != Kind::kCookie; }
};

}  // namespace vpntun::wg
