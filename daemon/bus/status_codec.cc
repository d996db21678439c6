#include "bus/status_codec.h"

#include <fmt/chrono.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/log.h"

namespace vpntun::bus {

namespace {

constexpr std::size_t kMaximumText = 2000;

// Text from profiles, the kernel and peers: D-Bus takes only UTF-8, and nobody wants control
// characters.
sdbus::Variant text(std::string_view from) {
  return sdbus::Variant(escaped(from, kMaximumText));
}

Dictionary to_dictionary(const Reason& reason) {
  return {{"code", text(reason.code)}, {"text", text(reason.text)}};
}

void add_traffic(Dictionary& to, const session::Traffic& traffic) {
  to["rx-bytes"] = sdbus::Variant(traffic.rx_bytes);
  to["tx-bytes"] = sdbus::Variant(traffic.tx_bytes);
  to["rx-packets"] = sdbus::Variant(traffic.rx_packets);
  to["tx-packets"] = sdbus::Variant(traffic.tx_packets);
}

Dictionary to_dictionary(const session::DropStatus& drop) {
  return {{"reason", text(drop.reason)},
          {"text", text(drop.text)},
          {"packets", sdbus::Variant(drop.packets)},
          {"last", text(drop.last)},
          {"last-usec", sdbus::Variant(drop.last_usec)}};
}

Dictionary to_dictionary(const session::PeerStatus& peer) {
  std::vector<std::string> allowed_ips;
  for (const IpPrefix& prefix : peer.allowed_ips) allowed_ips.push_back(prefix.to_string());
  Dictionary peer_dictionary{
      {"name", text(peer.name)},
      {"configured-endpoint", text(peer.configured_endpoint)},
      {"endpoint", text(peer.endpoint ? peer.endpoint->to_string() : "")},
      {"endpoint-source", text(to_string(peer.endpoint_source))},
      {"allowed-ips", sdbus::Variant(allowed_ips)},
      {"public-key", text(peer.public_key)},
      {"has-preshared-key", sdbus::Variant(peer.has_preshared_key)},
      {"persistent-keepalive", sdbus::Variant(peer.persistent_keepalive)},
      {"state", text(state_word(peer))},
      {"latest-handshake-usec", sdbus::Variant(peer.latest_handshake_usec)},
      {"handshake-attempts", sdbus::Variant(peer.handshake_attempts)},
      {"health", text(to_string(peer.health))},
      {"reason", sdbus::Variant(to_dictionary(peer.reason))},
      {"last-received-usec", sdbus::Variant(peer.last_received_usec)},
      {"last-sent-usec", sdbus::Variant(peer.last_sent_usec)},
  };
  add_traffic(peer_dictionary, peer.traffic);
  return peer_dictionary;
}

template <typename Item>
sdbus::Variant list_of(const std::vector<Item>& items) {
  std::vector<Dictionary> dictionaries;
  for (const Item& item : items) dictionaries.push_back(to_dictionary(item));
  return sdbus::Variant(dictionaries);
}

nlohmann::json to_json(const sdbus::Variant& value);

nlohmann::json to_json(const Dictionary& dictionary) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [key, value] : dictionary) object[key] = to_json(value);
  return object;
}

// The value if it is of one of these types.
template <typename... Types>
std::optional<nlohmann::json> scalar(const sdbus::Variant& value) {
  std::optional<nlohmann::json> found;
  const auto take = [&]<typename Type>(std::type_identity<Type>) {
    if (!found && value.containsValueOfType<Type>()) found = value.get<Type>();
  };
  (take(std::type_identity<Types>{}), ...);
  return found;
}

nlohmann::json to_json(const sdbus::Variant& value) {
  if (auto plain = scalar<std::string, bool, std::uint64_t, std::uint32_t, std::uint16_t,
                          std::int64_t, std::int32_t, double, std::vector<std::string>>(value))
    return *plain;
  if (value.containsValueOfType<Dictionary>()) return to_json(value.get<Dictionary>());
  if (value.containsValueOfType<std::vector<Dictionary>>()) {
    nlohmann::json array = nlohmann::json::array();
    for (const Dictionary& item : value.get<std::vector<Dictionary>>())
      array.push_back(to_json(item));
    return array;
  }
  return nullptr;  // a newer session's key of a type that is not ours to know
}

}  // namespace

