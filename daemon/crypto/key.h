// The keys of a tunnel as values: 32 bytes each. A secret key wipes itself, is compared in constant
// time, and cannot be printed by accident. Text is base64 as wg(8) writes it, read and written
// without branches on its content. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vpntun::crypto {

inline constexpr std::size_t kKeySize = 32;      // bytes
inline constexpr std::size_t kKeyTextSize = 44;  // characters of base64

// An X25519 public key (RFC 7748).
struct PublicKey {
  std::array<std::uint8_t, kKeySize> bytes{};

  // Exactly 44 characters of canonical base64.
  static std::optional<PublicKey> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const PublicKey&) const = default;
};

// A private or preshared key.
class SecretKey {
 public:
  SecretKey() noexcept = default;  // all zero
  explicit SecretKey(std::span<const std::uint8_t, kKeySize> bytes) noexcept;
  SecretKey(const SecretKey&) noexcept = default;
  SecretKey& operator=(const SecretKey&) noexcept = default;
  ~SecretKey();  // wipes

  // Exactly 44 characters of canonical base64. The text stays the caller's to wipe.
  static std::optional<SecretKey> parse(std::string_view text);
  // A fresh private key, clamped (RFC 7748, section 5).
  static SecretKey generate_private() noexcept;
  // 32 random bytes.
  static SecretKey generate_preshared() noexcept;

  std::span<const std::uint8_t, kKeySize> expose() const noexcept { return bytes_; }
  // 44 characters that the caller has to wipe (crypto::wipe).
  std::string expose_text() const;
  bool is_zero() const noexcept;                           // constant time
  bool operator==(const SecretKey& other) const noexcept;  // constant time

 private:
  std::array<std::uint8_t, kKeySize> bytes_{};
};

// The public key of a private one.
PublicKey public_key_of(const SecretKey& private_key) noexcept;

}  // namespace vpntun::crypto
