// What both sides of a handshake know after each token, step for step alike: the SymmetricState of
// the Noise Protocol Framework (revision 34, section 5.2) over ChaCha20-Poly1305 and BLAKE2s.
// noise.h is its only caller. Every key it makes is used once, so the nonce is always 0. Pure; no
// allocation.
#pragma once

#include <string_view>
#include <utility>

#include "crypto/crypto.h"

namespace vpntun::wg {

class SymmetricState {
 public:
  SymmetricState() noexcept = default;  // knows nothing: only to be assigned to
  // protocol_name: longer than 32 bytes.
  SymmetricState(std::string_view protocol_name, crypto::Bytes prologue) noexcept;
  SymmetricState(const SymmetricState&) noexcept = default;
  SymmetricState& operator=(const SymmetricState&) noexcept = default;
  ~SymmetricState();  // wipes

  void mix_hash(crypto::Bytes data) noexcept;
  void mix_key(crypto::Bytes input) noexcept;
  void mix_key_and_hash(crypto::Bytes input) noexcept;

  // Encrypts, or decrypts, in place with the key mixed last: bytes = text + tag.
  void seal(crypto::MutableBytes bytes) noexcept;
  // False: not authentic, and this state is to be thrown away.
  [[nodiscard]] bool open(crypto::MutableBytes bytes) noexcept;

  // The two keys of the transport: what the initiator sends with, what the responder sends with.
  std::pair<crypto::SecretKey, crypto::SecretKey> split() const noexcept;
  const crypto::Hash& hash() const noexcept { return hash_; }

 private:
  crypto::Hash chaining_key_{};
  crypto::Hash hash_{};
  crypto::Hash key_{};
};

}  // namespace vpntun::wg
