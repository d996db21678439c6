// What only WireGuard has: from the document to the draft. Nothing of it is read for the plain
// transport, where these keys are reported as unknown already.
#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "config/document.h"
#include "config/draft.h"
#include "config/table_reader.h"
#include "config/value_text.h"

namespace vpntun::config {
namespace {

constexpr std::int64_t kMaxNumber = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kMaxKeepalive = 65535;  // seconds, as in wg(8)

void require(const TableReader& table, std::string_view key, std::string help) {
  if (table.has_or_means(key)) return;
  table.report().add(Code::kRequired, table.spot(key), "this key is required",
                     {"", std::move(help)});
}

std::optional<std::uint32_t> read_number(const TableReader& table, std::string_view key,
                                         std::int64_t low) {
  const auto number = table.integer(key);
  if (!number || !in_range(*number, low, kMaxNumber, table.report())) return std::nullopt;
  return static_cast<std::uint32_t>(number->value);
}

// "25s", "25" or "off".
std::optional<std::int64_t> seconds_of(std::string_view text) {
  if (text == "off") return 0;
  if (text.ends_with('s')) text.remove_suffix(1);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

void read_keepalive(const TableReader& table, PeerDraft& peer) {
  constexpr std::string_view kKey = "persistent-keepalive";
  const Value* value = table.find(kKey);
  if (!value) return;
  std::optional<std::int64_t> seconds;
  if (value->type == Value::Type::kInteger)
    seconds = value->integer;
  else if (value->type == Value::Type::kString)
    seconds = seconds_of(value->text);
  else
    return table.wrong_type(kKey, *value);
  if (!seconds) return table.not_one_of(kKey, value->text, {"off"});
  const Spot spot = table.spot(kKey);
  if (in_range({*seconds, spot}, 0, kMaxKeepalive, table.report()))
    peer.keepalive = {static_cast<std::uint16_t>(*seconds), spot};
}

void read_kill_switch(const TableReader& routing, Draft& draft) {
  const Value* value = routing.find("kill-switch");
  if (!value) return;
  const Spot spot = routing.spot("kill-switch");
  if (value->type != Value::Type::kTable)
    return routing.report().add(
        Code::kWrongType, spot, fmt::format("expected a table, got {}", type_name(value->type)),
        {"", "write [routing.kill-switch] on a line of its own, and mode = \"while-up\" below"});
  const TableReader table(*value, "routing.kill-switch", "routing.kill-switch", routing.report());
  draft.kill_switch = table.spot("mode");
  if (const auto mode = table.word("mode", {"off", "while-up", "always"}))
    draft.profile.routing.kill_switch = static_cast<KillSwitch>(*mode);
  if (const auto lan = table.boolean("allow-lan"))
    draft.profile.routing.kill_switch_allows_lan = lan->value;
}

}  // namespace

void read_wireguard_interface(const TableReader& interface, Draft& draft) {
  if (!draft.is_wireguard()) return;
  Interface& settings = draft.profile.interface;
  require(interface, "private-key",
          "make one with `vpnctl genkey`, and name its file: private-key = "
          "\"/etc/vpntund/office.key\"");
  settings.private_key =
      read_secret_key(interface, "private-key", draft).value_or(settings.private_key);
  settings.fwmark = read_number(interface, "fwmark", 0).value_or(settings.fwmark);
  if (const auto socket = interface.boolean("control-socket"))
    settings.control_socket = socket->value;
}

void read_wireguard_routing(const TableReader& routing, Draft& draft) {
  if (!draft.is_wireguard()) return;
  Routing& settings = draft.profile.routing;
  if (routing.is("table", Value::Type::kString))
    routing.word("table", {"auto"});
  else if (const Value* table = routing.find("table");
           table && table->type != Value::Type::kInteger)
    routing.wrong_type("table", *table);
  else
    settings.table = read_number(routing, "table", 1).value_or(0);
  settings.unrouted_family = UnroutedFamily::kBlock;
  if (routing.word("unrouted-family", {"block", "allow"}) == 1)
    settings.unrouted_family = UnroutedFamily::kAllow;
  read_kill_switch(routing, draft);
}

void read_wireguard_peer(const TableReader& table, Draft& draft, PeerDraft& peer) {
  if (!draft.is_wireguard()) return;
  require(table, "public-key", "ask the peer for it: `vpnctl pubkey` makes it of the private key");
  if (const auto text = table.string("public-key")) {
    Parsed<crypto::PublicKey> key = parse_public_key(text->value);
    if (key.value)
      peer.public_key = {*key.value, text->spot};
    else
      table.report().add(Code::kPublicKey, text->spot, "expected a public key", std::move(key.why));
  }
  peer.preshared_key = read_secret_key(table, "preshared-key", draft);
  read_keepalive(table, peer);
}

}  // namespace vpntun::config
