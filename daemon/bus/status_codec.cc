#include "bus/status_codec.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/log.h"
#include "bus/items.h"

namespace vpntun::bus {

namespace {

nlohmann::json to_json(const Value& value) {
  return std::visit(
      []<typename Type>(const Type& held) -> nlohmann::json {
        if constexpr (std::is_same_v<Type, std::monostate>)
          return nullptr;
        else
          return held;
      },
      value);
}

std::string json_text(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A list of dictionaries as its text in JSON. Of one item after the other: they may be thousands.
struct JsonList {
  std::string text;

  friend sdbus::Message& operator>>(sdbus::Message& from, JsonList& list) {
    read_items(from, [&](const Item& item) {
      nlohmann::json object = nlohmann::json::object();
      for (const auto& [key, value] : item) object[key] = to_json(value);
      list.text += (list.text.empty() ? "[" : ",") + json_text(object);
    });
    list.text += list.text.empty() ? "[]" : "]";
    return from;
  }
};

}  // namespace

}  // namespace vpntun::bus

template <>
struct sdbus::signature_of<vpntun::bus::JsonList> : sdbus::signature_of<vpntun::bus::Items> {};

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

std::string fit(std::string_view from) {
  return escaped(from, kMaximumText);
}

Item item_of(const Reason& reason) {
  return {{"code", fit(reason.code)}, {"text", fit(reason.text)}};
}

Item item_of(const session::DropStatus& drop) {
  return {{"reason", fit(drop.reason)},
          {"text", fit(drop.text)},
          {"packets", drop.packets},
          {"last", fit(drop.last)},
          {"last-usec", drop.last_usec}};
}

Item item_of(const packet::OffloadState& offload) {
  const Reason reason = packet::reason_of(offload);
  return {{"name", std::string(to_string(offload.kind))},
          {"on", offload.on()},
          {"reason", fit(reason.code)},
          {"text", fit(reason.text)}};
}

Item item_of(const session::PeerStatus& peer) {
  std::vector<std::string> allowed_ips;
  for (const IpPrefix& prefix : peer.allowed_ips) allowed_ips.push_back(prefix.to_string());
  return {{"name", fit(peer.name)},
          {"configured-endpoint", fit(peer.configured_endpoint)},
          {"endpoint", peer.endpoint ? peer.endpoint->to_string() : ""},
          {"endpoint-source", std::string(to_string(peer.endpoint_source))},
          {"allowed-ips", std::move(allowed_ips)},
          {"public-key", peer.public_key},
          {"has-preshared-key", peer.has_preshared_key},
          {"persistent-keepalive", peer.persistent_keepalive},
          {"state", std::string(state_word(peer))},
          {"latest-handshake-usec", peer.latest_handshake_usec},
          {"handshake-attempts", peer.handshake_attempts},
          {"health", std::string(to_string(peer.health))},
          {"reason", Texts{{"code", fit(peer.reason.code)}, {"text", fit(peer.reason.text)}}},
          {"refused-by", peer.refused_by ? peer.refused_by->to_string() : ""},
          {"rx-bytes", peer.traffic.rx_bytes},
          {"tx-bytes", peer.traffic.tx_bytes},
          {"rx-packets", peer.traffic.rx_packets},
          {"tx-packets", peer.traffic.tx_packets},
          {"last-received-usec", peer.last_received_usec},
          {"last-sent-usec", peer.last_sent_usec}};
}

template <typename Each>
sdbus::Variant list_of(const std::vector<Each>& list) {
  return sdbus::Variant(ItemSource{list.size(), [&](std::size_t i) { return item_of(list[i]); }});
}

// The value if it is of one of these types.
template <typename... Types>
std::optional<std::string> scalar(const sdbus::Variant& value) {
  std::optional<std::string> found;
  const auto take = [&]<typename Type>(std::type_identity<Type>) {
    if (!found && value.containsValueOfType<Type>()) found = json_text(value.get<Type>());
  };
  (take(std::type_identity<Types>{}), ...);
  return found;
}

std::string json_text(const Dictionary& dictionary);

std::string json_text(const sdbus::Variant& value) {
  if (auto plain = scalar<std::string, bool, std::uint64_t, std::uint32_t, std::uint16_t,
                          std::int64_t, std::int32_t, double, std::vector<std::string>>(value))
    return *std::move(plain);
  if (value.containsValueOfType<Dictionary>()) return json_text(value.get<Dictionary>());
  if (value.containsValueOfType<JsonList>()) return value.get<JsonList>().text;
  return "null";  // a newer session's key of a type that is not ours to know
}

std::string json_text(const Dictionary& dictionary) {
  std::string text = "{";
  for (const auto& [key, value] : dictionary) {
    if (text.size() > 1) text += ',';
    text += json_text(nlohmann::json(key)) + ':' + json_text(value);
  }
  return text + '}';
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
      {"workers", sdbus::Variant(status.workers)},
      {"mtu", sdbus::Variant(status.mtu)},
      {"mtu-derivation", text(status.mtu_derivation)},
      {"forwarding", sdbus::Variant(status.forwarding)},
      {"masquerade", sdbus::Variant(status.masquerade)},
      {"fwmark", sdbus::Variant(status.fwmark)},
      {"table", sdbus::Variant(status.table)},
      {"kill-switch", text(word_of(status.kill_switch))},
      {"offloads", list_of(status.offloads)},
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
  const auto strip = [&status](const char* list, std::initializer_list<std::string_view> keys) {
    const auto at = status.find(list);
    if (at == status.end() || !at->second.containsValueOfType<Items>()) return;
    Items items = at->second.get<Items>();
    for (Item& item : items.list)
      std::erase_if(item, [&](const auto& entry) {
        return std::ranges::find(keys, entry.first) != keys.end();
      });
    at->second =
        sdbus::Variant(ItemSource{items.list.size(), [&](std::size_t i) { return items.list[i]; }});
  };
  strip("peers", {"endpoint", "configured-endpoint", "public-key", "refused-by"});
  strip("drops", {"last"});
  status.erase("public-key");
  return status;
}

std::string to_json(const std::vector<Dictionary>& tunnels,
                    std::chrono::system_clock::time_point now) {
  std::string list;
  for (const Dictionary& tunnel : tunnels) {
    if (!list.empty()) list += ',';
    list += json_text(tunnel);
  }
  return fmt::format(
      R"({{"schema":"vpnctl.status/1","generated":"{:%Y-%m-%dT%H:%M:%SZ}","tunnels":[{}]}})",
      fmt::gmtime(std::chrono::system_clock::to_time_t(now)), list);
}

}  // namespace vpntun::bus
