#include "session/uapi.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <iterator>
#include <span>

#include "crypto/crypto.h"

namespace vpntun::session::uapi {

namespace {

constexpr std::string_view kGet = "get=1\n";
constexpr std::string_view kSet = "set=1\n";
constexpr std::uint64_t kMicroseconds = 1'000'000;  // in a second

int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool read_hex(std::string_view text, std::span<std::uint8_t> bytes) noexcept {
  if (text.size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

bool read(std::string_view text, crypto::PublicKey& key) noexcept {
  return read_hex(text, key.bytes);
}

bool read(std::string_view text, crypto::SecretKey& key) noexcept {
  std::array<std::uint8_t, crypto::kKeySize> bytes{};
  const bool is_key = read_hex(text, bytes);
  if (is_key) key = crypto::SecretKey(bytes);
  crypto::wipe(bytes);
  return is_key;
}

template <typename Number>
requires std::is_integral_v<Number>
bool read(std::string_view text, Number& number) noexcept {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

bool read(std::string_view text, Endpoint& endpoint) {
  const std::optional<Endpoint> parsed = Endpoint::parse(text);
  if (!parsed || parsed->port == 0) return false;
  endpoint = *parsed;
  return true;
}

template <typename Value>
bool read(std::string_view text, std::optional<Value>& value) {
  return read(text, value.emplace());
}

// A word that can only be said, not taken back.
bool read_true(std::string_view text, bool& value) noexcept {
  value = text == "true";
  return value;
}

// RFC 7748, section 5; a key of zeros stays one, it says that there is none.
crypto::SecretKey clamped(const crypto::SecretKey& key) {
  if (key.is_zero()) return key;
  std::array<std::uint8_t, crypto::kKeySize> bytes{};
  std::copy(key.expose().begin(), key.expose().end(), bytes.begin());
  bytes[0] &= 248;
  bytes[31] = static_cast<std::uint8_t>((bytes[31] & 127) | 64);
  const crypto::SecretKey result(bytes);
  crypto::wipe(bytes);
  return result;
}

bool read_private_key(std::string_view text, SetRequest& request) {
  if (!read(text, request.private_key)) return false;
  request.private_key = clamped(*request.private_key);
  return true;
}

bool read_allowed_ip(std::string_view text, PeerChange& peer) {
  AllowedIpChange change;
  change.remove = text.starts_with('-');
  if (change.remove) text.remove_prefix(1);
  const std::optional<IpPrefix> prefix = IpPrefix::parse(text);
  if (!prefix) return false;
  change.prefix = prefix->network();
  peer.allowed_ips.push_back(change);
  return true;
}

bool read_replace_allowed_ips(std::string_view text, PeerChange& peer) {
  peer.allowed_ips.clear();
  return read_true(text, peer.replace_allowed_ips);
}

bool take_tunnel_line(std::string_view key, std::string_view value, SetRequest& request) {
  if (key == "private_key") return read_private_key(value, request);
  if (key == "listen_port") return read(value, request.listen_port);
  if (key == "fwmark") return read(value, request.fwmark);
  if (key == "replace_peers") return read_true(value, request.replace_peers);
  return false;
}

bool take_peer_line(std::string_view key, std::string_view value, PeerChange& peer) {
  if (key == "allowed_ip") return read_allowed_ip(value, peer);
  if (key == "endpoint") return read(value, peer.endpoint);
  if (key == "preshared_key") return read(value, peer.preshared_key);
  if (key == "persistent_keepalive_interval") return read(value, peer.persistent_keepalive);
  if (key == "replace_allowed_ips") return read_replace_allowed_ips(value, peer);
  if (key == "remove") return read_true(value, peer.remove);
  if (key == "update_only") return read_true(value, peer.update_only);
  if (key == "protocol_version") return value == "1";
  return false;
}

bool take_line(std::string_view key, std::string_view value, SetRequest& request) {
  if (key == "public_key") return read(value, request.peers.emplace_back().public_key);
  if (request.peers.empty()) return take_tunnel_line(key, value, request);
  return take_peer_line(key, value, request.peers.back());
}

Request parse_set(std::string_view lines) {
  SetRequest request;
  while (!lines.empty() && lines.front() != '\n') {
    const std::size_t end = lines.find('\n');
    if (end == std::string_view::npos) return Refusal{EPROTO};
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 1);
    const std::size_t sign = line.find('=');
    if (sign == std::string_view::npos) return Refusal{EPROTO};
    if (!take_line(line.substr(0, sign), line.substr(sign + 1), request)) return Refusal{EINVAL};
  }
  return lines == "\n" ? Request(std::move(request)) : Refusal{EPROTO};
}

using Text = std::back_insert_iterator<std::string>;

void print_key(Text out, std::string_view name, std::span<const std::uint8_t> key) {
  fmt::format_to(out, "{}=", name);
  for (const std::uint8_t byte : key) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
  *out++ = '\n';
}

void print_peer(Text out, const config::Peer& settings, const PeerStatus& peer) {
  print_key(out, "public_key", settings.public_key.bytes);
  print_key(out, "preshared_key", settings.preshared_key.value_or(crypto::SecretKey()).expose());
  fmt::format_to(out, "protocol_version=1\n");
  if (peer.endpoint) fmt::format_to(out, "endpoint={}\n", peer.endpoint->to_string());
  fmt::format_to(out, "last_handshake_time_sec={}\nlast_handshake_time_nsec={}\n",
                 peer.latest_handshake_usec / kMicroseconds,
                 peer.latest_handshake_usec % kMicroseconds * 1000);
  fmt::format_to(out, "tx_bytes={}\nrx_bytes={}\npersistent_keepalive_interval={}\n",
                 peer.traffic.tx_bytes, peer.traffic.rx_bytes, settings.persistent_keepalive);
  for (const IpPrefix& prefix : settings.allowed_ips)
    fmt::format_to(out, "allowed_ip={}\n", prefix.to_string());
}

// Enough that the text, which has keys in it, does not move while it grows.
std::size_t most_bytes(const config::Profile& profile) {
  constexpr std::size_t kOfTunnel = 300;
  constexpr std::size_t kOfPeer = 600;
  constexpr std::size_t kOfPrefix = 60;
  std::size_t bytes = kOfTunnel;
  for (const config::Peer& peer : profile.peers)
    bytes += kOfPeer + kOfPrefix * peer.allowed_ips.size();
  return bytes;
}

}  // namespace

std::optional<std::size_t> request_size(std::string_view received, std::size_t known) noexcept {
  const std::string_view first = received.substr(0, kGet.size());
  if (first != kGet.substr(0, first.size()) && first != kSet.substr(0, first.size()))
    return std::nullopt;
  const std::size_t end = received.find("\n\n", known - std::min<std::size_t>(known, 1));
  return end == std::string_view::npos ? 0 : end + 2;
}

Request parse(std::string_view request) {
  if (request.starts_with(kSet)) return parse_set(request.substr(kSet.size()));
  if (!request.starts_with(kGet)) return Refusal{EPROTO};
  return request.substr(kGet.size()) == "\n" ? Request(GetRequest{}) : Refusal{EINVAL};
}

std::string get_answer(const config::Profile& profile, const Status& status, std::uint32_t fwmark) {
  std::string text;
  text.reserve(most_bytes(profile));
  const Text out(text);
  print_key(out, "private_key", profile.interface.private_key.expose());
  fmt::format_to(out, "listen_port={}\n", status.listen_port);
  if (fwmark != 0) fmt::format_to(out, "fwmark={}\n", fwmark);
  for (std::size_t i = 0; i < profile.peers.size(); ++i)
    print_peer(out, profile.peers[i], status.peers[i]);
  fmt::format_to(out, "errno=0\n\n");
  return text;
}

std::string errno_answer(int error_number) {
  return fmt::format("errno={}\n\n", -error_number);
}

}  // namespace vpntun::session::uapi
