// What does not fit together about the keys of WireGuard and the kill switch.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/draft.h"

namespace vpntun::config {
namespace {

void check_public_keys(const Draft& draft, Report& report) {
  const crypto::SecretKey& own = draft.profile.interface.private_key;
  std::optional<crypto::PublicKey> own_public;  // only when the private key is within reach
  if (!own.is_zero()) own_public = crypto::public_key_of(own);
  std::map<crypto::PublicKey, Spot> seen;
  for (const PeerDraft& peer : draft.peers) {
    if (!peer.public_key) continue;
    const auto& [key, spot] = *peer.public_key;
    if (key == own_public)
      report.add(
          Code::kOwnKey, spot,
          fmt::format("peer {} has the key of this tunnel itself", in_quotes(peer.name.value)),
          {"a tunnel is no peer of its own", "take the public key of the other end"});
    const auto [first, is_new] = seen.try_emplace(key, spot);
    if (!is_new)
      report.add(Code::kPublicKeyTwice, spot, "another peer has this public key too",
                 {fmt::format("first in line {}", first->second.place.line),
                  "a peer is known by its key: make one peer of the two"});
  }
}

void check_keepalives(const Draft& draft, Report& report) {
  for (const PeerDraft& peer : draft.peers)
    if (peer.keepalive && peer.keepalive->value > 0 && peer.endpoints.empty() &&
        !peer.endpoint_unclear)
      report.add(Code::kIdleKeepalive, peer.keepalive->spot,
                 fmt::format("the endpoint of peer {} is learned", in_quotes(peer.name.value)),
                 {"nothing is sent before the peer was heard",
                  "a keepalive is for the end behind a router or firewall"});
}

bool has_default_route(const Draft& draft) {
  const auto is_default = [](const Located<IpPrefix>& prefix) { return prefix.value.length == 0; };
  if (draft.profile.routing.mode == RouteMode::kListed)
    return std::ranges::any_of(draft.routes, is_default);
  return draft.profile.routing.mode == RouteMode::kAuto &&
         std::ranges::any_of(draft.peers, [&](const PeerDraft& peer) {
           return peer.allowed_ips_unclear || std::ranges::any_of(peer.allowed_ips, is_default);
         });
}

void check_kill_switch(const Draft& draft, Report& report) {
  if (draft.profile.routing.kill_switch == KillSwitch::kOff) return;
  if (draft.profile.netns.mode != Netns::Mode::kNone)
    report.add(Code::kKillSwitchInNetns, draft.kill_switch,
               "a kill switch is for a tunnel of the host's own network",
               {"in a namespace that has only the tunnel nothing leaves past it",
                "remove [routing.kill-switch] or [netns]"});
  else if (draft.is_tun() && !has_default_route(draft))
    report.add(Code::kKillSwitchSplit, draft.kill_switch,
               "there is no default route into this tunnel",
               {"everything but the networks of the tunnel becomes unreachable",
                "remove [routing.kill-switch], or add 0.0.0.0/0 and ::/0 to the allowed-ips of a "
                "peer"});
}

}  // namespace

void check_wireguard(const Draft& draft, Report& report) {
  if (!draft.is_wireguard()) return;
  check_public_keys(draft, report);
  check_keepalives(draft, report);
  check_kill_switch(draft, report);
}

}  // namespace vpntun::config
