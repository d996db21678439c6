#include "crypto/crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <cstdlib>

namespace vpntun::crypto {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using Cipher = std::unique_ptr<EVP_CIPHER, Freed<EVP_CIPHER_free>>;
using Digest = std::unique_ptr<EVP_MD, Freed<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Freed<EVP_MAC_CTX_free>>;

constexpr std::size_t kBlockSize = 64;  // bytes, BLAKE2s

// For what can only fail when the library is broken or memory is used up: going on would mean to
// send unprotected bytes.
void require(bool done) noexcept {
  if (!done) std::abort();
}

int int_of(std::size_t size) noexcept {
  return static_cast<int>(size);
}

// Looked up once, for every context.
const EVP_CIPHER* packet_cipher() noexcept {
  static const Cipher cipher(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
  return cipher.get();
}

// Cheaper than EVP_CIPHER_CTX_ctrl, which makes the same of it.
OSSL_PARAM tag_at(std::uint8_t* place) noexcept {
  return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, place, kTagSize);
}

void start_sodium() noexcept {
  static const bool started = ::sodium_init() >= 0;
  require(started);
}

// The hashes' contexts of one thread.
class Hasher {
 public:
  Hasher() : digest_(EVP_MD_fetch(nullptr, "BLAKE2S-256", nullptr)), context_(EVP_MD_CTX_new()) {
    EVP_MAC* mac = EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr);
    mac_.reset(EVP_MAC_CTX_new(mac));
    EVP_MAC_free(mac);
    require(digest_ && context_ && mac_);
  }

  void digest(std::span<std::uint8_t, kHashSize> out, Bytes prefix,
              std::initializer_list<Bytes> data) noexcept {
    require(EVP_DigestInit_ex2(context_.get(), digest_.get(), nullptr) == 1);
    require(EVP_DigestUpdate(context_.get(), prefix.data(), prefix.size()) == 1);
    for (const Bytes part : data)
      require(EVP_DigestUpdate(context_.get(), part.data(), part.size()) == 1);
    require(EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) == 1);
  }

  void keyed(MutableBytes out, Bytes key, std::initializer_list<Bytes> data) noexcept {
    std::size_t size = out.size();
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                     OSSL_PARAM_construct_end()};
    require(EVP_MAC_init(mac_.get(), key.data(), key.size(), parameters) == 1);
    for (const Bytes part : data)
      require(EVP_MAC_update(mac_.get(), part.data(), part.size()) == 1);
    require(EVP_MAC_final(mac_.get(), out.data(), nullptr, out.size()) == 1);
  }

 private:
  Digest digest_;
  DigestContext context_;
  MacContext mac_;
};

Hasher& hasher() {
  thread_local Hasher contexts;
  return contexts;
}

}  // namespace

void random_bytes(MutableBytes out) noexcept {
  start_sodium();
  ::randombytes_buf(out.data(), out.size());  // ends the process when it cannot
}

void wipe(MutableBytes bytes) noexcept {
  ::sodium_memzero(bytes.data(), bytes.size());
}

void wipe(std::string& text) noexcept {
  ::sodium_memzero(text.data(), text.size());
  text.clear();
}

bool equal(Bytes a, Bytes b) noexcept {
  return a.size() == b.size() && ::sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string encode_base64(Bytes bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  ::sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), kVariant);
  text.pop_back();  // the terminating zero
  return text;
}

bool decode_base64(std::string_view text, MutableBytes out) noexcept {
  if (out.empty()) return text.empty();  // the library wants a place to write to
  char joined = 0;  // libsodium 1.0.18 takes some bytes that are not ASCII for digits
  for (const char c : text) joined = static_cast<char>(joined | c);
  std::size_t size = 0;
  const char* end = nullptr;
  const bool done = (joined & 0x80) == 0 &&
                    ::sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr,
                                        &size, &end, sodium_base64_VARIANT_ORIGINAL) == 0 &&
                    size == out.size() && end == text.data() + text.size();
  if (!done) wipe(out);
  return done;
}

void keyed_blake2s(MutableBytes out, Bytes key, std::initializer_list<Bytes> data) noexcept {
  hasher().keyed(out, key, data);
}

Hash hash(std::initializer_list<Bytes> data) noexcept {
  Hash out;
  hasher().digest(out, {}, data);
  return out;
}

Mac mac(Bytes key, std::initializer_list<Bytes> data) noexcept {
  Mac out;
  hasher().keyed(out, key, data);
  return out;
}

Hash hmac(Bytes key, std::initializer_list<Bytes> data) noexcept {
  std::array<std::uint8_t, kBlockSize> pad{};
  Hash short_key{};
  if (key.size() > kBlockSize) {
    short_key = hash({key});
    key = short_key;
  }
  std::copy(key.begin(), key.end(), pad.begin());
  for (std::uint8_t& byte : pad) byte ^= 0x36;
  Hash inner;
  hasher().digest(inner, pad, data);
  for (std::uint8_t& byte : pad) byte ^= 0x36 ^ 0x5c;
  Hash out;
  hasher().digest(out, pad, {inner});
  wipe(pad);
  wipe(inner);
  wipe(short_key);
  return out;
}

