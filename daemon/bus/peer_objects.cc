#include "bus/peer_objects.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "bus/errors.h"
#include "dbus/names.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

namespace {

using session::PeerStatus;

constexpr const char* kInterface = "org.vpntun1.Peer";

int append(sd_bus_message* to, const std::string& text) {
  return ::sd_bus_message_append_basic(to, 's', text.c_str());
}
int append(sd_bus_message* to, std::string_view text) {
  return append(to, std::string(text));
}
int append(sd_bus_message* to, bool flag) {
  const int value = flag ? 1 : 0;
  return ::sd_bus_message_append_basic(to, 'b', &value);
}
int append(sd_bus_message* to, std::uint16_t number) {
  return ::sd_bus_message_append_basic(to, 'q', &number);
}
int append(sd_bus_message* to, std::uint32_t number) {
  return ::sd_bus_message_append_basic(to, 'u', &number);
}
int append(sd_bus_message* to, std::uint64_t number) {
  return ::sd_bus_message_append_basic(to, 't', &number);
}
int append(sd_bus_message* to, const std::vector<IpPrefix>& prefixes) {
  int result = ::sd_bus_message_open_container(to, 'a', "s");
  for (const IpPrefix& prefix : prefixes)
    if (result >= 0) result = append(to, prefix.to_string());
  return result < 0 ? result : ::sd_bus_message_close_container(to);
}

// A property of the peer that find() found. No exception may cross libsystemd's frames.
template <auto Value>
int get(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* peer,
        sd_bus_error*) noexcept {
  try {
    return append(reply, Value(*static_cast<const PeerStatus*>(peer)));
  } catch (...) {
    log_current("tell a property of a peer");
    return -ENOMEM;
  }
}

constexpr std::uint64_t kConstant = SD_BUS_VTABLE_PROPERTY_CONST;
constexpr std::uint64_t kEmitted = SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
constexpr std::uint64_t kInvalidated = SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION;
constexpr std::uint64_t kSilent = 0;

template <std::uint64_t Flags, auto Value>
sd_bus_vtable property(const char* name, const char* type) {
  return SD_BUS_PROPERTY(name, type, get<Value>, 0, Flags);
}

std::string name_of(const PeerStatus& peer) {
  return escaped(peer.name);
}
std::string configured_endpoint_of(const PeerStatus& peer) {
  return escaped(peer.configured_endpoint, 300);
}
std::string endpoint_of(const PeerStatus& peer) {
  return peer.endpoint ? peer.endpoint->to_string() : "";
}
std::string reason_text_of(const PeerStatus& peer) {
  return escaped(peer.reason.text, 1000);
}

// As dbus/org.vpntun1.Peer.xml says.
const sd_bus_vtable* vtable() {
  using P = PeerStatus;
  static const std::array kTable{
      sd_bus_vtable SD_BUS_VTABLE_START(0),
      property<kConstant, name_of>("Name", "s"),
      property<kInvalidated, configured_endpoint_of>("ConfiguredEndpoint", "s"),
      property<kEmitted, [](const P& peer) { return peer.allowed_ips; }>("AllowedIPs", "as"),
      property<kInvalidated, endpoint_of>("Endpoint", "s"),
      property<kEmitted, [](const P& peer) { return to_string(peer.endpoint_source); }>(
          "EndpointSource", "s"),
      property<kInvalidated, [](const P& peer) { return peer.public_key; }>("PublicKey", "s"),
      property<kEmitted, [](const P& peer) { return peer.has_preshared_key; }>("HasPresharedKey",
                                                                               "b"),
      property<kEmitted, [](const P& peer) { return peer.persistent_keepalive; }>(
          "PersistentKeepalive", "q"),
      property<kEmitted, [](const P& peer) { return state_word(peer); }>("State", "s"),
      property<kSilent, [](const P& peer) { return peer.latest_handshake_usec; }>(
          "LatestHandshakeUSec", "t"),
      property<kSilent, [](const P& peer) { return peer.handshake_attempts; }>("HandshakeAttempts",
                                                                               "u"),
      property<kEmitted, [](const P& peer) { return to_string(peer.health); }>("Health", "s"),
      property<kEmitted, [](const P& peer) { return peer.reason.code; }>("ReasonCode", "s"),
      property<kEmitted, reason_text_of>("ReasonText", "s"),
      property<kSilent, [](const P& peer) { return peer.traffic.rx_bytes; }>("RxBytes", "t"),
      property<kSilent, [](const P& peer) { return peer.traffic.tx_bytes; }>("TxBytes", "t"),
      property<kSilent, [](const P& peer) { return peer.traffic.rx_packets; }>("RxPackets", "t"),
      property<kSilent, [](const P& peer) { return peer.traffic.tx_packets; }>("TxPackets", "t"),
      property<kSilent, [](const P& peer) { return peer.last_received_usec; }>("LastReceivedUSec",
                                                                               "t"),
      sd_bus_vtable SD_BUS_VTABLE_END};
  return kTable.data();
}

constexpr std::array kFollowed{
    "ConfiguredEndpoint", "AllowedIPs",          "Endpoint", "EndpointSource", "PublicKey",
    "HasPresharedKey",    "PersistentKeepalive", "State",    "Health",         "ReasonCode"};

std::size_t hash_of(std::string_view text) {
  return std::hash<std::string_view>{}(text);
}

void check(int result, const char* attempted) {
  if (result < 0) throw_errno(-result, attempted);
}

}  // namespace

