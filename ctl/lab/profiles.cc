#include "ctl/lab/profiles.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ctl/lab/folder.h"
#include "ctl/lab/topology.h"

namespace vpntun::lab {
namespace {

std::string list(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "\"" : ", \"") + text + "\"";
  return "[" + all + "]";
}

std::string head(const std::string& description, config::Kind kind, bool encrypted) {
  return fmt::format(
      "version = 1\ndescription = \"{}\"\n\n"
      "[tunnel]\nkind = \"{}\"\nencryption = \"{}\"\n\n",
      description, word_of(kind), encrypted ? "wireguard" : "none");
}

std::string netns(Host host) {
  return fmt::format("\n[netns]\nmode = \"join\"\nname = \"{}\"\nsocket = \"inside\"\n",
                     name_of(host));
}

std::string address_line(const std::vector<std::string>& addresses) {
  return addresses.empty() ? "" : fmt::format("address = {}\n", list(addresses));
}

// A TAP peer has no allowed-ips: Ethernet addresses tell peers apart.
std::string allowed_line(config::Kind kind, const std::vector<std::string>& allowed) {
  return kind == config::Kind::kTap ? "" : fmt::format("allowed-ips = {}\n", list(allowed));
}

std::string routes_line(const std::optional<std::vector<std::string>>& routes) {
  if (!routes) return "";
  return fmt::format("routes = {}\n", routes->empty() ? "\"off\"" : list(*routes));
}

std::string private_key_line(const std::optional<Keys>& keys) {
  return keys ? fmt::format("private-key = \"{}\"\n", keys->own.expose_text()) : "";
}

std::string public_key_line(const std::optional<Keys>& keys) {
  return keys ? fmt::format("public-key = \"{}\"\n", keys->other.to_string()) : "";
}

}  // namespace

std::string to_toml(const ClientProfile& profile) {
  std::string text = head("The lab, host U", profile.kind, profile.keys.has_value());
  text += fmt::format("[interface]\nname = \"{}\"\n", profile.interface);
  text += address_line(profile.addresses);
  if (!profile.up) text += "up = false\n";
  text += private_key_line(profile.keys);
  if (profile.routes) text += "\n[routing]\n" + routes_line(profile.routes);
  text += netns(Host::kU);
  if (!profile.peer) return text;
  text +=
      fmt::format("\n[[peer]]\nname = \"server\"\nendpoint = \"{}:{}\"\n", kServerOutside, kPort);
  return text + public_key_line(profile.keys) + allowed_line(profile.kind, profile.allowed_ips);
}

std::string to_toml(const ServerProfile& profile) {
  std::string text = head("The lab, the VPN server", profile.kind, profile.keys.has_value());
  text += fmt::format("[interface]\nname = \"{}%d\"\n", word_of(profile.kind));
  text += address_line(profile.addresses);
  text += fmt::format("listen-port = {}\n", kPort);
  text += private_key_line(profile.keys);
  text += "\n[routing]\n";
  text += profile.forwarding ? "forwarding = [\"eth1\"]\n" : "forwarding = false\n";
  text += routes_line(profile.routes) + netns(Host::kServer);
  text += "\n[[peer]]\nname = \"u\"\nendpoint = \"learn\"\n";
  return text + public_key_line(profile.keys) + allowed_line(profile.kind, profile.allowed_ips);
}

void write_profile(const std::string& folder, const std::string& name, const std::string& text) {
  // Renamed into place, so that the manager never sees half of it.
  const std::string fresh = fmt::format("{}/.{}.new", folder, name);
  const std::string path = fmt::format("{}/{}.toml", folder, name);
  // It may have a key, so it is made private first.
  const UniqueFd made(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!made) throw_errno(errno, "write " + fresh);
  write_file(fresh, text);
  std::error_code failure;
  std::filesystem::rename(fresh, path, failure);
  if (failure) throw Error(ErrorKind::kFailed, "write {}: {}", path, failure.message());
}

void write_base_profiles(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().stem().string();
    if (name != kClientTunnel && name != kServerTunnelName)
      std::filesystem::remove(entry.path(), ignored);
  }
  write_profile(folder, kClientTunnel, to_toml(ClientProfile{}));
  write_profile(folder, kServerTunnelName, to_toml(ServerProfile{}));
}

}  // namespace vpntun::lab
