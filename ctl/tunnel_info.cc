#include "ctl/tunnel_info.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"

namespace vpntun::ctl {
namespace {

using nlohmann::json;

constexpr std::string_view kSchema = "vpnctl.status/1";

const json& member(const json& object, const char* key) {
  static const json kAbsent;
  if (!object.is_object()) return kAbsent;
  const json::const_iterator found = object.find(key);
  return found == object.end() ? kAbsent : *found;
}

std::string text_of(const json& value) {
  return value.is_string() ? escaped(value.get_ref<const std::string&>()) : std::string();
}

std::string text(const json& object, const char* key) {
  return text_of(member(object, key));
}

std::uint64_t number(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

bool flag(const json& object, const char* key, bool otherwise) {
  const json& value = member(object, key);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

// The list under key, each element read by `read`; what is no list is an empty one.
template <typename Read>
auto list(const json& object, const char* key, Read read) {
  std::vector<decltype(read(object))> out;
  const json& value = member(object, key);
  if (!value.is_array()) return out;
  out.reserve(value.size());
  for (const json& element : value) out.push_back(read(element));
  return out;
}

Reason reason_of(const json& value) {
  return {text(value, "code"), text(value, "text")};
}

TrafficInfo traffic_of(const json& value) {
  return {number(value, "rx-bytes"), number(value, "tx-bytes"), number(value, "rx-packets"),
          number(value, "tx-packets")};
}

DropInfo drop_of(const json& value) {
  return {text(value, "reason"), text(value, "text"), number(value, "packets"), text(value, "last"),
          number(value, "last-usec")};
}

OffloadInfo offload_of(const json& value) {
  return {
      text(value, "name"), flag(value, "on", false), {text(value, "reason"), text(value, "text")}};
}

PeerInfo peer_of(const json& value) {
  PeerInfo peer;
  peer.name = text(value, "name");
  peer.configured_endpoint = text(value, "configured-endpoint");
  peer.endpoint = text(value, "endpoint");
  peer.endpoint_hidden = !value.contains("endpoint");
  peer.endpoint_source = text(value, "endpoint-source");
  peer.allowed_ips = list(value, "allowed-ips", text_of);
  peer.public_key = text(value, "public-key");
  peer.has_preshared_key = flag(value, "has-preshared-key", false);
  peer.persistent_keepalive = number(value, "persistent-keepalive");
  peer.state = text(value, "state");
  peer.latest_handshake_usec = number(value, "latest-handshake-usec");
  peer.health = text(value, "health");
  peer.reason = reason_of(member(value, "reason"));
  peer.refused_by = text(value, "refused-by");
  peer.traffic = traffic_of(value);
  peer.last_received_usec = number(value, "last-received-usec");
  return peer;
}

TunnelInfo tunnel_of(const json& value) {
  TunnelInfo tunnel;
  tunnel.name = text(value, "name");
  tunnel.description = text(value, "description");
  tunnel.state = text(value, "state");
  tunnel.health = text(value, "health");
  tunnel.reason = reason_of(member(value, "reason"));
  tunnel.interface = text(value, "interface");
  tunnel.interface_index = number(value, "interface-index");
  tunnel.kind = text(value, "kind");
  tunnel.encryption = text(value, "encryption");
  tunnel.public_key = text(value, "public-key");
  tunnel.addresses = list(value, "addresses", text_of);
  tunnel.routes = list(value, "routes", text_of);
  tunnel.dns_servers = list(value, "dns-servers", text_of);
  tunnel.dns_domains = list(value, "dns-domains", text_of);
  tunnel.listen_port = number(value, "listen-port");
  tunnel.workers = number(value, "workers");
  tunnel.mtu = number(value, "mtu");
  tunnel.mtu_derivation = text(value, "mtu-derivation");
  tunnel.netns = text(value, "netns");
  tunnel.since_usec = number(value, "since-usec");
  tunnel.traffic = traffic_of(value);
  tunnel.drops = list(value, "drops", drop_of);
  tunnel.findings = list(value, "findings", reason_of);
  tunnel.peers = list(value, "peers", peer_of);
  tunnel.profile_path = text(value, "profile-path");
  tunnel.profile_stale = flag(value, "profile-stale", false);
  tunnel.profile_valid = flag(value, "profile-valid", true);
  tunnel.unit = text(value, "unit");
  tunnel.pid = number(value, "pid");
  tunnel.forwarding = flag(value, "forwarding", false);
  tunnel.masquerade = flag(value, "masquerade", false);
  tunnel.fwmark = number(value, "fwmark");
  tunnel.table = number(value, "table");
  tunnel.kill_switch = text(value, "kill-switch");
  tunnel.offloads = list(value, "offloads", offload_of);
  return tunnel;
}

// Edits (insert, delete, replace) that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

json parse_document(std::string_view text_form) {
  json document = json::parse(text_form, nullptr, false);
  if (document.is_discarded() || text(document, "schema") != kSchema ||
      !member(document, "tunnels").is_array())
    throw Error(
        ErrorKind::kFailed,
        "vpntund described its tunnels in a form this vpnctl does not know (wanted schema \"{}\"): "
        "are both of the same version? See: vpnctl version",
        kSchema);
  return document;
}

std::vector<TunnelInfo> tunnels_of(const json& document) {
  return list(document, "tunnels", tunnel_of);
}

json only(json document, const std::vector<std::string>& names) {
  json& tunnels = document["tunnels"];
  json kept = json::array();
  for (json& tunnel : tunnels) {
    const json& name = member(tunnel, "name");
    if (name.is_string() &&
        std::find(names.begin(), names.end(), name.get<std::string>()) != names.end())
      kept.push_back(std::move(tunnel));
  }
  tunnels = std::move(kept);
  return document;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const bool begins = !name.empty() && candidate.starts_with(name);
    const std::size_t distance = begins ? 1 : edit_distance(name, candidate);
    if (distance >= best_distance || distance >= candidate.size()) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

}  // namespace vpntun::ctl
