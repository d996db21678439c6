#include "crypto/key.h"

#include "crypto/crypto.h"

namespace vpntun::crypto {
namespace {

using KeyBytes = std::array<std::uint8_t, kKeySize>;

// Wiped by whoever took it.
std::optional<KeyBytes> key_of_text(std::string_view text) {
  KeyBytes bytes{};
  if (text.size() != kKeyTextSize || !decode_base64(text, bytes)) return std::nullopt;
  return bytes;
}

}  // namespace

std::optional<PublicKey> PublicKey::parse(std::string_view text) {
  const auto bytes = key_of_text(text);
  if (!bytes) return std::nullopt;
  return PublicKey{*bytes};
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
  auto bytes = key_of_text(text);
  if (!bytes) return std::nullopt;
  std::optional<SecretKey> key(std::in_place, *bytes);
  wipe(*bytes);
  return key;
}

SecretKey SecretKey::generate_private() {
  SecretKey key = generate_preshared();
  key.bytes_[0] &= 248;
  key.bytes_[31] = static_cast<std::uint8_t>((key.bytes_[31] & 127) | 64);
  return key;
}

SecretKey SecretKey::generate_preshared() {
  SecretKey key;
  random_bytes(key.bytes_);
  return key;
}

std::string SecretKey::expose_text() const {
  return encode_base64(bytes_);
}

bool SecretKey::is_zero() const noexcept {
  return equal(bytes_, KeyBytes{});
}

bool SecretKey::operator==(const SecretKey& other) const noexcept {
  return equal(bytes_, other.bytes_);
}

}  // namespace vpntun::crypto
