#include "ctl/peer_edit.h"

#include <algorithm>
#include <array>
#include <set>

namespace vpntun::ctl {
namespace {

constexpr unsigned kMostTried = 65536;
constexpr std::uint16_t kKeepalive = 25;  // seconds; routers forget after 30 at the soonest

IpAddress next(const IpAddress& address) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  for (std::size_t i = address.bytes().size(); i-- > 0;)
    if (++bytes[i] != 0) break;
  if (address.is_v6()) return IpAddress::v6(bytes);
  return IpAddress::v4(std::span<const std::uint8_t, 4>(bytes.data(), 4));
}

// What peers have inside of a network.
struct Taken {
  std::set<IpAddress> hosts;
  std::vector<IpPrefix> networks;

  bool has(const IpAddress& address) const {
    return hosts.contains(address) || std::ranges::any_of(networks, [&](const IpPrefix& network) {
             return network.contains(address);
           });
  }
};

Taken taken_in(const IpPrefix& network, const config::Profile& profile) {
  Taken taken;
  for (const IpPrefix& address : profile.interface.addresses) taken.hosts.insert(address.address);
  for (const config::Peer& peer : profile.peers)
    for (const IpPrefix& prefix : peer.allowed_ips) {
      if (prefix.length == prefix.address.bits())
        taken.hosts.insert(prefix.address);
      else if (network.contains(prefix) && prefix != network)
        taken.networks.push_back(prefix);
    }
  return taken;
}

std::optional<IpPrefix> free_address(const IpPrefix& network, const config::Profile& profile) {
  const Taken taken = taken_in(network, profile);
  const bool special = network.length + 2 <= network.address.bits();  // has addresses of no host
  IpAddress address = special ? next(network.address) : network.address;
  for (unsigned tried = 0; tried < kMostTried && network.contains(address); ++tried) {
    const bool broadcast = special && address.is_v4() && !network.contains(next(address));
    if (!broadcast && !taken.has(address)) return IpPrefix{address, address.bits()};
    address = next(address);
  }
  return std::nullopt;
}

std::string_view without_white(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : line.substr(begin);
}

bool is_peer_header(std::string_view line) {
  std::string letters;
  for (const char c : line.substr(0, line.find('#')))
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') letters += c;
  return letters == "[[peer]]";
}

}  // namespace

std::vector<IpPrefix> free_addresses(const config::Profile& profile) {
  std::vector<IpPrefix> found;
  std::set<IpPrefix> seen;
  for (const IpPrefix& address : profile.interface.addresses) {
    if (!seen.insert(address.network()).second) continue;
    if (const auto one = free_address(address.network(), profile)) found.push_back(*one);
  }
  return found;
}

std::optional<std::string> without_peer(std::string_view text, std::size_t index) {
  std::string kept;
  std::string pending;  // comments and empty lines, which may belong to what follows
  std::size_t peers = 0;
  bool inside = false;
  bool found = false;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(line.size());
    const std::string_view shown = without_white(line);
    if (shown.starts_with('[')) {
      inside = is_peer_header(line) && peers++ == index;
      found = found || inside;
    }
    if (shown.empty() || shown.starts_with('#')) {
      pending += line;
    } else if (inside) {
      if (!shown.starts_with('[')) pending.clear();
      kept += pending;
      pending.clear();
    } else {
      kept += pending;
      kept += line;
      pending.clear();
    }
  }
  if (!found) return std::nullopt;
  return kept + (inside ? "" : pending);
}

config::Profile other_end(const config::Profile& profile, const config::Peer& peer,
                          const OtherEnd& end) {
  config::Profile other;
  other.name = peer.name;
  other.encryption = config::Encryption::kWireguard;
  other.interface.private_key = end.private_key;
  for (const IpPrefix& prefix : peer.allowed_ips)
    if (prefix.length == prefix.address.bits()) other.interface.addresses.push_back(prefix);
  other.interface.dns.servers = end.dns_servers;
  if (!end.dns_servers.empty()) other.interface.dns.domains = {{".", true}};
  config::Peer& back = other.peers.emplace_back();
  back.name = profile.name;
  back.public_key = crypto::public_key_of(profile.interface.private_key);
  back.preshared_key = peer.preshared_key;
  back.endpoints = {end.endpoint};
  back.persistent_keepalive = kKeepalive;
  if (end.all_traffic) {
    back.allowed_ips = {*IpPrefix::parse("0.0.0.0/0"), *IpPrefix::parse("::/0")};
    return other;
  }
  for (const IpPrefix& address : profile.interface.addresses)
    if (std::ranges::find(back.allowed_ips, address.network()) == back.allowed_ips.end())
      back.allowed_ips.push_back(address.network());
  return other;
}

}  // namespace vpntun::ctl
