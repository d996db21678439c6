#include "config/write_profile.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

namespace vpntun::config {
namespace {

// A basic string of TOML.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// The lines of one table; the header is written with the first key.
class Table {
 public:
  explicit Table(std::string header) : header_(std::move(header)) {}

  void add(std::string_view key, std::string_view value) {
    lines_ += fmt::format("{} = {}\n", key, value);
  }
  void add_text(std::string_view key, std::string_view value) { add(key, quoted(value)); }
  void add_flag(std::string_view key, bool value, bool fallback) {
    if (value != fallback) add(key, value ? "true" : "false");
  }
  template <typename T>
  void add_list(std::string_view key, const std::vector<T>& values) {
    if (values.empty()) return;
    std::string list;
    for (const T& value : values) list += (list.empty() ? "" : ", ") + quoted(text_of(value));
    add(key, values.size() == 1 ? list : fmt::format("[{}]", list));
  }
  // Empty without keys, unless it is wanted nevertheless.
  std::string text(bool always = false) const {
    return lines_.empty() && !always ? "" : fmt::format("\n{}\n{}", header_, lines_);
  }

 private:
  static std::string text_of(const std::string& text) { return text; }
  template <typename T>
  static std::string text_of(const T& value) {
    return value.to_string();
  }

  std::string header_;
  std::string lines_;
};

void add_key(Table& table, std::string_view key, const crypto::SecretKey& secret,
             const KeyFiles& files, const std::string& file) {
  const auto path = files.find(file);
  table.add_text(key, path == files.end() ? secret.expose_text() : path->second);
}

std::string tunnel_text(const Profile& profile) {
  Table table("[tunnel]");
  if (profile.kind == Kind::kTap) table.add_text("kind", "tap");
  table.add_text("encryption", word_of(profile.encryption));
  table.add_flag("allow-public-plaintext", profile.allow_public_plaintext, false);
  if (profile.ready_when == ReadyWhen::kHandshake) table.add_text("ready-when", "handshake");
  return table.text();
}

std::string interface_text(const Profile& profile, const KeyFiles& files) {
  const Interface& interface = profile.interface;
  Table table("[interface]");
  if (interface.name != (profile.kind == Kind::kTap ? "tap%d" : "tun%d"))
    table.add_text("name", interface.name);
  if (profile.encryption == Encryption::kWireguard)
    add_key(table, "private-key", interface.private_key, files, "");
  table.add_list("address", interface.addresses);
  if (interface.mtu) table.add("mtu", std::to_string(*interface.mtu));
  if (interface.listen_port != 0) table.add("listen-port", std::to_string(interface.listen_port));
  if (interface.mac) table.add_text("mac", interface.mac->to_string());
  table.add_flag("up", interface.up, true);
  if (interface.workers != 1) table.add("workers", std::to_string(interface.workers));
  if (interface.fwmark != 0) table.add("fwmark", fmt::format("{:#x}", interface.fwmark));
  table.add_flag("control-socket", interface.control_socket, false);
  Table dns("[interface.dns]");
  dns.add_list("servers", interface.dns.servers);
  dns.add_list("domains", interface.dns.domains);
  return table.text() + dns.text();
}

std::string routing_text(const Profile& profile) {
  const Routing& routing = profile.routing;
  Table table("[routing]");
  if (routing.mode == RouteMode::kOff) table.add_text("routes", "off");
  if (routing.mode == RouteMode::kListed) {
    std::string list;
    for (const IpPrefix& route : routing.routes)
      list += (list.empty() ? "" : ", ") + quoted(route.to_string());
    table.add("routes", fmt::format("[{}]", list));
  }
  if (!routing.forwarding_interfaces.empty()) {
    std::string list;
    for (const std::string& name : routing.forwarding_interfaces)
      list += (list.empty() ? "" : ", ") + quoted(name);
    table.add("forwarding", fmt::format("[{}]", list));
  } else {
    table.add_flag("forwarding", routing.forwarding, false);
  }
  table.add_flag("masquerade", routing.masquerade, false);
  if (profile.encryption != Encryption::kWireguard) return table.text();
  if (routing.table != 0) table.add("table", std::to_string(routing.table));
  if (routing.unrouted_family == UnroutedFamily::kAllow) table.add_text("unrouted-family", "allow");
  Table kill_switch("[routing.kill-switch]");
  if (routing.kill_switch != KillSwitch::kOff)
    kill_switch.add_text("mode", word_of(routing.kill_switch));
  kill_switch.add_flag("allow-lan", routing.kill_switch_allows_lan, false);
  return table.text() + kill_switch.text();
}

std::string netns_text(const Netns& netns) {
  Table table("[netns]");
  if (netns.mode == Netns::Mode::kNone) return "";
  table.add_text("mode", netns.mode == Netns::Mode::kCreate ? "create" : "join");
  table.add_text("name", netns.name);
  if (netns.socket == Netns::Socket::kInside) table.add_text("socket", "inside");
  return table.text();
}

}  // namespace

std::string peer_to_toml(const Peer& peer, Encryption encryption, const KeyFiles& files) {
  Table table("[[peer]]");
  table.add_text("name", peer.name);
  if (encryption == Encryption::kWireguard) {
    table.add_text("public-key", peer.public_key.to_string());
    if (peer.preshared_key) add_key(table, "preshared-key", *peer.preshared_key, files, peer.name);
  }
  table.add_list("endpoint", peer.endpoints);
  table.add_list("allowed-ips", peer.allowed_ips);
  if (peer.persistent_keepalive != 0)
    table.add("persistent-keepalive", std::to_string(peer.persistent_keepalive));
  return table.text(true);
}

std::string to_toml(const Profile& profile, const KeyFiles& files) {
  std::string text = "version = 1\n";
  if (!profile.description.empty())
    text += fmt::format("description = {}\n", quoted(profile.description));
  text += tunnel_text(profile) + interface_text(profile, files) + routing_text(profile) +
          netns_text(profile.netns);
  if (profile.active_session) text += "\n[access]\nactive-session = true\n";
  for (const Peer& peer : profile.peers) text += peer_to_toml(peer, profile.encryption, files);
  return text;
}

}  // namespace vpntun::config
