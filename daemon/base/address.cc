#include "base/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

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

bool in(const IpAddress& address, std::string_view prefix) {
  return IpPrefix::parse(prefix)->contains(address);
}

}  // namespace

IpAddress IpAddress::v4(std::span<const std::uint8_t, 4> bytes) noexcept {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept {
  return v4(std::array<std::uint8_t, 4>{a, b, c, d});
}

IpAddress IpAddress::v6(std::span<const std::uint8_t, 16> bytes) noexcept {
  IpAddress address;
  address.family_ = Family::kIpv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::unspecified(Family family) noexcept {
  IpAddress address;
  address.family_ = family;
  return address;
}

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
  static constexpr std::string_view kNotPublicV4[] = {
      "0.0.0.0/8",       "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",    "169.254.0.0/16",
      "172.16.0.0/12",   "192.0.0.0/24",   "192.0.2.0/24",  "192.168.0.0/16", "198.18.0.0/15",
      "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",   "240.0.0.0/4"};
  if (is_v4())
    return std::none_of(std::begin(kNotPublicV4), std::end(kNotPublicV4),
                        [this](auto prefix) { return in(*this, prefix); });
  // Mapped (RFC 4291) and translated (RFC 6052) addresses are as public as the IPv4 address within.
  if (in(*this, "::ffff:0:0/96") || in(*this, "64:ff9b::/96"))
    return v4(std::span<const std::uint8_t, 4>(bytes_.data() + 12, 4)).is_public();
  return in(*this, "2000::/3") && !in(*this, "2001:db8::/32") && !in(*this, "3fff::/20");
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
