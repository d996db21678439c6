#include "config/profile.h"

#include <fmt/format.h>

#include <algorithm>

namespace vpntun::config {

std::string EndpointSpec::to_string() const {
  const bool bracketed = address && address->is_v6();
  return bracketed ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string_view word_of(Kind kind) noexcept {
  return kind == Kind::kTap ? "tap" : "tun";
}

std::string_view word_of(Encryption encryption) noexcept {
  return encryption == Encryption::kNone ? "none" : "wireguard";
}

std::string_view word_of(KillSwitch kill_switch) noexcept {
  switch (kill_switch) {
    case KillSwitch::kOff:
      return "off";
    case KillSwitch::kWhileUp:
      return "while-up";
    case KillSwitch::kAlways:
      break;
  }
  return "always";
}

bool is_tunnel_name(std::string_view name) noexcept {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && name[0] != '.' && name[0] != '-' &&
         std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace vpntun::config
