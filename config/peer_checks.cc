// What does not fit together about the peers.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/draft.h"
#include "config/prefix_set.h"

namespace vpntun::config {
namespace {

constexpr std::string_view kAllow =
    "set allow-public-plaintext = true under [tunnel] only if everybody may read and forge these "
    "packets";

void check_names(const Draft& draft, Report& report) {
  std::map<std::string, Spot> seen;
  for (const PeerDraft& peer : draft.peers) {
    const auto [first, is_new] = seen.try_emplace(peer.name.value, peer.name.spot);
    if (!is_new)
      report.add(Code::kPeerNameTwice, peer.name.spot,
                 fmt::format("another peer is named {} too", in_quotes(peer.name.value)),
                 {fmt::format("first in line {}", first->second.place.line),
                  "give each peer a name of its own"});
  }
}

void check_allowed_ips_of(const PeerDraft& peer, const Draft& draft, Report& report) {
  if (draft.is_tap() && peer.allowed_ips_spot)
    report.add(Code::kWrongKind, *peer.allowed_ips_spot, "allowed-ips are for TUN only",
               {"peers of a TAP are told apart by Ethernet address", "remove this key"});
  if (!draft.is_tun() || !peer.allowed_ips.empty() || peer.allowed_ips_unclear) return;
  Spot spot = peer.allowed_ips_spot.value_or(peer.spot);
  spot.key = peer.spot.key + ".allowed-ips";
  report.add(Code::kRequired, spot,
             fmt::format("peer {} needs at least one prefix", in_quotes(peer.name.value)),
             {"nothing could be sent to it or accepted from it",
              "for example: allowed-ips = [\"192.168.53.0/24\"]"});
}

void check_prefixes(const Draft& draft, Report& report) {
  struct Owner {
    const PeerDraft* peer;
    std::uint32_t line;
  };
  std::map<IpPrefix, Owner> owners;
  for (const PeerDraft& peer : draft.peers) {
    check_allowed_ips_of(peer, draft, report);
    for (const auto& prefix : peer.allowed_ips) {
      const auto [first, is_new] =
          owners.try_emplace(prefix.value, Owner{&peer, prefix.spot.place.line});
      if (is_new) continue;
      const Owner& owner = first->second;
      report.add(Code::kPrefixTwice, prefix.spot,
                 owner.peer == &peer
                     ? fmt::format("{} stands here twice", prefix.value.to_string())
                     : fmt::format("{} of peer {} already belongs to peer {} (line {})",
                                   prefix.value.to_string(), in_quotes(peer.name.value),
                                   in_quotes(owner.peer->name.value), owner.line),
                 {"", owner.peer == &peer ? "" : "give each peer its own addresses"});
    }
  }
}

// 0.0.0.0/0 and ::/0, and their halves, by which the same is said to win over an existing default
// route.
void check_default_routes(const Draft& draft, Report& report) {
  for (const PeerDraft& peer : draft.peers) {
    for (const auto& prefix : peer.allowed_ips) {
      if (prefix.value.length > 1) continue;
      if (draft.profile.allow_public_plaintext)
        report.add(Code::kPublicPlaintext, prefix.spot,
                   fmt::format("all traffic to {} leaves unencrypted", prefix.value.to_string()),
                   {"everybody on the path can read and forge it", ""});
      else
        report.add(Code::kDefaultRoute, prefix.spot,
                   fmt::format("{} would send the whole Internet's traffic through a tunnel that "
                               "encrypts nothing",
                               prefix.value.to_string()),
                   {"", std::string(kAllow)});
    }
  }
}

// For a finding; what a credential says stays in it.
std::string name_of_endpoint(const PeerDraft& peer) {
  return peer.endpoint_secret ? "the endpoint of the credential"
                              : peer.endpoint->value.address->to_string();
}

void check_public_endpoints(const Draft& draft, Report& report) {
  for (const PeerDraft& peer : draft.peers) {
    if (!peer.endpoint || !peer.endpoint->value.address) continue;
    const IpAddress& address = *peer.endpoint->value.address;
    if (!address.is_public()) continue;
    if (draft.profile.allow_public_plaintext)
      report.add(
          Code::kPublicPlaintext, peer.endpoint->spot,
          fmt::format("packets to {} cross the Internet unencrypted", name_of_endpoint(peer)),
          {"everybody on the path can read and forge them", ""});
    else
      report.add(Code::kPublicEndpoint, peer.endpoint->spot,
                 fmt::format("{} is a public address, and this tunnel encrypts nothing",
                             name_of_endpoint(peer)),
                 {"everybody on the path could read and forge the packets", std::string(kAllow)});
  }
}

// Without an endpoint to speak to and without a known port nobody can speak first.
void check_reachable(const Draft& draft, Report& report) {
  const bool all_learned =
      !draft.peers.empty() &&
      std::all_of(draft.peers.begin(), draft.peers.end(),
                  [](const PeerDraft& peer) { return !peer.endpoint && !peer.endpoint_unclear; });
  if (!all_learned || draft.listen_port_unclear || draft.profile.interface.listen_port != 0) return;
  Spot spot = draft.listen_port;
  if (spot.place.line == 0) spot.place = draft.peers.front().spot.place;
  report.add(Code::kUnreachable, spot, "every peer's endpoint is learned, and no port is fixed",
             {"neither side could send the first packet",
              "set listen-port here, or the endpoint of a peer"});
}

void check_waiting(const Draft& draft, Report& report) {
  if (!draft.waits_for_peer || !draft.peers.empty()) return;
  report.add(Code::kNobodyToHear, *draft.waits_for_peer,
             "the start would wait for a peer, and there is none",
             {"", "add a [[peer]], or remove this key"});
}

// Datagrams to an endpoint inside the routes into the tunnel would go into the tunnel, not out to
// the peer.
void check_loops(const Draft& draft, Report& report) {
  const Profile& profile = draft.profile;
  const bool apart =
      profile.netns.mode != Netns::Mode::kNone && profile.netns.socket == Netns::Socket::kHost;
  if (apart || profile.routing.mode == RouteMode::kOff) return;
  PrefixSet routed;
  if (profile.routing.mode == RouteMode::kListed)
    for (const auto& route : draft.routes) routed.insert(route.value);
  else
    for (const PeerDraft& peer : draft.peers)
      for (const auto& prefix : peer.allowed_ips) routed.insert(prefix.value);
  for (const PeerDraft& peer : draft.peers) {
    if (!peer.endpoint || !peer.endpoint->value.address) continue;
    const IpAddress& address = *peer.endpoint->value.address;
    const auto route = routed.containing({address, address.bits()});
    if (!route) continue;
    report.add(Code::kLoop, peer.endpoint->spot,
               fmt::format("{} lies in {}, which is routed into this tunnel",
                           name_of_endpoint(peer), route->to_string()),
               {"the tunnel would carry its own packets",
                "take the endpoint's network out of the routes, or set routes = \"off\" under "
                "[routing]"});
  }
}

}  // namespace

void check_peers(const Draft& draft, Report& report) {
  check_names(draft, report);
  check_prefixes(draft, report);
  check_default_routes(draft, report);
  check_public_endpoints(draft, report);
  check_reachable(draft, report);
  check_waiting(draft, report);
  check_loops(draft, report);
}

}  // namespace vpntun::config