void kdf(std::span<Hash> out, Bytes key, Bytes input) noexcept {
  Hash extracted = hmac(key, {input});
  Bytes previous;
  std::uint8_t number = 0;
  for (Hash& derived : out) {
    ++number;
    derived = hmac(extracted, {previous, Bytes(&number, 1)});
    previous = derived;
  }
  wipe(extracted);
}

bool x25519(std::span<std::uint8_t, kKeySize> shared, const SecretKey& private_key,
            const PublicKey& public_key) noexcept {
  start_sodium();
  // libsodium refuses low-order points, and an all-zero result (RFC 7748, section 6.1).
  if (::crypto_scalarmult_curve25519(shared.data(), private_key.expose().data(),
                                     public_key.bytes.data()) == 0)
    return true;
  wipe(shared);
  return false;
}

PublicKey public_key_of(const SecretKey& private_key) noexcept {
  start_sodium();
  PublicKey key;
  ::crypto_scalarmult_curve25519_base(key.bytes.data(), private_key.expose().data());
  return key;
}

Nonce nonce_of(std::uint64_t counter) noexcept {
  Nonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(counter >> (8 * i));
  return nonce;
}

void aead_seal(std::span<const std::uint8_t, kKeySize> key, const Nonce& nonce, Bytes associated,
               MutableBytes bytes) noexcept {
  ::crypto_aead_chacha20poly1305_ietf_encrypt(bytes.data(), nullptr, bytes.data(),
                                              bytes.size() - kTagSize, associated.data(),
                                              associated.size(), nullptr, nonce.data(), key.data());
}

bool aead_open(std::span<const std::uint8_t, kKeySize> key, const Nonce& nonce, Bytes associated,
               MutableBytes bytes) noexcept {
  if (bytes.size() < kTagSize) return false;
  return ::crypto_aead_chacha20poly1305_ietf_decrypt(
             bytes.data(), nullptr, nullptr, bytes.data(), bytes.size(), associated.data(),
             associated.size(), nonce.data(), key.data()) == 0;
}

void FreeCipherContext::operator()(evp_cipher_ctx_st* context) const noexcept {
  EVP_CIPHER_CTX_free(context);  // wipes the key
}

Sealer::Sealer(std::span<const std::uint8_t, kKeySize> key) noexcept
    : context_(EVP_CIPHER_CTX_new()) {
  require(context_ &&
          EVP_EncryptInit_ex2(context_.get(), packet_cipher(), key.data(), nullptr, nullptr) == 1);
}

void Sealer::seal(const Nonce& nonce, MutableBytes bytes) noexcept {
  EVP_CIPHER_CTX* const context = context_.get();
  const MutableBytes text = bytes.first(bytes.size() - kTagSize);
  OSSL_PARAM tag[] = {tag_at(text.data() + text.size()), OSSL_PARAM_construct_end()};
  int written = 0;
  require(EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
          (text.empty() || EVP_EncryptUpdate(context, text.data(), &written, text.data(),
                                             int_of(text.size())) == 1) &&
          EVP_EncryptFinal_ex(context, text.data() + text.size(), &written) == 1 &&
          EVP_CIPHER_CTX_get_params(context, tag) == 1);
}

Opener::Opener(std::span<const std::uint8_t, kKeySize> key) noexcept
    : context_(EVP_CIPHER_CTX_new()) {
  require(context_ &&
          EVP_DecryptInit_ex2(context_.get(), packet_cipher(), key.data(), nullptr, nullptr) == 1);
}

bool Opener::open(const Nonce& nonce, MutableBytes bytes) noexcept {
  if (bytes.size() < kTagSize) return false;
  EVP_CIPHER_CTX* const context = context_.get();
  const MutableBytes text = bytes.first(bytes.size() - kTagSize);
  const OSSL_PARAM tag[] = {tag_at(text.data() + text.size()), OSSL_PARAM_construct_end()};
  int written = 0;
  return EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), tag) == 1 &&
         (text.empty() || EVP_DecryptUpdate(context, text.data(), &written, text.data(),
                                            int_of(text.size())) == 1) &&
         EVP_DecryptFinal_ex(context, text.data() + text.size(), &written) == 1;
}

void xaead_seal(std::span<const std::uint8_t, kKeySize> key,
                std::span<const std::uint8_t, kXNonceSize> nonce, Bytes associated,
                MutableBytes bytes) noexcept {
  ::crypto_aead_xchacha20poly1305_ietf_encrypt(
      bytes.data(), nullptr, bytes.data(), bytes.size() - kTagSize, associated.data(),
      associated.size(), nullptr, nonce.data(), key.data());
}

bool xaead_open(std::span<const std::uint8_t, kKeySize> key,
                std::span<const std::uint8_t, kXNonceSize> nonce, Bytes associated,
                MutableBytes bytes) noexcept {
  if (bytes.size() < kTagSize) return false;
  return ::crypto_aead_xchacha20poly1305_ietf_decrypt(
             bytes.data(), nullptr, nullptr, bytes.data(), bytes.size(), associated.data(),
             associated.size(), nonce.data(), key.data()) == 0;
}

}  // namespace vpntun::crypto
