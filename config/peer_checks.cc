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
  report.add(draft.is_wireguard() ? Code::kPeerWithoutPrefix : Code::kRequired, spot,
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
std::string name_of(const EndpointDraft& endpoint) {
  return endpoint.secret ? "the endpoint of the credential" : endpoint.value.address->to_string();
}

void check_public_endpoint(const EndpointDraft& endpoint, const Draft& draft, Report& report) {
  if (!endpoint.value.address || !endpoint.value.address->is_public()) return;
  if (draft.profile.allow_public_plaintext)
    report.add(Code::kPublicPlaintext, endpoint.spot,
               fmt::format("packets to {} cross the Internet unencrypted", name_of(endpoint)),
               {"everybody on the path can read and forge them", ""});
  else
    report.add(
        Code::kPublicEndpoint, endpoint.spot,
        fmt::format("{} is a public address, and this tunnel encrypts nothing", name_of(endpoint)),
        {"everybody on the path could read and forge the packets", std::string(kAllow)});
}

// What only the plain transport refuses.
void check_plain(const Draft& draft, Report& report) {
  check_default_routes(draft, report);
  for (const PeerDraft& peer : draft.peers) {
    for (const EndpointDraft& endpoint : peer.endpoints)
      check_public_endpoint(endpoint, draft, report);
    if (draft.is_plain() && peer.endpoints.size() > 1)
      report.add(Code::kEndpointList, peer.endpoints[1].spot,
                 "the plain transport sends to one endpoint only",
                 {"nothing there tells whether somebody answers", "write one endpoint"});
  }
}

void check_endpoints_twice(const Draft& draft, Report& report) {
  for (const PeerDraft& peer : draft.peers)
    for (auto each = peer.endpoints.begin(); each != peer.endpoints.end(); ++each)
      if (std::any_of(peer.endpoints.begin(), each,
                      [&](const EndpointDraft& other) { return other.value == each->value; }))
        report.add(Code::kEndpointTwice, each->spot, "this endpoint stands here twice",
                   {"it is tried in its turn once", ""});
}

// Without an endpoint to speak to and without a known port nobody can speak first.
void check_reachable(const Draft& draft, Report& report) {
  const bool all_learned =
      !draft.peers.empty() &&
      std::all_of(draft.peers.begin(), draft.peers.end(), [](const PeerDraft& peer) {
        return peer.endpoints.empty() && !peer.endpoint_unclear;
      });
  if (!all_learned || draft.listen_port_unclear || draft.profile.interface.listen_port != 0) return;
  Spot spot = draft.listen_port;
  if (spot.place.line == 0) spot.place = draft.peers.front().spot.place;
  report.add(draft.is_wireguard() ? Code::kNobodyFirst : Code::kUnreachable, spot,
             "every peer's endpoint is learned, and no port is fixed",
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
// the peer. Rules keep them out of a default route, and whoever chose another table has their own.
void check_loops(const Draft& draft, Report& report) {
  const Profile& profile = draft.profile;
  const bool apart =
      profile.netns.mode != Netns::Mode::kNone && profile.netns.socket == Netns::Socket::kHost;
  if (apart || profile.routing.mode == RouteMode::kOff || profile.routing.table != 0) return;
  PrefixSet routed;
  const auto add = [&](const IpPrefix& prefix) {
    if (prefix.length > 0) routed.insert(prefix);
  };
  if (profile.routing.mode == RouteMode::kListed)
    for (const auto& route : draft.routes) add(route.value);
  else
    for (const PeerDraft& peer : draft.peers)
      for (const auto& prefix : peer.allowed_ips) add(prefix.value);
  for (const PeerDraft& peer : draft.peers)
    for (const EndpointDraft& endpoint : peer.endpoints) {
      if (!endpoint.value.address) continue;
      const auto route =
          routed.containing({*endpoint.value.address, endpoint.value.address->bits()});
      if (!route) continue;
      report.add(Code::kLoop, endpoint.spot,
                 fmt::format("{} lies in {}, which is routed into this tunnel", name_of(endpoint),
                             route->to_string()),
                 {"the tunnel would carry its own packets",
                  "take the endpoint's network out of the routes, or set routes = \"off\" under "
                  "[routing]"});
    }
}

}  // namespace

void check_peers(const Draft& draft, Report& report) {
  check_names(draft, report);
  check_prefixes(draft, report);
  if (!draft.is_wireguard()) check_plain(draft, report);
  check_endpoints_twice(draft, report);
  check_reachable(draft, report);
  check_waiting(draft, report);
  check_loops(draft, report);
}

}  // namespace vpntun::config
