// The handshake Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as pure functions (paper,
// section 5.4.2-5.4.5; Noise revision 34). What goes on between two messages is a value that the
// caller keeps. Neither macs nor cookies are known here (macs.h).
#pragma once

#include <cstdint>
#include <optional>

#include "crypto/crypto.h"
#include "wg/messages.h"
#include "wg/symmetric_state.h"

namespace vpntun::wg {

// Our own side. Computed once for a private key.
struct Identity {
  crypto::SecretKey private_key;
  crypto::PublicKey public_key;
};
Identity identity_of(const crypto::SecretKey& private_key) noexcept;

// What never changes between us and a peer.
struct Pairing {
  crypto::PublicKey remote;       // its static public key
  crypto::SecretKey precomputed;  // X25519 of both static keys
  crypto::SecretKey preshared;    // all zero: none
};
// Nothing: the public key is a low-order point, with which no handshake can be made.
std::optional<Pairing> pair_with(const Identity& own, const crypto::PublicKey& remote,
                                 const std::optional<crypto::SecretKey>& preshared) noexcept;

// The handshake between two messages.
struct HandshakeState {
  SymmetricState symmetric;
  crypto::SecretKey ephemeral;         // the initiator's own
  crypto::PublicKey remote_ephemeral;  // the responder's view
  std::uint32_t local_index = 0;
  std::uint32_t remote_index = 0;
};

struct TransportKeys {
  crypto::SecretKey send;
  crypto::SecretKey receive;
};

// An initiation without macs, and the state that waits for its response. ephemeral: fresh.
struct Initiated {
  Initiation message;
  HandshakeState state;
};
std::optional<Initiated> initiate(const Identity& own, const Pairing& peer,
                                  const crypto::SecretKey& ephemeral, std::uint32_t index,
                                  const Timestamp& timestamp) noexcept;

// The first half of reading an initiation: who says to have sent it. Costs one X25519.
struct Claimed {
  crypto::PublicKey remote;
  HandshakeState state;
};
std::optional<Claimed> read_claim(const Identity& own, const Initiation& message) noexcept;
// The second half, with the pairing of that peer: when it was sent. Nothing: not authentic. The
// caller refuses timestamps that do not rise.
struct Received {
  Timestamp timestamp{};
  HandshakeState state;
};
std::optional<Received> read_initiation(const Claimed& claim, const Pairing& peer,
                                        const Initiation& message) noexcept;

// The answer, without macs, and the keys of the responder.
struct Responded {
  Response message;
  TransportKeys keys;
};
std::optional<Responded> respond(const HandshakeState& state, const Pairing& peer,
                                 const crypto::SecretKey& ephemeral, std::uint32_t index) noexcept;

// The keys of the initiator. Nothing: not authentic, and the state still waits.
std::optional<TransportKeys> finish(const HandshakeState& state, const Identity& own,
                                    const Pairing& peer, const Response& message) noexcept;

}  // namespace vpntun::wg
