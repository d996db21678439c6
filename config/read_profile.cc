// From a document to a draft: one function per table.
#include <fmt/format.h>

#include "base/log.h"
#include "config/document.h"
#include "config/draft.h"
#include "config/source_text.h"
#include "config/table_reader.h"
#include "config/value_text.h"

namespace vpntun::config {
namespace {

constexpr std::size_t kMaxDescription = 200;  // characters
constexpr std::int64_t kMinMtu = 68;          // RFC 791
constexpr std::int64_t kMaxMtu = 65535;
constexpr std::int64_t kMaxTapMtu = 65521;  // the kernel counts the Ethernet header in
constexpr std::int64_t kMaxWorkers = 16;    // two descriptors of FileDescriptorStoreMax= each

// The table of that name. One of the wrong kind is reported; an array of one table is read
// nevertheless.
const Value& section_of(const Value& document, std::string_view name, Report& report) {
  static const Value kNone;
  const Entry* entry = document.find(name);
  if (!entry) return kNone;
  const Value& value = entry->value;
  if (value.type == Value::Type::kTable) return value;
  report.add(Code::kWrongType, {value.place, std::string(name)},
             fmt::format("expected a table, got {}", type_name(value.type)),
             {"", fmt::format("write [{}] on a line of its own, once", name)});
  const bool tables = value.type == Value::Type::kArray && !value.items.empty() &&
                      value.items[0].type == Value::Type::kTable;
  return tables ? value.items[0] : kNone;
}

// Networks: those with host bits are reported, and kept as the network meant.
std::vector<Located<IpPrefix>> networks_of(const std::vector<Located<std::string>>& texts,
                                           Report& report) {
  auto networks = values_of(texts, parse_network, Code::kPrefix, "a network prefix", report);
  for (auto& network : networks) {
    if (!network.value.has_host_bits()) continue;
    const IpPrefix meant = network.value.network();
    report.add(
        Code::kHostBits, network.spot,
        fmt::format("\"{}\" is an address, not a network", network.value.to_string()),
        {fmt::format("bits are set behind the first {}", network.value.length),
         fmt::format("for the network write \"{}\", for the one host \"{}/{}\"", meant.to_string(),
                     network.value.address.to_string(), network.value.address.bits())});
    network.value = meant;
  }
  return networks;
}

void read_top(const TableReader& top, Draft& draft) {
  if (const auto version = top.integer("version"); version && version->value != 1)
    top.report().add(Code::kVersion, version->spot,
                     fmt::format("expected 1, got {}", version->value),
                     {"this program reads version 1 only", ""});
  const auto description = top.string("description");
  if (!description) return;
  const std::string& text = description->value;
  const std::size_t characters = count_characters(text);
  if (characters > kMaxDescription)
    top.report().add(
        Code::kText, description->spot,
        fmt::format("expected at most {} characters, got {}", kMaxDescription, characters));
  else if (escaped(text, text.size() * 4 + 1) != text)
    top.report().add(Code::kText, description->spot,
                     "expected one line without control characters");
  draft.profile.description = text;
}

void read_encryption(const TableReader& table, Draft& draft) {
  const Value* value = table.find("encryption");
  if (!value) {
    if (table.has_or_means("encryption")) return;
    table.report().add(Code::kRequired, table.spot("encryption"), "this key is required",
                       {"",
                        "write encryption = \"wireguard\" under [tunnel]; \"none\" is for a tunnel "
                        "that protects nothing, which none is by default"});
    return;
  }
  const auto word = table.word("encryption", {"none", "wireguard"});
  draft.encryption_unclear = !word;
  if (word == 1) draft.profile.encryption = Encryption::kWireguard;
}

void read_tunnel(const TableReader& table, Draft& draft) {
  if (table.find("kind")) {
    const auto kind = table.word("kind", {"tun", "tap"});
    draft.kind_unclear = !kind;
    if (kind) draft.profile.kind = *kind == 0 ? Kind::kTun : Kind::kTap;
  }
  read_encryption(table, draft);
  if (const auto allow = table.boolean("allow-public-plaintext"))
    draft.profile.allow_public_plaintext = allow->value;
  if (table.word("ready-when", {"configured", "handshake"}) == 1) {
    draft.profile.ready_when = ReadyWhen::kHandshake;
    draft.waits_for_peer = table.spot("ready-when");
  }
}

void read_mtu(const TableReader& table, Draft& draft) {
  const Value* value = table.find("mtu");
  if (!value) return;
  if (value->type == Value::Type::kString) {
    if (value->text != "auto") table.not_one_of("mtu", value->text, {"auto"});
    return;
  }
  if (value->type != Value::Type::kInteger) return table.wrong_type("mtu", *value);
  const Located<std::int64_t> mtu{value->integer, table.spot("mtu")};
  if (!in_range(mtu, kMinMtu, draft.is_tap() ? kMaxTapMtu : kMaxMtu, table.report())) return;
  draft.mtu = {static_cast<std::uint32_t>(mtu.value), mtu.spot};
}

void read_listen_port(const TableReader& table, Draft& draft) {
  draft.listen_port = table.spot("listen-port");
  draft.listen_port_unclear = table.has_or_means("listen-port");
  if (!table.find("listen-port")) return;
  const auto port = table.integer("listen-port");
  draft.listen_port_unclear = !port || !in_range(*port, 0, 65535, table.report());
  if (!draft.listen_port_unclear)
    draft.profile.interface.listen_port = static_cast<std::uint16_t>(port->value);
}

void read_interface(const TableReader& table, Draft& draft) {
  Interface& interface = draft.profile.interface;
  Report& report = table.report();
  if (draft.is_tap()) interface.name = "tap%d";
  if (const auto name = table.string("name")) {
    if (std::string why = why_no_interface_name(name->value, true); !why.empty())
      report.add(Code::kInterfaceName, name->spot,
                 fmt::format("expected an interface name, got {}", in_quotes(name->value)),
                 {std::move(why), ""});
    interface.name = name->value;
  }
  draft.addresses = values_of(table.strings("address"), parse_interface_address, Code::kAddress,
                              "an address with prefix length", report);
  read_mtu(table, draft);
  read_listen_port(table, draft);
  if (const auto mac = table.string("mac")) {
    draft.mac_spot = mac->spot;
    Parsed<MacAddress> parsed = parse_mac(mac->value);
    if (!parsed.value)
      report.add(Code::kMac, mac->spot,
                 fmt::format("expected an Ethernet address, got {}", in_quotes(mac->value)),
                 std::move(parsed.why));
    interface.mac = parsed.value;
  }
  if (const auto up = table.boolean("up")) interface.up = up->value;
  if (const auto workers = table.integer("workers");
      workers && in_range(*workers, 1, kMaxWorkers, report))
    interface.workers = static_cast<std::uint32_t>(workers->value);
  read_dns(table, draft);
  read_wireguard_interface(table, draft);
}

void read_forwarding(const TableReader& table, Draft& draft) {
  Routing& routing = draft.profile.routing;
  const Value* value = table.find("forwarding");
  if (!value) return;
  if (value->type == Value::Type::kBoolean) {
    routing.forwarding = value->boolean;
  } else if (value->type == Value::Type::kArray) {
    routing.forwarding = true;
    draft.forwarding_interfaces = table.strings("forwarding");
    for (const auto& name : draft.forwarding_interfaces)
      if (std::string why = why_no_interface_name(name.value, false); !why.empty())
        table.report().add(Code::kInterfaceName, name.spot,
                           fmt::format("expected an interface name, got {}", in_quotes(name.value)),
                           {std::move(why), ""});
  } else {
    draft.forwarding_unclear = true;
    table.wrong_type("forwarding", *value);
  }
}

void read_routing(const TableReader& table, Draft& draft) {
  Routing& routing = draft.profile.routing;
  if (table.is("routes", Value::Type::kArray)) {
    routing.mode = RouteMode::kListed;
    draft.routes = networks_of(table.strings("routes"), table.report());
  } else if (table.is("routes", Value::Type::kString)) {
    const auto word = table.word("routes", {"auto", "off"});
    if (word == 1) routing.mode = RouteMode::kOff;
  } else if (const Value* value = table.find("routes")) {
    table.wrong_type("routes", *value);
  }
  read_forwarding(table, draft);
  draft.masquerade = table.spot("masquerade");
  if (const auto masquerade = table.boolean("masquerade")) routing.masquerade = masquerade->value;
  read_wireguard_routing(table, draft);
}

void read_netns(const TableReader& table, Draft& draft) {
  Netns& netns = draft.profile.netns;
  Report& report = table.report();
  const auto mode = table.word("mode", {"none", "create", "join"});
  if (mode) netns.mode = static_cast<Netns::Mode>(*mode);
  if (const auto name = table.string("name")) {
    if (std::string why = why_no_netns_name(name->value); !why.empty())
      report.add(Code::kNetnsName, name->spot,
                 fmt::format("expected a name for a namespace, got {}", in_quotes(name->value)),
                 {std::move(why), ""});
    netns.name = name->value;
  }
  const auto socket = table.word("socket", {"host", "inside"});
  if (socket) netns.socket = *socket == 0 ? Netns::Socket::kHost : Netns::Socket::kInside;

  if (netns.mode != Netns::Mode::kNone && !table.has_or_means("name"))
    report.add(Code::kRequired, table.spot("name"), "this key is required",
               {"", "for example: name = \"office\", for /run/netns/office"});
  for (const std::string_view key : {"name", "socket"})
    if (netns.mode == Netns::Mode::kNone && table.find(key) && (mode || !table.find("mode")))
      report.add(Code::kNetnsWithoutMode, table.spot(key), "means nothing without a namespace",
                 {"", "add mode = \"create\" or mode = \"join\", or remove this key"});
}

void read_access(const TableReader& table, Draft& draft) {
  if (const auto active = table.boolean("active-session"))
    draft.profile.active_session = active->value;
}

PeerDraft read_peer(const TableReader& table, Draft& draft, std::size_t index) {
  Report& report = table.report();
  PeerDraft peer;
  peer.spot = table.spot();
  peer.name = {fmt::format("peer{}", index + 1), peer.spot};
  if (const auto name = table.string("name")) {
    if (std::string why = why_no_tunnel_name(name->value); !why.empty())
      report.add(Code::kPeerName, name->spot,
                 fmt::format("expected a name, got {}", in_quotes(name->value)),
                 {std::move(why), ""});
    else
      peer.name = *name;
  }
  read_endpoints(table, draft.reach, peer);
  read_wireguard_peer(table, draft, peer);
  peer.allowed_ips_unclear = table.has_or_means("allowed-ips");
  if (const Value* value = table.find("allowed-ips")) {
    peer.allowed_ips_spot = table.spot("allowed-ips");
    peer.allowed_ips = networks_of(table.strings("allowed-ips"), report);
    const std::size_t written = value->type == Value::Type::kArray ? value->items.size() : 1;
    peer.allowed_ips_unclear = peer.allowed_ips.size() < written;
  }
  return peer;
}

void read_peers(const Value& document, Draft& draft, Report& report) {
  const Entry* entry = document.find("peer");
  if (!entry) return;
  const Value& peers = entry->value;
  if (peers.type == Value::Type::kArray) {
    for (std::size_t i = 0; i < peers.items.size(); ++i) {
      const std::string path = fmt::format("peer[{}]", i);
      const Value& item = peers.items[i];
      if (item.type == Value::Type::kTable)
        draft.peers.push_back(
            read_peer(TableReader(item, "peer", path, report, draft.is_plain()), draft, i));
      else
        report.add(Code::kWrongType, {item.place, path},
                   fmt::format("expected a table, got {}", type_name(item.type)),
                   {"", "write [[peer]] on a line of its own, once for each peer"});
    }
    return;
  }
  report.add(Code::kWrongType, {peers.place, "peer"},
             fmt::format("expected a list of tables, got {}", type_name(peers.type)),
             {"", "write [[peer]] with two brackets, once for each peer"});
  if (peers.type == Value::Type::kTable)
    draft.peers.push_back(
        read_peer(TableReader(peers, "peer", "peer", report, draft.is_plain()), draft, 0));
}

}  // namespace

bool in_range(const Located<std::int64_t>& number, std::int64_t low, std::int64_t high,
              Report& report) {
  if (number.value >= low && number.value <= high) return true;
  report.add(Code::kOutOfRange, number.spot,
             fmt::format("expected {} to {}, got {}", low, high, number.value));
  return false;
}

Draft read_profile(const Value& document, Reach reach, Report& report) {
  Draft draft;
  draft.reach = reach;
  const auto table = [&](std::string_view name) {
    return TableReader(section_of(document, name, report), name, std::string(name), report,
                       draft.is_plain());
  };
  read_top(TableReader(document, "", "", report), draft);
  read_tunnel(table("tunnel"), draft);
  read_interface(table("interface"), draft);
  read_routing(table("routing"), draft);
  read_netns(table("netns"), draft);
  read_access(table("access"), draft);
  read_peers(document, draft, report);
  return draft;
}

Profile Draft::finish() && {
  for (const auto& address : addresses) profile.interface.addresses.push_back(address.value);
  if (mtu) profile.interface.mtu = mtu->value;
  for (const auto& server : dns_servers) profile.interface.dns.servers.push_back(server.value);
  for (const auto& domain : dns_domains) profile.interface.dns.domains.push_back(domain.value);
  for (const auto& route : routes) profile.routing.routes.push_back(route.value);
  for (const auto& name : forwarding_interfaces)
    profile.routing.forwarding_interfaces.push_back(name.value);
  for (const PeerDraft& draft : peers) {
    Peer peer;
    peer.name = draft.name.value;
    for (const EndpointDraft& endpoint : draft.endpoints) peer.endpoints.push_back(endpoint.value);
    if (draft.public_key) peer.public_key = draft.public_key->value;
    peer.preshared_key = draft.preshared_key;
    if (draft.keepalive) peer.persistent_keepalive = draft.keepalive->value;
    for (const auto& prefix : draft.allowed_ips) peer.allowed_ips.push_back(prefix.value);
    profile.peers.push_back(std::move(peer));
  }
  return std::move(profile);
}

}  // namespace vpntun::config
