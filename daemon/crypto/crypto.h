// The primitives of the WireGuard protocol. crypto.cc is the only file that names OpenSSL and
// libsodium; docs/crypto.md says which does what. Ciphers, macs and X25519 do not allocate: their
// contexts live in Sealer and Opener, and per thread. (OpenSSL allocates for a hash without key:
// handshakes.) Every function is constant time in its secrets as far as the libraries are. Any
// thread; one Sealer or Opener belongs to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "crypto/key.h"

struct evp_cipher_ctx_st;  // OpenSSL's

namespace vpntun::crypto {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline constexpr std::size_t kHashSize = 32;    // bytes, BLAKE2s-256
inline constexpr std::size_t kMacSize = 16;     // bytes, keyed BLAKE2s with 16 bytes of output
inline constexpr std::size_t kTagSize = 16;     // bytes, Poly1305
inline constexpr std::size_t kXNonceSize = 24;  // bytes, XChaCha20

using Hash = std::array<std::uint8_t, kHashSize>;
using Mac = std::array<std::uint8_t, kMacSize>;

// Fills with random bytes of the system's generator. Ends the process when there is none: no key
// may ever be guessable.
void random_bytes(MutableBytes out) noexcept;
void wipe(MutableBytes bytes) noexcept;
void wipe(std::string& text) noexcept;  // and empties it
bool equal(Bytes a, Bytes b) noexcept;  // constant time for equal sizes

// Base64 (RFC 4648, section 4), constant time in the content.
std::string encode_base64(Bytes bytes);
// False: no canonical base64 of exactly out.size() bytes.
[[nodiscard]] bool decode_base64(std::string_view text, MutableBytes out) noexcept;

// Keyed BLAKE2s (RFC 7693) of the concatenation; key and out: 1 to 32 bytes.
void keyed_blake2s(MutableBytes out, Bytes key, std::initializer_list<Bytes> data) noexcept;
// Hash and Mac of the paper, section 5.4.
Hash hash(std::initializer_list<Bytes> data) noexcept;
Mac mac(Bytes key, std::initializer_list<Bytes> data) noexcept;
// HMAC-BLAKE2s (RFC 2104).
Hash hmac(Bytes key, std::initializer_list<Bytes> data) noexcept;
// KDFn of the paper, section 5.4, for n = out.size(): HKDF (RFC 5869) with HMAC-BLAKE2s. out: at
// most 255; no part of it may be key or input.
void kdf(std::span<Hash> out, Bytes key, Bytes input) noexcept;

// X25519 (RFC 7748). False for a low-order point, which makes the result all zero: refuse it.
[[nodiscard]] bool x25519(std::span<std::uint8_t, kKeySize> shared, const SecretKey& private_key,
                          const PublicKey& public_key) noexcept;

inline constexpr std::size_t kNonceSize = 12;  // bytes, ChaCha20
using Nonce = std::array<std::uint8_t, kNonceSize>;
// WireGuard's: 4 zero bytes, then the counter in little endian.
Nonce nonce_of(std::uint64_t counter) noexcept;

// ChaCha20-Poly1305 (RFC 8439) for keys that are used once, as those of handshakes; nothing of the
// key is left behind. Encrypts in place and writes the tag (16 bytes) behind: bytes = text + room
// for the tag.
void aead_seal(std::span<const std::uint8_t, kKeySize> key, const Nonce& nonce, Bytes associated,
               MutableBytes bytes) noexcept;
// bytes = ciphertext + tag; decrypts in place. False: not authentic, and bytes are unspecified.
[[nodiscard]] bool aead_open(std::span<const std::uint8_t, kKeySize> key, const Nonce& nonce,
                             Bytes associated, MutableBytes bytes) noexcept;

// The same for packets: the key is set once, and nothing is allocated after construction. The key
// is wiped with the object.
struct FreeCipherContext {
  void operator()(evp_cipher_ctx_st* context) const noexcept;
};
using CipherContext = std::unique_ptr<evp_cipher_ctx_st, FreeCipherContext>;

class Sealer {
 public:
  explicit Sealer(std::span<const std::uint8_t, kKeySize> key) noexcept;
  // As aead_seal(), without associated data.
  void seal(const Nonce& nonce, MutableBytes bytes) noexcept;

 private:
  CipherContext context_;
};

class Opener {
 public:
  explicit Opener(std::span<const std::uint8_t, kKeySize> key) noexcept;
  // As aead_open(), without associated data.
  [[nodiscard]] bool open(const Nonce& nonce, MutableBytes bytes) noexcept;

 private:
  CipherContext context_;
};

// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), for cookies. bytes as above.
void xaead_seal(std::span<const std::uint8_t, kKeySize> key,
                std::span<const std::uint8_t, kXNonceSize> nonce, Bytes associated,
                MutableBytes bytes) noexcept;
[[nodiscard]] bool xaead_open(std::span<const std::uint8_t, kKeySize> key,
                              std::span<const std::uint8_t, kXNonceSize> nonce, Bytes associated,
                              MutableBytes bytes) noexcept;

}  // namespace vpntun::crypto
