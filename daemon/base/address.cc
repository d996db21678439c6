#include "base/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/wire.h"

namespace vpntun {
namespace {

// A decimal number of the whole text, without sign or leading zeros.
template <typename T>
std::optional<T> parse_number(std::string_view text, T maximum) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > maximum)
    return std::nullopt;
  return static_cast<T>(value);
}

struct BlockV4 {
  std::array<std::uint8_t, 4> network;
  unsigned length;

  constexpr bool contains(std::uint32_t address) const noexcept {
    return (address ^ load_be<std::uint32_t>(network.data())) >> (32 - length) == 0;
  }
};

constexpr BlockV4 kNotPublicV4[] = {
    {{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},    {{100, 64, 0, 0}, 10},   {{127, 0, 0, 0}, 8},
    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12}, {{192, 0, 0, 0}, 24},    {{192, 0, 2, 0}, 24},
    {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15}, {{198, 51, 100, 0}, 24}, {{203, 0, 113, 0}, 24},
    {{224, 0, 0, 0}, 4},    {{240, 0, 0, 0}, 4}};

// Asked for every packet that travels unencrypted.
bool is_public_v4(const std::uint8_t* bytes) noexcept {
  const auto address = load_be<std::uint32_t>(bytes);
  bool found = false;
  for (const BlockV4& block : kNotPublicV4) found |= block.contains(address);
  return !found;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof(buffer)) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  *std::copy(text.begin(), text.end(), buffer) = '\0';
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, buffer, bytes.data()) == 1)
    return v4(std::span<const std::uint8_t, 4>(bytes.data(), 4));
  if (inet_pton(AF_INET6, buffer, bytes.data()) == 1) return v6(bytes);
  return std::nullopt;
}

bool IpAddress::is_unspecified() const noexcept {
  return *this == unspecified(family_);
}

bool IpAddress::is_loopback() const noexcept {
  return is_v4() ? bytes_[0] == 127
                 : std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; }) &&
                       bytes_[15] == 1;
}

bool IpAddress::is_multicast() const noexcept {
  return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const noexcept {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254
                 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_public() const noexcept {
  if (is_v4()) return is_public_v4(bytes_.data());
  // Mapped (RFC 4291) and translated (RFC 6052) addresses are as public as the IPv4 address within.
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr std::array<std::uint8_t, 12> kTranslated{0, 0x64, 0xff, 0x9b};
  const auto begins_with = [this](std::span<const std::uint8_t> prefix) {
    return std::equal(prefix.begin(), prefix.end(), bytes_.begin());
  };
  if (begins_with(kMapped) || begins_with(kTranslated)) return is_public_v4(bytes_.data() + 12);
  constexpr std::array<std::uint8_t, 4> kDocumentation{0x20, 0x01, 0x0d, 0xb8};  // RFC 3849
  const bool documentation =
      begins_with(kDocumentation) ||
      (bytes_[0] == 0x3f && bytes_[1] == 0xff && bytes_[2] >> 4 == 0);  // RFC 9637: 3fff::/20
  return bytes_[0] >> 5 == 1 && !documentation;                         // 2000::/3
}

std::string IpAddress::to_string() const {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof(buffer));
  return buffer;
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return IpPrefix{*address, address->bits()};
  const auto length = parse_number<unsigned>(text.substr(slash + 1), address->bits());
  if (!length) return std::nullopt;
  return IpPrefix{*address, *length};
}

IpPrefix IpPrefix::network() const noexcept {
  std::array<std::uint8_t, 16> masked{};
  const auto bytes = address.bytes();
  for (unsigned i = 0; i < bytes.size(); ++i) {
    const unsigned kept = std::min(length - std::min(length, i * 8), 8u);
    masked[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00u >> kept));
  }
  if (address.is_v4())
    return {IpAddress::v4(std::span<const std::uint8_t, 4>(masked.data(), 4)), length};
  return {IpAddress::v6(masked), length};
}

bool IpPrefix::contains(const IpAddress& other) const noexcept {
  return other.family() == address.family() &&
         IpPrefix{other, length}.network().address == network().address;
}

bool IpPrefix::contains(const IpPrefix& other) const noexcept {
  return other.length >= length && contains(other.address);
}

bool IpPrefix::overlaps(const IpPrefix& other) const noexcept {
  return contains(other) || other.contains(*this);
}

std::string IpPrefix::to_string() const {
  return fmt::format("{}/{}", address.to_string(), length);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 65535);
  if (!address || !port || bracketed != address->is_v6()) return std::nullopt;
  return Endpoint{*address, *port, 0};
}

std::string Endpoint::to_string() const {
  if (address.is_v4()) return fmt::format("{}:{}", address.to_string(), port);
  if (scope_id != 0) return fmt::format("[{}%{}]:{}", address.to_string(), scope_id, port);
  return fmt::format("[{}]:{}", address.to_string(), port);
}

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  MacAddress mac;
  for (std::size_t i = 0; i < 6; ++i) {
    const char* at = text.data() + i * 3;
    if (i < 5 && at[2] != ':') return std::nullopt;
    const auto [end, error] = std::from_chars(at, at + 2, mac.bytes[i], 16);
    if (error != std::errc{} || end != at + 2) return std::nullopt;
  }
  return mac;
}

std::string MacAddress::to_string() const {
  return fmt::format("{:02x}", fmt::join(bytes, ":"));
}

}  // namespace vpntun
