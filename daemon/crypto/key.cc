#include "crypto/key.h"

#include "crypto/crypto.h"

namespace vpntun::crypto {
namespace {

bool read_key(std::string_view text, MutableBytes out) noexcept {
  return text.size() == kKeyTextSize && decode_base64(text, out);
}

}  // namespace

std::optional<PublicKey> PublicKey::parse(std::string_view text) {
  PublicKey key;
  if (!read_key(text, key.bytes)) return std::nullopt;
  return key;
}

std::string PublicKey::to_string() const {
  return encode_base64(bytes);
}

SecretKey::SecretKey(std::span<const std::uint8_t, kKeySize> bytes) noexcept {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

SecretKey::~SecretKey() {
  wipe(bytes_);
}

std::optional<SecretKey> SecretKey::parse(std::string_view text) {
  std::optional<SecretKey> key(std::in_place);
  if (!read_key(text, key->bytes_)) key.reset();
  return key;
}

SecretKey SecretKey::generate_private() noexcept {
  SecretKey key = generate_preshared();
  key.bytes_[0] &= 248;
  key.bytes_[31] = static_cast<std::uint8_t>((key.bytes_[31] & 127) | 64);
  return key;
}

SecretKey SecretKey::generate_preshared() noexcept {
  SecretKey key;
  random_bytes(key.bytes_);
  return key;
}

std::string SecretKey::expose_text() const {
  return encode_base64(bytes_);
}

bool SecretKey::is_zero() const noexcept {
  return equal(bytes_, SecretKey().bytes_);
}

bool SecretKey::operator==(const SecretKey& other) const noexcept {
  return equal(bytes_, other.bytes_);
}

}  // namespace vpntun::crypto