Dictionary to_dictionary(const session::Status& status) {
  Dictionary known{
      {"name", text(status.name)},
      {"description", text(status.description)},
      {"profile-path", text(status.profile_path)},
      {"differs-from-profile", sdbus::Variant(status.differs_from_profile)},
      {"pid", sdbus::Variant(status.pid)},
      {"since-usec", sdbus::Variant(status.since_usec)},
      {"interface", text(status.interface)},
      {"interface-index", sdbus::Variant(status.interface_index)},
      {"netns", text(status.netns)},
      {"kind", text(word_of(status.kind))},
      {"encryption", text(word_of(status.encryption))},
      {"addresses", sdbus::Variant(status.addresses)},
      {"routes", sdbus::Variant(status.routes)},
      {"dns-servers", sdbus::Variant(status.dns_servers)},
      {"dns-domains", sdbus::Variant(status.dns_domains)},
      {"public-key", text(status.public_key)},
      {"listen-port", sdbus::Variant(status.listen_port)},
      {"mtu", sdbus::Variant(status.mtu)},
      {"mtu-derivation", text(status.mtu_derivation)},
      {"forwarding", sdbus::Variant(status.forwarding)},
      {"masquerade", sdbus::Variant(status.masquerade)},
      {"health", text(to_string(status.health))},
      {"reason", sdbus::Variant(to_dictionary(status.reason))},
      {"findings", list_of(status.findings)},
      {"drops", list_of(status.drops)},
      {"peers", list_of(status.peers)},
  };
  add_traffic(known, status.traffic);
  return known;
}

Dictionary to_dictionary(const session::ReloadResult& result) {
  return {{"applied", sdbus::Variant(result.applied)},
          {"needs-restart", sdbus::Variant(result.needs_restart)},
          {"unchanged", sdbus::Variant(result.applied.empty() && result.needs_restart.empty())}};
}

Dictionary merged(const manager::Tunnel& tunnel, const Dictionary* of_session) {
  const bool running =
      tunnel.state() == Lifecycle::kRunning || tunnel.state() == Lifecycle::kReloading;
  const auto& profile = tunnel.profile();
  const auto& session = tunnel.session();
  Dictionary known{
      {"name", text(tunnel.name())},
      {"description", text(profile ? profile->description : "")},
      {"state", text(to_string(tunnel.state()))},
      {"health", text(to_string(tunnel.health()))},
      {"reason", sdbus::Variant(to_dictionary(tunnel.reason()))},
      {"interface", text(tunnel.interface())},
      {"kind", text(tunnel.kind())},
      {"encryption", text(tunnel.encryption())},
      {"profile-path", text(profile ? profile->path : "")},
      {"profile-stale", sdbus::Variant(tunnel.is_stale())},
      {"profile-valid", sdbus::Variant(profile && profile->valid)},
      {"unit", text(tunnel.unit())},
      {"pid", sdbus::Variant(session ? session->pid : std::uint32_t{0})},
  };
  if (!running) return known;
  if (of_session == nullptr) {
    known["health"] = text(to_string(Health::kUnknown));
    known["reason"] = sdbus::Variant(to_dictionary(
        Reason{.code = "session-silent", .text = "the session process does not answer"}));
    return known;
  }
  for (const auto& [key, value] : *of_session)
    if (key != "state" && !key.starts_with("profile-") && key != "unit") known[key] = value;
  return known;
}

Dictionary without_details(Dictionary status) {
  const auto strip = [&status](const char* list, std::initializer_list<const char*> keys) {
    auto items = get<std::vector<Dictionary>>(status, list);
    for (Dictionary& item : items)
      for (const char* key : keys) item.erase(key);
    if (status.contains(list)) status[list] = sdbus::Variant(items);
  };
  strip("peers", {"endpoint", "configured-endpoint", "public-key"});
  strip("drops", {"last"});
  status.erase("public-key");
  return status;
}

std::string to_json(const std::vector<Dictionary>& tunnels,
                    std::chrono::system_clock::time_point now) {
  nlohmann::json document{{"schema", "vpnctl.status/1"}};
  document["generated"] =
      fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
  document["tunnels"] = nlohmann::json::array();
  for (const Dictionary& tunnel : tunnels) document["tunnels"].push_back(to_json(tunnel));
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace vpntun::bus
