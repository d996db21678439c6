// The text of wg-quick(8) as a profile.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>

#include "base/log.h"
#include "config/report.h"
#include "config/value_text.h"
#include "config/wg_quick.h"
#include "crypto/crypto.h"

namespace vpntun::config {
namespace {

constexpr std::string_view kWhite = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhite);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhite) + 1 - begin);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// Decimal, or hexadecimal behind 0x.
std::optional<std::uint32_t> number_of(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (hexadecimal) text.remove_prefix(2);
  std::uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// One "KEY = VALUE" of the text, and the values of a list in it.
struct Line {
  std::uint32_t number = 0;
  std::string key;  // in lower case
  std::string_view name;
  std::string_view value;

  Spot spot() const { return {{number, 1, 0}, std::string(name)}; }
  std::vector<Located<std::string>> values() const {
    std::vector<Located<std::string>> values;
    for (std::string_view rest = value; !rest.empty();) {
      const std::size_t comma = rest.find(',');
      const std::string_view item = trimmed(rest.substr(0, comma));
      if (!item.empty()) values.push_back({std::string(item), spot()});
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    return values;
  }
};

class Reader {
 public:
  Reader(Profile& profile, Report& report) : profile_(profile), report_(report) {}

  void take_line(std::uint32_t number, std::string_view text);
  void finish();

 private:
  enum class Section { kNone, kInterface, kPeer };

  void take_header(std::uint32_t number, std::string_view header);
  void take_comment(std::string_view comment);
  void take_interface(const Line& line);
  void take_peer(const Line& line);
  void take_table(const Line& line);
  void take_dns(const Line& line);
  void take_addresses(const Line& line);
  void take_allowed_ips(const Line& line);
  void take_hook(const Line& line);
  void refuse(const Line& line, Code code, std::string_view expected, Hint why = {});
  void refuse_key(const Line& line, std::string_view section);
  void drop(const Spot& spot, std::string why, std::string help = "");
  std::optional<std::uint32_t> number(const Line& line, std::uint32_t most, bool off = false);
  Peer& peer() { return profile_.peers.back(); }

  Profile& profile_;
  Report& report_;
  Section section_ = Section::kNone;
  bool has_private_key_ = false;
  std::map<IpPrefix, std::size_t> owners_;  // index of the peer
  std::vector<Spot> peer_spots_;
  std::vector<bool> has_public_key_;
  std::optional<Spot> dns_spot_;
};

void Reader::refuse(const Line& line, Code code, std::string_view expected, Hint why) {
  report_.add(code, line.spot(),
              fmt::format("expected {}, got {}", expected, in_quotes(line.value)), std::move(why));
}

// What stands before "=" may be half a key of another sort.
void Reader::refuse_key(const Line& line, std::string_view section) {
  report_.add(Code::kConfLine, {line.spot().place, ""},
              fmt::format("wg-quick has no such key in {}", section));
}

void Reader::drop(const Spot& spot, std::string why, std::string help) {
  report_.add(Code::kDropped, spot, std::move(why), {"left out", std::move(help)});
}

std::optional<std::uint32_t> Reader::number(const Line& line, std::uint32_t most, bool off) {
  if (off && lower(line.value) == "off") return 0;
  const auto number = number_of(line.value);
  if (number && *number <= most) return number;
  refuse(line, Code::kOutOfRange, fmt::format("0 to {}{}", most, off ? " or off" : ""));
  return std::nullopt;
}

void Reader::take_line(std::uint32_t number, std::string_view text) {
  const std::size_t hash = text.find('#');
  if (hash != std::string_view::npos) take_comment(text.substr(hash + 1));
  text = trimmed(text.substr(0, hash));
  if (text.empty()) return;
  if (text.front() == '[') return take_header(number, text);
  const std::size_t equals = text.find('=');
  const std::string_view name = trimmed(text.substr(0, equals));
  if (equals == std::string_view::npos || name.empty() || section_ == Section::kNone)
    return report_.add(Code::kConfLine, {{number, 1, 0}, ""},
                       section_ == Section::kNone ? "expected [Interface] or [Peer] first"
                                                  : "expected KEY = VALUE");
  const Line line{number, lower(name), name, trimmed(text.substr(equals + 1))};
  section_ == Section::kInterface ? take_interface(line) : take_peer(line);
}

void Reader::take_header(std::uint32_t number, std::string_view header) {
  const std::string word = lower(header);
  section_ = word == "[interface]" ? Section::kInterface
             : word == "[peer]"    ? Section::kPeer
                                   : Section::kNone;
  const Spot spot{{number, 1, 0}, ""};
  if (section_ == Section::kNone)
    report_.add(Code::kConfLine, spot,
                fmt::format("expected [Interface] or [Peer], got {}", in_quotes(header)));
  if (section_ != Section::kPeer) return;
  Peer peer;
  for (std::size_t suffix = profile_.peers.size() + 1; peer.name.empty(); ++suffix)
    if (std::string name = fmt::format("peer{}", suffix);
        std::ranges::find(profile_.peers, name, &Peer::name) == profile_.peers.end())
      peer.name = std::move(name);
  profile_.peers.push_back(std::move(peer));
  peer_spots_.push_back(spot);
  has_public_key_.push_back(false);
}

// "Name = phone" in a peer's section, as to_wg_quick writes it.
void Reader::take_comment(std::string_view comment) {
  const std::size_t equals = comment.find('=');
  if (section_ != Section::kPeer || equals == std::string_view::npos) return;
  const std::string name(trimmed(comment.substr(equals + 1)));
  if (lower(trimmed(comment.substr(0, equals))) != "name" || !is_tunnel_name(name)) return;
  if (std::ranges::find(profile_.peers, name, &Peer::name) == profile_.peers.end())
    peer().name = name;
}

void Reader::take_hook(const Line& line) {
  const bool masquerade = lower(line.value).find("masquerade") != std::string::npos;
  const bool reject = lower(line.value).find("reject") != std::string::npos;
  drop(line.spot(), fmt::format("{} runs a program, which a profile cannot", line.name),
       masquerade ? "forwarding = true and masquerade = true under [routing] do this"
       : reject   ? "mode = \"always\" or \"while-up\" under [routing.kill-switch] does this"
                  : "a unit bound to vpntund@NAME.service can do this");
}

void Reader::take_table(const Line& line) {
  const std::string word = lower(line.value);
  if (word == "auto") return;
  if (word == "off") {
    profile_.routing.mode = RouteMode::kOff;
    return;
  }
  static const std::map<std::string, std::uint32_t> kNames{
      {"local", 255}, {"main", 254}, {"default", 253}};
  const auto name = kNames.find(word);
  const auto table = name != kNames.end() ? name->second : number_of(word).value_or(0);
  if (table == 0) return refuse(line, Code::kOutOfRange, "off, auto or the number of a table");
  profile_.routing.table = table;
}

void Reader::take_dns(const Line& line) {
  for (const auto& text : line.values()) {
    const Parsed<IpAddress> server = parse_dns_server(text.value);
    const Parsed<DnsDomain> domain = parse_dns_domain(text.value);
    Dns& dns = profile_.interface.dns;
    if (server.value) {
      if (std::ranges::find(dns.servers, *server.value) == dns.servers.end())
        dns.servers.push_back(*server.value);
    } else if (domain.value && !IpAddress::parse(text.value)) {
      dns.domains.push_back(*domain.value);
    } else {
      drop(line.spot(),
           fmt::format("{} is no server or domain for the tunnel", in_quotes(text.value)),
           server.why.detail);
    }
  }
  dns_spot_ = line.spot();
}

void Reader::take_addresses(const Line& line) {
  for (auto& text : line.values()) {
    if (const auto bare = IpAddress::parse(text.value))
      text.value += fmt::format("/{}", bare->bits());
    Parsed<IpPrefix> parsed = parse_interface_address(text.value);
    if (parsed.value)
      profile_.interface.addresses.push_back(*parsed.value);
    else
      report_.add(Code::kAddress, text.spot,
                  fmt::format("expected an address, got {}", in_quotes(text.value)),
                  std::move(parsed.why));
  }
}

void Reader::take_interface(const Line& line) {
  Interface& interface = profile_.interface;
  if (line.key == "privatekey") {
    Parsed<crypto::SecretKey> key = parse_secret_key(line.value);
    has_private_key_ = true;
    if (key.value) interface.private_key = *key.value;
    if (!key.value)
      report_.add(Code::kKeySource, line.spot(), "expected a key, which is not shown here",
                  std::move(key.why));
  } else if (line.key == "listenport") {
    if (const auto port = number(line, 65535))
      interface.listen_port = static_cast<std::uint16_t>(*port);
  } else if (line.key == "fwmark") {
    constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
    interface.fwmark = number(line, kMost, true).value_or(0);
  } else if (line.key == "mtu") {
    interface.mtu = number(line, 65535);
  } else if (line.key == "address") {
    take_addresses(line);
  } else if (line.key == "dns") {
    take_dns(line);
  } else if (line.key == "table") {
    take_table(line);
  } else if (line.key == "preup" || line.key == "postup" || line.key == "predown" ||
             line.key == "postdown") {
    take_hook(line);
  } else if (line.key == "saveconfig") {
    if (lower(line.value) == "true")
      drop(line.spot(), "the daemon never writes a profile",
           "change the profile, then: vpnctl reload");
  } else {
    refuse_key(line, "[Interface]");
  }
}

// A prefix belongs to the last peer that has it, as in wg(8).
void Reader::take_allowed_ips(const Line& line) {
  for (const auto& text : line.values()) {
    const Parsed<IpPrefix> parsed = parse_network(text.value);
    if (!parsed.value) {
      report_.add(Code::kPrefix, text.spot,
                  fmt::format("expected a network prefix, got {}", in_quotes(text.value)),
                  parsed.why);
      continue;
    }
    const IpPrefix network = parsed.value->network();
    if (network != *parsed.value)
      report_.add(Code::kRewritten, text.spot,
                  fmt::format("{} means {}", text.value, network.to_string()));
    const std::size_t index = profile_.peers.size() - 1;
    const auto [owner, is_new] = owners_.try_emplace(network, index);
    if (!is_new && owner->second == index) continue;
    if (!is_new) {
      Peer& former = profile_.peers[owner->second];
      std::erase(former.allowed_ips, network);
      report_.add(Code::kRewritten, text.spot,
                  fmt::format("{} belongs to {}, not to {} above", network.to_string(), peer().name,
                              former.name),
                  {"wg(8) gives a prefix to the last peer that has it", ""});
      owner->second = index;
    }
    peer().allowed_ips.push_back(network);
  }
}

void Reader::take_peer(const Line& line) {
  if (line.key == "publickey") {
    Parsed<crypto::PublicKey> key = parse_public_key(line.value);
    has_public_key_.back() = true;
    if (key.value) peer().public_key = *key.value;
    if (!key.value) refuse(line, Code::kPublicKey, "a public key", std::move(key.why));
  } else if (line.key == "presharedkey") {
    auto key = crypto::SecretKey::parse(line.value);
    if (!key)
      report_.add(Code::kKeySource, line.spot(), "expected a key, which is not shown here");
    else if (!key->is_zero())  // all zeros: none
      peer().preshared_key = std::move(key);
  } else if (line.key == "allowedips") {
    take_allowed_ips(line);
  } else if (line.key == "endpoint") {
    Parsed<EndpointSpec> endpoint = parse_endpoint(line.value);
    if (endpoint.value)
      peer().endpoints = {*endpoint.value};
    else
      refuse(line, Code::kEndpoint, "an endpoint", std::move(endpoint.why));
  } else if (line.key == "persistentkeepalive") {
    peer().persistent_keepalive = static_cast<std::uint16_t>(number(line, 65535, true).value_or(0));
  } else {
    refuse_key(line, "[Peer]");
  }
}

void Reader::finish() {
  Dns& dns = profile_.interface.dns;
  if (!dns.servers.empty()) {
    dns.domains.push_back({".", true});  // wg-quick's are the only servers
  } else if (!dns.domains.empty()) {
    drop(*dns_spot_, "there is no server to ask about these domains");
    dns.domains.clear();
  }
  if (!has_private_key_) report_.add(Code::kRequired, {}, "PrivateKey in [Interface] is missing");
  for (std::size_t i = 0; i < peer_spots_.size(); ++i)
    if (!has_public_key_[i])
      report_.add(Code::kRequired, peer_spots_[i], "PublicKey of this peer is missing");
}

}  // namespace

Loaded parse_wg_quick(std::string_view text, const std::string& path,
                      const std::string& tunnel_name) {
  const SourceText source(text);
  Report report(source, path);
  Profile profile;
  profile.name = tunnel_name;
  profile.encryption = Encryption::kWireguard;
  profile.routing.unrouted_family = UnroutedFamily::kBlock;
  if (why_no_interface_name(tunnel_name, false).empty()) profile.interface.name = tunnel_name;
  if (find_invalid_utf8(text) || text.find('\0') != std::string_view::npos) {
    report.add(Code::kNotUtf8, {}, "this is no text");
    return {std::nullopt, report.take()};
  }
  Reader reader(profile, report);
  std::uint32_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    reader.take_line(++number, rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  reader.finish();
  const bool errors = report.has_errors();
  return {errors ? std::nullopt : std::optional(std::move(profile)), report.take()};
}

}  // namespace vpntun::config
