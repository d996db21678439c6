// The profiles of the lab as text, written where the lab's manager reads them. Callers: keeper,
// stage. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/profile.h"
#include "crypto/key.h"

namespace vpntun::lab {

// With keys the tunnel is encrypted: an end's own, and that of the other.
struct Keys {
  crypto::SecretKey own;
  crypto::PublicKey other;
};

// What a task varies about one end. Unset: as in the base state.
struct ClientProfile {
  config::Kind kind = config::Kind::kTun;
  std::string interface = "tun%d";
  std::vector<std::string> addresses = {"192.168.53.99/24"};
  bool up = true;
  bool peer = true;
  std::vector<std::string> allowed_ips = {"192.168.53.0/24", "192.168.60.0/24"};
  std::optional<std::vector<std::string>> routes;  // none: automatic
  std::optional<Keys> keys;                        // none: not encrypted
};

struct ServerProfile {
  config::Kind kind = config::Kind::kTun;
  std::vector<std::string> addresses = {"192.168.53.98/24"};
  bool forwarding = true;
  std::vector<std::string> allowed_ips = {"192.168.53.99/32"};
  std::optional<std::vector<std::string>> routes;
  std::optional<Keys> keys;
};

std::string to_toml(const ClientProfile& profile);
std::string to_toml(const ServerProfile& profile);

inline constexpr const char* kClientTunnel = "lab";
inline constexpr const char* kServerTunnelName = "lab-server";

// lab.toml and lab-server.toml, and no other profile. Throws Error.
void write_base_profiles(const std::string& folder);
// One profile, replaced as a whole at once; nobody else may read it. Throws Error.
void write_profile(const std::string& folder, const std::string& name, const std::string& text);

}  // namespace vpntun::lab
