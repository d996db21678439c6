// The well-known names and paths of the D-Bus contract.
#pragma once

#include <string_view>

namespace vpntun::dbus {

inline constexpr std::string_view kManagerName = "org.vpntun1";
inline constexpr std::string_view kManagerPath = "/org/vpntun1";
inline constexpr std::string_view kTunnelPathPrefix =
    "/org/vpntun1/tunnel";  // + "/" + escaped tunnel name
// A session's own bus name is this prefix + the escaped tunnel name (sd_bus_path_encode(3) form).
inline constexpr std::string_view kSessionNamePrefix = "org.vpntun1.session.";
inline constexpr std::string_view kSessionPath = "/org/vpntun1/session";
inline constexpr std::string_view kPeerPathPrefix =
    "/org/vpntun1/session/peer";  // + "/" + escaped peer name

}  // namespace vpntun::dbus
