// The well-known names and paths of the D-Bus contract, and how the name of a tunnel or peer
// becomes part of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vpntun::dbus {

inline constexpr std::string_view kManagerName = "org.vpntun1";
inline constexpr std::string_view kManagerPath = "/org/vpntun1";
inline constexpr std::string_view kTunnelPathPrefix =
    "/org/vpntun1/tunnel";  // + "/" + escaped tunnel name
inline constexpr std::string_view kSessionNamePrefix =
    "org.vpntun1.session.";  // + escaped tunnel name
inline constexpr std::string_view kSessionPath = "/org/vpntun1/session";
inline constexpr std::string_view kPeerPathPrefix =
    "/org/vpntun1/session/peer";  // + "/" + escaped peer name
// org.freedesktop.LogControl1(5), of the manager and of every session.
inline constexpr std::string_view kLogControlPath = "/org/freedesktop/LogControl1";

// The escaping of sd_bus_path_encode(3): ASCII letters and digits stay, everything else and a
// leading digit become "_" and two hexadecimal digits; the empty name is "_". The outcome is one
// element of an object path. stays: what else is left as it is.
inline std::string escape_label(std::string_view name, std::string_view stays = "") {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (name.empty()) return "_";
  std::string label;
  for (const char letter : name) {
    const bool digit = letter >= '0' && letter <= '9';
    const bool alphabetic = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (alphabetic || (digit && !label.empty()) || stays.find(letter) != stays.npos) {
      label += letter;
      continue;
    }
    const auto byte = static_cast<unsigned char>(letter);
    label += '_';
    label += kDigits[byte >> 4U];
    label += kDigits[byte & 0xFU];
  }
  return label;
}

// The name a label stands for; none if it is not exactly what escape_label gives.
inline std::optional<std::string> unescape_label(std::string_view label,
                                                 std::string_view stays = "") {
  const auto value = [](char digit) -> int {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1;
  };
  std::string name;
  for (std::size_t at = 0; at < label.size() && label != "_"; ++at) {
    if (label[at] != '_') {
      name += label[at];
      continue;
    }
    if (at + 2 >= label.size()) return std::nullopt;
    const int high = value(label[at + 1]);
    const int low = value(label[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    name += static_cast<char>(high * 16 + low);
    at += 2;
  }
  if (escape_label(name, stays) != label) return std::nullopt;
  return name;
}

inline std::string tunnel_path(std::string_view tunnel) {
  return std::string(kTunnelPathPrefix) + "/" + escape_label(tunnel);
}
inline std::string peer_path(std::string_view peer) {
  return std::string(kPeerPathPrefix) + "/" + escape_label(peer);
}

// In a bus name a "-" stays, so that for usual names it is the prefix and the tunnel's name: a unit
// file can write it.
inline std::string session_bus_name(std::string_view tunnel) {
  return std::string(kSessionNamePrefix) + escape_label(tunnel, "-");
}
// The tunnel whose session has that bus name; none: it is no session's.
inline std::optional<std::string> tunnel_of_session(std::string_view bus_name) {
  if (!bus_name.starts_with(kSessionNamePrefix)) return std::nullopt;
  return unescape_label(bus_name.substr(kSessionNamePrefix.size()), "-");
}

// The systemd unit of a tunnel. No escaping: the name of a tunnel is a legal instance as it is.
inline std::string unit_name(std::string_view tunnel) {
  return "vpntund@" + std::string(tunnel) + ".service";
}

}  // namespace vpntun::dbus
