// Addresses as values: IpAddress, IpPrefix, Endpoint, MacAddress. Pure.
// Text forms follow RFC 4291/5952 (IPv6) and dotted quads; parsing accepts nothing else.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vpntun {

enum class Family : std::uint8_t { kIpv4 = 4, kIpv6 = 6 };

class IpAddress {
 public:
  // The unspecified IPv4 address 0.0.0.0.
  constexpr IpAddress() noexcept = default;

  // bytes: 4 in network order.
  static constexpr IpAddress v4(std::span<const std::uint8_t, 4> bytes) noexcept {
    return {Family::kIpv4, bytes};
  }
  static constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c,
                                std::uint8_t d) noexcept {
    return v4(std::array<std::uint8_t, 4>{a, b, c, d});
  }
  // bytes: 16 in network order. A v4-mapped address stays IPv6.
  static constexpr IpAddress v6(std::span<const std::uint8_t, 16> bytes) noexcept {
    return {Family::kIpv6, bytes};
  }
  static constexpr IpAddress unspecified(Family family) noexcept { return {family, {}}; }
  static std::optional<IpAddress> parse(std::string_view text);

  Family family() const noexcept { return family_; }
  bool is_v4() const noexcept { return family_ == Family::kIpv4; }
  bool is_v6() const noexcept { return family_ == Family::kIpv6; }
  // 32 or 128.
  unsigned bits() const noexcept { return is_v4() ? 32 : 128; }
  // 4 or 16 bytes in network order.
  std::span<const std::uint8_t> bytes() const noexcept {
    return {bytes_.data(), is_v4() ? 4u : 16u};
  }

  bool is_unspecified() const noexcept;
  bool is_loopback() const noexcept;
  bool is_multicast() const noexcept;
  bool is_link_local() const noexcept;
  // Reachable through the Internet as a whole: not private (RFC 1918, RFC 4193), shared (RFC 6598),
  // loopback, link-local, documentation, multicast or reserved.
  bool is_public() const noexcept;

  std::string to_string() const;
  auto operator<=>(const IpAddress&) const = default;

 private:
  constexpr IpAddress(Family family, std::span<const std::uint8_t> bytes) noexcept
      : family_(family) {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  }

  Family family_ = Family::kIpv4;
  std::array<std::uint8_t, 16> bytes_{};  // IPv4: the first four, the rest zero
};

// A network prefix, or an interface address with its prefix length (host bits kept).
struct IpPrefix {
  IpAddress address;
  unsigned length = 0;  // 0..address.bits()

  // "ADDRESS/LENGTH"; a bare address means a full-length prefix.
  static std::optional<IpPrefix> parse(std::string_view text);

  // Host bits cleared.
  IpPrefix network() const noexcept;
  bool has_host_bits() const noexcept { return network().address != address; }
  bool contains(const IpAddress& other) const noexcept;
  bool contains(const IpPrefix& other) const noexcept;
  bool overlaps(const IpPrefix& other) const noexcept;

  std::string to_string() const;
  auto operator<=>(const IpPrefix&) const = default;
};

// A UDP endpoint. scope_id: interface index of a link-local IPv6 address, else 0.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t scope_id = 0;

  // "192.0.2.1:9090" or "[2001:db8::1]:9090".
  static std::optional<Endpoint> parse(std::string_view text);

  std::string to_string() const;
  auto operator<=>(const Endpoint&) const = default;
};

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  // "aa:bb:cc:dd:ee:ff".
  static std::optional<MacAddress> parse(std::string_view text);

  bool is_multicast() const noexcept { return (bytes[0] & 1) != 0; }
  std::string to_string() const;
  auto operator<=>(const MacAddress&) const = default;
};

}  // namespace vpntun
