#include "config/changes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace vpntun::config {

namespace {

// Calls visit(table, key, part) for every key; part(profile) is what the key sets of a profile.
// Only 1 can be the version.
template <typename Visit>
void for_each_key(Visit visit) {
  visit("", "description", [](auto& p) { return std::tie(p.description); });
  visit("tunnel", "kind", [](auto& p) { return std::tie(p.kind); });
  visit("tunnel", "encryption", [](auto& p) { return std::tie(p.encryption); });
  visit("tunnel", "allow-public-plaintext",
        [](auto& p) { return std::tie(p.allow_public_plaintext); });
  visit("tunnel", "ready-when", [](auto& p) { return std::tie(p.ready_when); });
  visit("interface", "name", [](auto& p) { return std::tie(p.interface.name); });
  visit("interface", "address", [](auto& p) { return std::tie(p.interface.addresses); });
  visit("interface", "mtu", [](auto& p) { return std::tie(p.interface.mtu); });
  visit("interface", "listen-port", [](auto& p) { return std::tie(p.interface.listen_port); });
  visit("interface", "mac", [](auto& p) { return std::tie(p.interface.mac); });
  visit("interface", "up", [](auto& p) { return std::tie(p.interface.up); });
  visit("interface", "workers", [](auto& p) { return std::tie(p.interface.workers); });
  visit("interface", "private-key", [](auto& p) { return std::tie(p.interface.private_key); });
  visit("interface", "fwmark", [](auto& p) { return std::tie(p.interface.fwmark); });
  visit("interface", "control-socket",
        [](auto& p) { return std::tie(p.interface.control_socket); });
  visit("interface.dns", "servers", [](auto& p) { return std::tie(p.interface.dns.servers); });
  visit("interface.dns", "domains", [](auto& p) { return std::tie(p.interface.dns.domains); });
  visit("routing", "routes", [](auto& p) { return std::tie(p.routing.mode, p.routing.routes); });
  visit("routing", "forwarding",
        [](auto& p) { return std::tie(p.routing.forwarding, p.routing.forwarding_interfaces); });
  visit("routing", "masquerade", [](auto& p) { return std::tie(p.routing.masquerade); });
  visit("routing", "table", [](auto& p) { return std::tie(p.routing.table); });
  visit("routing", "unrouted-family", [](auto& p) { return std::tie(p.routing.unrouted_family); });
  visit("routing.kill-switch", "mode", [](auto& p) { return std::tie(p.routing.kill_switch); });
  visit("routing.kill-switch", "allow-lan",
        [](auto& p) { return std::tie(p.routing.kill_switch_allows_lan); });
  visit("netns", "mode", [](auto& p) { return std::tie(p.netns.mode); });
  visit("netns", "name", [](auto& p) { return std::tie(p.netns.name); });
  visit("netns", "socket", [](auto& p) { return std::tie(p.netns.socket); });
  visit("access", "active-session", [](auto& p) { return std::tie(p.active_session); });
}

// The same for the keys of a peer but its name, by which it is known.
template <typename Visit>
void for_each_peer_key(Visit visit) {
  visit("endpoint", [](auto& p) { return std::tie(p.endpoints); });
  visit("allowed-ips", [](auto& p) { return std::tie(p.allowed_ips); });
  visit("public-key", [](auto& p) { return std::tie(p.public_key); });
  visit("preshared-key", [](auto& p) { return std::tie(p.preshared_key); });
  visit("persistent-keepalive", [](auto& p) { return std::tie(p.persistent_keepalive); });
}

// Peers by name.
class Index {
 public:
  explicit Index(const Profile& profile) {
    for (const Peer& peer : profile.peers) peers_.emplace(peer.name, &peer);
  }
  const Peer* find(const std::string& name) const {
    const auto at = peers_.find(name);
    return at == peers_.end() ? nullptr : at->second;
  }

 private:
  std::unordered_map<std::string_view, const Peer*> peers_;
};

bool is_another_tunnel(const Profile& before, const Profile& after) {
  return before.kind != after.kind || before.encryption != after.encryption ||
         before.netns != after.netns;
}

}  // namespace

std::vector<Change> changes(const Profile& before, const Profile& after) {
  std::vector<Change> found;
  for_each_key([&](std::string_view table, std::string_view key, auto part) {
    if (part(before) == part(after)) return;
    found.push_back({fmt::format("{}{}{}", table, table.empty() ? "" : ".", key),
                     key_row(table, key).on_reload});
  });
  const Index old_peers(before);
  const Index new_peers(after);
  for (const Peer& peer : before.peers)
    if (new_peers.find(peer.name) == nullptr)
      found.push_back({fmt::format("peer[{}]", peer.name), key_row("peer", "name").on_reload});
  for (const Peer& peer : after.peers) {
    const Peer* old = old_peers.find(peer.name);
    if (old == nullptr) {
      found.push_back({fmt::format("peer[{}]", peer.name), key_row("peer", "name").on_reload});
      continue;
    }
    for_each_peer_key([&](std::string_view key, auto part) {
      if (part(*old) != part(peer))
        found.push_back(
            {fmt::format("peer[{}].{}", peer.name, key), key_row("peer", key).on_reload});
    });
  }
  if (is_another_tunnel(before, after))
    for (Change& change : found) change.on_reload = OnReload::kRestart;
  return found;
}

Profile merged(const Profile& before, const Profile& after) {
  Profile result = is_another_tunnel(before, after) ? before : after;
  for_each_key([&](std::string_view table, std::string_view key, auto part) {
    if (key_row(table, key).on_reload == OnReload::kRestart) part(result) = part(before);
  });
  const Index old_peers(before);
  for (Peer& peer : result.peers)
    if (const Peer* old = old_peers.find(peer.name))
      for_each_peer_key([&](std::string_view key, auto part) {
        if (key_row("peer", key).on_reload == OnReload::kRestart) part(peer) = part(*old);
      });
  return result;
}

std::string reload_text(const std::string& tunnel, const std::vector<std::string>& applied,
                        const std::vector<std::string>& needs_restart) {
  std::vector<std::string> parts;
  if (!applied.empty()) parts.push_back(fmt::format("applied {}", fmt::join(applied, ", ")));
  if (!needs_restart.empty())
    parts.push_back(fmt::format("needs a restart: {} (vpnctl restart {})",
                                fmt::join(needs_restart, ", "), tunnel));
  if (parts.empty()) parts.emplace_back("nothing changed");
  return fmt::format("{}: {}", tunnel, fmt::join(parts, "; "));
}

}  // namespace vpntun::config
