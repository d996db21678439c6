// What a D-Bus error means for the person at the terminal: exit code, sentence, next step.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "ctl/client.h"
#include "ctl/tunnel_info.h"
#include "dbus/error_names.h"

namespace vpntun::ctl {
namespace {

constexpr std::size_t kMaxMessage = 2000;  // bytes

constexpr std::string_view kBus = "org.freedesktop.DBus.Error.";
// Nobody answers at the daemon's name.
constexpr std::array<std::string_view, 6> kUnreachable{
    "ServiceUnknown", "NameHasNoOwner", "NoReply", "NoServer", "Disconnected", "FileNotFound"};

bool is_unreachable(std::string_view name) {
  if (!name.starts_with(kBus)) return false;
  name.remove_prefix(kBus.size());
  return name.starts_with("Spawn.") ||
         std::find(kUnreachable.begin(), kUnreachable.end(), name) != kUnreachable.end();
}

bool is_timeout(std::string_view name) {
  return name == "org.freedesktop.DBus.Error.Timeout" ||
         name == "org.freedesktop.DBus.Error.TimedOut";
}

std::string access_advice(std::string_view verb, std::string_view tunnel) {
  return fmt::format(
      "Run: sudo vpnctl {} {}. An administrator can let others do it with a rule of polkit", verb,
      tunnel);
}

// Of a question about no tunnel in particular, which everybody may ask.
std::string advice_for_question(ErrorKind kind) {
  if (kind == ErrorKind::kAccessDenied)
    return "Everybody may ask, unless a policy of the bus or of polkit is against it: is "
           "org.vpntun1.conf installed? As root, with sudo, it may answer";
  if (kind == ErrorKind::kTimeout) return "Ask again, or wait longer with --timeout SECONDS";
  return {};
}

std::string advice_for(ErrorKind kind, std::string_view verb, std::string_view tunnel) {
  if (tunnel.empty()) return advice_for_question(kind);
  switch (kind) {
    case ErrorKind::kAccessDenied:
      return access_advice(verb, tunnel);
    case ErrorKind::kNoSuchTunnel:
      return "All tunnels: vpnctl list";
    case ErrorKind::kInvalidProfile:
      return fmt::format("All its mistakes: vpnctl check {}", tunnel);
    case ErrorKind::kNotRunning:
      return fmt::format("Start it: vpnctl start {}", tunnel);
    case ErrorKind::kInProgress:
      return fmt::format("Another start or stop of it is under way. See: vpnctl status {}", tunnel);
    case ErrorKind::kInterfaceExists:
      return "Give [interface] another name in the profile (\"tun%d\" lets the kernel choose), or "
             "remove the interface that has it: ip link";
    case ErrorKind::kAddressInUse:
      return "See who has it: ss -lunp, ip address. Then stop that one, or change listen-port or "
             "address in the profile";
    case ErrorKind::kRouteConflict:
      return "See: ip route. Then remove that route, or change the routes of the profile";
    case ErrorKind::kNetworkNamespace:
      return "See: ip netns. Then change [netns] in the profile, or make or remove the namespace";
    case ErrorKind::kLauncherFailed:
      return fmt::format("See what it said: journalctl -u vpntund@{}", tunnel);
    case ErrorKind::kTimeout:
      return fmt::format(
          "It may still be at work: vpnctl status {}. Wait longer with --timeout SECONDS", tunnel);
    case ErrorKind::kFailed:
    case ErrorKind::kInvalidArguments:
    case ErrorKind::kNotSupported:
      break;
  }
  return {};
}

}  // namespace

Failure failure_of(std::string_view error_name, std::string_view message, std::string_view verb,
                   std::string_view tunnel) {
  // The daemon's texts name the tunnel; so does ours.
  const std::string named = fmt::format("tunnel {}: ", tunnel);
  if (message.starts_with(named)) message.remove_prefix(named.size());
  const std::string said = escaped(message, kMaxMessage);
  if (is_unreachable(error_name))
    return {kExitUnreachable, fmt::format("vpntund does not answer on the bus: {}", said),
            "Start it: systemctl start vpntund (without systemd: run vpntund). For the lab's: "
            "eval \"$(vpnctl lab env)\". DBUS_SYSTEM_BUS_ADDRESS chooses a bus other than the "
            "system's"};
  const dbus::ErrorName* entry = &dbus::name_of(dbus::kind_of_name(error_name));
  if (is_timeout(error_name)) entry = &dbus::name_of(ErrorKind::kTimeout);
  if (error_name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")
    entry = &dbus::name_of(ErrorKind::kAccessDenied);
  const std::string attempted =
      tunnel.empty() ? std::string(verb) : fmt::format("{} {}", verb, tunnel);
  return {entry->exit_code, fmt::format("cannot {}: {}", attempted, said),
          advice_for(entry->kind, verb, tunnel), entry->kind};
}

Failure no_such_tunnel(std::string_view verb, const std::string& tunnel,
                       const std::vector<std::string>& tunnels) {
  const std::string nearest = nearest_name(tunnel, tunnels);
  return {kExitNoSuchTunnel,
          fmt::format("cannot {} {}: there is no such tunnel", verb, escaped(tunnel)),
          fmt::format("{}All tunnels: vpnctl list",
                      nearest.empty() ? "" : fmt::format("Did you mean \"{}\"? ", nearest)),
          ErrorKind::kNoSuchTunnel};
}

}  // namespace vpntun::ctl