PeerObjects::PeerObjects(Connection& connection, StatusSource& status)
    : bus_(dbus::inside(connection.driver())), status_(status) {
  session_changed();
  const std::string prefix(dbus::kPeerPathPrefix);
  sd_bus_slot* slot = nullptr;
  check(::sd_bus_add_fallback_vtable(bus_, &slot, prefix.c_str(), kInterface, vtable(), find, this),
        "offer the peers on the bus");
  objects_.reset(slot);
  check(::sd_bus_add_node_enumerator(bus_, &slot, prefix.c_str(), list, this),
        "list the peers on the bus");
  names_.reset(slot);
}

PeerObjects::Shown PeerObjects::shown_of(const PeerStatus& peer) {
  std::string allowed_ips;
  for (const IpPrefix& prefix : peer.allowed_ips) allowed_ips += prefix.to_string() + ' ';
  return {hash_of(peer.configured_endpoint),
          hash_of(allowed_ips),
          hash_of(endpoint_of(peer)),
          static_cast<std::size_t>(peer.endpoint_source),
          hash_of(peer.public_key),
          peer.has_preshared_key ? 1u : 0u,
          peer.persistent_keepalive,
          static_cast<std::size_t>(peer.state),
          static_cast<std::size_t>(peer.health),
          hash_of(peer.reason.code)};
}

std::vector<const char*> PeerObjects::changes(const Shown& before, const Shown& now) {
  std::vector<const char*> changed;
  for (std::size_t i = 0; i < now.size(); ++i)
    if (before[i] != now[i]) changed.push_back(kFollowed[i]);
  // The text comes with its code. It has running times in it, of which nobody is told.
  if (before.back() != now.back()) changed.push_back("ReasonText");
  return changed;
}

void PeerObjects::session_changed() {
  const std::vector<PeerStatus>& peers = status_.now().peers;
  std::vector<std::pair<const PeerStatus*, std::vector<const char*>>> changed;
  ++round_;
  for (std::size_t index = 0; index < peers.size(); ++index) {
    const auto [at, is_new] = known_.try_emplace(peers[index].name);
    const Known before = std::exchange(at->second, {index, round_, shown_of(peers[index])});
    if (is_new || before.shown == at->second.shown) continue;
    changed.emplace_back(&peers[index], changes(before.shown, at->second.shown));
  }
  std::erase_if(known_, [&](const auto& known) { return known.second.round != round_; });
  for (auto& [peer, properties] : changed) {
    properties.push_back(nullptr);
    check(::sd_bus_emit_properties_changed_strv(bus_, dbus::peer_path(peer->name).c_str(),
                                                kInterface, const_cast<char**>(properties.data())),
          "tell what changed of a peer");
  }
}

const PeerStatus* PeerObjects::peer_at(std::string_view path) {
  const std::string_view prefix = dbus::kPeerPathPrefix;
  if (path.size() <= prefix.size()) return nullptr;
  const auto name = dbus::unescape_label(path.substr(prefix.size() + 1));
  const auto known = name ? known_.find(*name) : known_.end();
  if (known == known_.end()) return nullptr;
  return &status_.now().peers.at(known->second.index);
}

int PeerObjects::find(sd_bus*, const char* path, const char*, void* objects, void** found,
                      sd_bus_error*) noexcept {
  try {
    const PeerStatus* const peer = static_cast<PeerObjects*>(objects)->peer_at(path);
    *found = const_cast<PeerStatus*>(peer);
    return peer != nullptr ? 1 : 0;
  } catch (...) {
    log_current("find a peer");
    return -ENOMEM;
  }
}

// The list becomes libsystemd's, which frees it.
int PeerObjects::list(sd_bus*, const char*, void* objects, char*** paths, sd_bus_error*) noexcept {
  try {
    const auto& known = static_cast<PeerObjects*>(objects)->known_;
    auto** const list = static_cast<char**>(std::calloc(known.size() + 1, sizeof(char*)));
    if (list == nullptr) return -ENOMEM;
    std::size_t size = 0;
    for (const auto& [name, _] : known) list[size++] = ::strdup(dbus::peer_path(name).c_str());
    *paths = list;
    return 0;
  } catch (...) {
    log_current("list the peers");
    return -ENOMEM;
  }
}

}  // namespace vpntun::bus
