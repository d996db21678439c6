// peer add, peer remove, peer list: the peers of a WireGuard profile.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ranges>

#include "base/error.h"
#include "base/log.h"
#include "config/changes.h"
#include "config/finding.h"
#include "config/value_text.h"
#include "config/wg_quick.h"
#include "config/write_profile.h"
#include "crypto/crypto.h"
#include "ctl/commands.h"
#include "ctl/peer_edit.h"
#include "ctl/profile_file.h"
#include "ctl/tunnel_info.h"

namespace vpntun::ctl {
namespace {

template <typename T>
T value_of(config::Parsed<T> parsed, std::string_view option, const std::string& text) {
  if (parsed.value) return std::move(*parsed.value);
  throw Failure(kExitUsage, fmt::format("{} \"{}\": {}", option, escaped(text), parsed.why.detail),
                parsed.why.help);
}

std::vector<IpPrefix> networks_of(const std::vector<std::string>& texts, std::string_view option) {
  std::vector<IpPrefix> networks;
  for (const std::string& text : texts)
    networks.push_back(value_of(config::parse_network(text), option, text).network());
  return networks;
}

// A profile that is to be changed, as text and as what it says.
struct Edited {
  ProfileFile file;
  std::string text;
  config::Loaded loaded;
  const config::Profile& profile() const { return *loaded.profile; }
};

Edited open_profile(const Options& options, const Console& console) {
  const std::vector<std::string> folders = config::default_profile_folders();
  Edited edited{find_profile_file(options.tunnel, folders, true), {}, {}};
  edited.text = read_text(edited.file.path);
  edited.loaded = config::load_file(edited.file.path, edited.file.name, config::Reach::kFiles);
  if (!edited.loaded.profile) {
    console.err << config::to_text(edited.loaded.findings, console.error_style.colour);
    throw Failure(1, fmt::format("{} has errors", escaped(edited.file.path)));
  }
  if (edited.profile().encryption != config::Encryption::kWireguard)
    throw Failure(1, fmt::format("{} is no tunnel of WireGuard", edited.file.name),
                  "Write its peers into the profile: " + escaped(edited.file.path));
  return edited;
}

std::string key_file_of(const ProfileFile& file, const std::string& peer) {
  const std::filesystem::path path = std::filesystem::absolute(file.path).lexically_normal();
  return preshared_key_file(path.parent_path(), file.name, peer);
}

// The longer text must say what the shorter one says, and peer number `index` besides. text: the
// one that is to be written.
void check_edit(const Edited& edited, const std::string& shorter, const std::string& longer,
                const std::string& text, std::size_t index, const Console& console) {
  const auto load = [&](const std::string& each) {
    return config::load_text(each, edited.file.path, edited.file.name, config::Reach::kText);
  };
  const config::Loaded without = load(shorter);
  config::Loaded with = load(longer);
  if (without.profile && with.profile && index < with.profile->peers.size()) {
    with.profile->peers.erase(with.profile->peers.begin() + static_cast<std::ptrdiff_t>(index));
    if (with.profile == without.profile) return;
  }
  console.err << config::to_text(load(text).findings, console.error_style.colour) << std::flush;
  throw Failure(1, fmt::format("{} was not changed", escaped(edited.file.path)),
                "It has its peers in a form that only you can edit, or the new one does not fit");
}

// A running tunnel takes the new profile at once; without a daemon nothing runs.
void reload_if_running(const ProfileFile& file, const Options& options, const Console& console) {
  const auto say = [&](const std::string& text) {
    if (!console.quiet) console.err << text << std::flush;
  };
  try {
    Client client(std::chrono::seconds(options.timeout_seconds));
    const auto tunnels = tunnels_of(only(parse_document(client.describe()), {file.name}));
    const bool runs = std::ranges::any_of(tunnels, [&](const TunnelInfo& tunnel) {
      return tunnel.running() && tunnel.profile_path == file.path;
    });
    if (!runs) return;
    const Client::Reloaded done = client.reload(file.name);
    say(config::reload_text(file.name, done.applied, done.needs_restart) + '\n');
  } catch (const Failure& failure) {
    if (failure.exit_code() != kExitUnreachable)
      say(fmt::format("{} was written, but not reloaded: {}\n", file.path, failure.what()));
  }
}

config::EndpointSpec endpoint_for_client(const Options& options, const config::Profile& profile) {
  const std::string& text = options.endpoint_for_client;
  if (text.empty())
    throw Failure(kExitUsage, "where does the new peer find this tunnel?",
                  "Say: --endpoint-for-client vpn.example.org");
  config::Parsed<config::EndpointSpec> parsed = config::parse_endpoint(text);
  const std::uint16_t port = profile.interface.listen_port;
  if (!parsed.value && port != 0) {
    const bool v6 = IpAddress::parse(text).value_or(IpAddress()).is_v6();
    const std::string whole =
        fmt::format("{0}{2}{1}:{3}", v6 ? "[" : "", v6 ? "]" : "", text, port);
    if (auto with_port = config::parse_endpoint(whole); with_port.value) parsed = with_port;
  }
  return value_of(std::move(parsed), "--endpoint-for-client", text);
}

std::vector<IpPrefix> addresses_for(const Options& options, const config::Profile& profile) {
  if (!options.allowed_ips.empty()) return networks_of(options.allowed_ips, "--allowed-ips");
  if (!options.addresses.empty()) return networks_of(options.addresses, "--address");
  std::vector<IpPrefix> found = free_addresses(profile);
  if (found.empty())
    throw Failure(1, fmt::format("{} has no free address for a peer", profile.name),
                  "Say which it gets: --address 10.8.0.2");
  return found;
}

int add(const Options& options, const Console& console) {
  const Edited edited = open_profile(options, console);
  const config::Profile& profile = edited.profile();
  config::Peer peer;
  peer.name = options.peer;
  if (const std::string why = config::why_no_tunnel_name(peer.name); !why.empty())
    throw Failure(kExitUsage, fmt::format("\"{}\" is no name: {}", escaped(peer.name), why));
  if (std::ranges::find(profile.peers, peer.name, &config::Peer::name) != profile.peers.end())
    throw Failure(kExitConflict, fmt::format("{} has a peer {} already", profile.name, peer.name));
  peer.allowed_ips = addresses_for(options, profile);

  const bool known = !options.public_key.empty();
  OtherEnd end;
  if (known) {
    peer.public_key =
        value_of(config::parse_public_key(options.public_key), "--public-key", options.public_key);
  } else {
    if (profile.interface.private_key.is_zero())
      throw Failure(1, fmt::format("cannot read the private key of {}", profile.name),
                    "With --public-key the new peer makes its own configuration");
    end = {crypto::SecretKey::generate_private(), endpoint_for_client(options, profile),
           options.all_traffic};
    for (const std::string& server : options.dns)
      end.dns_servers.push_back(value_of(config::parse_dns_server(server), "--dns", server));
    peer.public_key = crypto::public_key_of(end.private_key);
    peer.preshared_key = crypto::SecretKey::generate_preshared();
  }

  // A new key stands where the profile's other keys do.
  config::KeyFiles files;
  if (peer.preshared_key && !edited.loaded.holds_key)
    files[peer.name] = key_file_of(edited.file, peer.name);
  std::string text = edited.text;
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += config::peer_to_toml(peer, profile.encryption, files);
  check_edit(edited, edited.text, text, text, profile.peers.size(), console);
  for (const auto& [name, path] : files) {
    std::string key = peer.preshared_key->expose_text() + '\n';
    write_secret(path, key);
    crypto::wipe(key);
  }
  replace_text(edited.file.path, text);
  crypto::wipe(text);
  reload_if_running(edited.file, options, console);
  if (known) {
    std::vector<std::string> prefixes;
    for (const IpPrefix& prefix : peer.allowed_ips) prefixes.push_back(prefix.to_string());
    console.say(
        fmt::format("{}: peer {} has {}.\n", profile.name, peer.name, fmt::join(prefixes, ", ")));
    return 0;
  }
  if (options.all_traffic && !profile.routing.forwarding && !console.quiet)
    console.err << "Note: " << profile.name
                << " forwards nothing yet: forwarding = true and masquerade = true under [routing] "
                   "let its peers reach the Internet\n";
  config::WgQuickText written = config::to_wg_quick(other_end(profile, peer, end));
  print_conf(written, options, console);
  crypto::wipe(written.text);
  return 0;
}

int remove(const Options& options, const Console& console) {
  const Edited edited = open_profile(options, console);
  const auto& peers = edited.profile().peers;
  const auto at = std::ranges::find(peers, options.peer, &config::Peer::name);
  if (at == peers.end())
    throw Failure(1, fmt::format("{} has no peer \"{}\"", edited.file.name, escaped(options.peer)),
                  fmt::format("See: vpnctl peer list {}", edited.file.name));
  const auto text = without_peer(edited.text, static_cast<std::size_t>(at - peers.begin()));
  if (!text)
    throw Failure(1, fmt::format("{} was not changed", escaped(edited.file.path)),
                  "It has its peers in a form that only you can edit");
  check_edit(edited, *text, edited.text, *text, static_cast<std::size_t>(at - peers.begin()),
             console);
  replace_text(edited.file.path, *text);
  reload_if_running(edited.file, options, console);
  // Its preshared key, where we put it.
  const std::string key_file = key_file_of(edited.file, options.peer);
  const std::string quoted = fmt::format("\"{}\"", key_file);
  if (edited.text.find(quoted) != std::string::npos && text->find(quoted) == std::string::npos)
    ::unlink(key_file.c_str());
  console.say(fmt::format("{}: peer {} is gone.\n", edited.file.name, options.peer));
  return 0;
}

int list_peers(const Options& options, const Console& console) {
  const Edited edited = open_profile(options, console);
  Table table({"PEER", "PUBLIC KEY", "ENDPOINT", "ALLOWED IPS"});
  nlohmann::ordered_json peers = nlohmann::ordered_json::array();
  for (const config::Peer& peer : edited.profile().peers) {
    std::vector<std::string> ips, endpoints;
    for (const IpPrefix& prefix : peer.allowed_ips) ips.push_back(prefix.to_string());
    for (const auto& endpoint : peer.endpoints) endpoints.push_back(endpoint.to_string());
    table.add({{peer.name},
               {peer.public_key.to_string()},
               {fmt::format("{}", fmt::join(endpoints, ", "))},
               {fmt::format("{}", fmt::join(ips, ", "))}});
    peers.push_back({{"name", peer.name},
                     {"public-key", peer.public_key.to_string()},
                     {"endpoints", endpoints},
                     {"allowed-ips", ips}});
  }
  if (options.json)
    console.out << nlohmann::ordered_json{{"schema", "vpnctl.peers/1"}, {"peers", peers}}.dump(2)
                << '\n';
  else
    console.out << table.text(console.style);
  return 0;
}

}  // namespace

int peer(const Options& options, const Console& console) {
  if (options.action == "list") return list_peers(options, console);
  if (options.peer.empty())
    throw Failure(kExitUsage, "the peer's name is missing",
                  fmt::format("vpnctl peer {} {} PEER", options.action, options.tunnel));
  return options.action == "add" ? add(options, console) : remove(options, console);
}

}  // namespace vpntun::ctl
