// A profile as the text of wg-quick(8).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "config/wg_quick.h"

namespace vpntun::config {
namespace {

template <typename T>
std::string list_of(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(value.to_string());
  return fmt::format("{}", fmt::join(texts, ", "));
}

bool asks_all_names(const Dns& dns) {
  for (const DnsDomain& domain : dns.domains)
    if (domain.name == ".") return true;
  return false;
}

std::string dns_of(const Dns& dns) {
  std::vector<std::string> texts;
  for (const IpAddress& server : dns.servers) texts.push_back(server.to_string());
  for (const DnsDomain& domain : dns.domains)
    if (!domain.route_only) texts.push_back(domain.name);
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string interface_text(const Profile& profile) {
  const Interface& interface = profile.interface;
  std::string text =
      fmt::format("[Interface]\nPrivateKey = {}\n", interface.private_key.expose_text());
  if (!interface.addresses.empty())
    text += fmt::format("Address = {}\n", list_of(interface.addresses));
  if (interface.listen_port != 0) text += fmt::format("ListenPort = {}\n", interface.listen_port);
  if (interface.fwmark != 0) text += fmt::format("FwMark = {:#x}\n", interface.fwmark);
  if (!interface.dns.servers.empty()) text += fmt::format("DNS = {}\n", dns_of(interface.dns));
  if (interface.mtu) text += fmt::format("MTU = {}\n", *interface.mtu);
  if (profile.routing.mode == RouteMode::kOff)
    text += "Table = off\n";
  else if (profile.routing.table != 0)
    text += fmt::format("Table = {}\n", profile.routing.table);
  return text;
}

std::string peer_text(const Peer& peer, std::size_t number) {
  std::string text = "\n[Peer]\n";
  if (peer.name != fmt::format("peer{}", number)) text += fmt::format("# Name = {}\n", peer.name);
  text += fmt::format("PublicKey = {}\n", peer.public_key.to_string());
  if (peer.preshared_key)
    text += fmt::format("PresharedKey = {}\n", peer.preshared_key->expose_text());
  if (!peer.allowed_ips.empty())
    text += fmt::format("AllowedIPs = {}\n", list_of(peer.allowed_ips));
  if (!peer.endpoints.empty())
    text += fmt::format("Endpoint = {}\n", peer.endpoints[0].to_string());
  if (peer.persistent_keepalive != 0)
    text += fmt::format("PersistentKeepalive = {}\n", peer.persistent_keepalive);
  return text;
}

std::vector<std::string> unsaid_of(const Profile& profile) {
  std::vector<std::string> unsaid;
  const auto say = [&](bool is_so, std::string_view what) {
    if (is_so) unsaid.push_back(fmt::format("wg-quick cannot say {}", what));
  };
  const Routing& routing = profile.routing;
  say(routing.mode == RouteMode::kListed, "routing.routes: it routes all of AllowedIPs");
  say(routing.forwarding, "routing.forwarding");
  say(routing.masquerade, "routing.masquerade");
  say(routing.kill_switch != KillSwitch::kOff, "routing.kill-switch");
  say(profile.netns.mode != Netns::Mode::kNone, "netns");
  say(!profile.interface.up, "interface.up = false");
  say(!profile.interface.dns.servers.empty() && !asks_all_names(profile.interface.dns),
      "interface.dns.domains: it asks the servers about every name");
  for (const Peer& peer : profile.peers)
    say(peer.endpoints.size() > 1,
        fmt::format("more than the first endpoint of peer {}", peer.name));
  return unsaid;
}

}  // namespace

WgQuickText to_wg_quick(const Profile& profile) {
  if (profile.encryption != Encryption::kWireguard)
    throw Error(ErrorKind::kNotSupported, "{} has no encryption, and wg-quick has nothing else",
                profile.name);
  if (profile.kind == Kind::kTap)
    throw Error(ErrorKind::kNotSupported, "{} carries Ethernet frames, which wg-quick does not",
                profile.name);
  WgQuickText written{interface_text(profile), unsaid_of(profile)};
  for (std::size_t i = 0; i < profile.peers.size(); ++i)
    written.text += peer_text(profile.peers[i], i + 1);
  return written;
}

}  // namespace vpntun::config
