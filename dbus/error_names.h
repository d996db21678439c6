// How an ErrorKind is called outside: the D-Bus error name, the exit status of a session process
// (read by either launcher) and the exit code of vpnctl. One table, so that they cannot disagree.
#pragma once

#include <array>
#include <string_view>

#include "base/error.h"

namespace vpntun::dbus {

struct ErrorName {
  ErrorKind kind;
  std::string_view name;  // D-Bus
  int session_status;     // exit status of vpntund --session
  int exit_code;          // of vpnctl: 1 failed, 2 usage, 3 not running, 4 no such tunnel, 5 not
                          // authorised, 6 unhealthy, 7 timeout, 8 daemon unreachable, 9 conflict
};

// Session statuses start at 64, clear of the shell's and systemd's own.
inline constexpr std::array kErrorNames{
    ErrorName{ErrorKind::kFailed, "org.vpntun1.Error.Failed", 64, 1},
    ErrorName{ErrorKind::kInvalidArguments, "org.freedesktop.DBus.Error.InvalidArgs", 65, 2},
    ErrorName{ErrorKind::kAccessDenied, "org.freedesktop.DBus.Error.AccessDenied", 66, 5},
    ErrorName{ErrorKind::kNoSuchTunnel, "org.vpntun1.Error.NoSuchTunnel", 67, 4},
    ErrorName{ErrorKind::kInvalidProfile, "org.vpntun1.Error.InvalidProfile", 68, 1},
    ErrorName{ErrorKind::kNotRunning, "org.vpntun1.Error.NotRunning", 69, 3},
    ErrorName{ErrorKind::kInProgress, "org.vpntun1.Error.InProgress", 70, 9},
    ErrorName{ErrorKind::kInterfaceExists, "org.vpntun1.Error.InterfaceExists", 71, 9},
    ErrorName{ErrorKind::kAddressInUse, "org.vpntun1.Error.AddressInUse", 72, 9},
    ErrorName{ErrorKind::kRouteConflict, "org.vpntun1.Error.RouteConflict", 73, 9},
    ErrorName{ErrorKind::kNetworkNamespace, "org.vpntun1.Error.NetworkNamespace", 74, 9},
    ErrorName{ErrorKind::kLauncherFailed, "org.vpntun1.Error.LauncherFailed", 75, 1},
    ErrorName{ErrorKind::kNotSupported, "org.vpntun1.Error.NotSupported", 76, 1},
    ErrorName{ErrorKind::kTimeout, "org.vpntun1.Error.Timeout", 77, 7},
};

constexpr const ErrorName& name_of(ErrorKind kind) noexcept {
  for (const ErrorName& entry : kErrorNames)
    if (entry.kind == kind) return entry;
  return kErrorNames[0];
}

// kLauncherFailed for a status that is not a session's own.
constexpr ErrorKind kind_of_session_status(int status) noexcept {
  for (const ErrorName& entry : kErrorNames)
    if (entry.session_status == status) return entry.kind;
  return ErrorKind::kLauncherFailed;
}

// kFailed for a name that is not ours.
constexpr ErrorKind kind_of_name(std::string_view name) noexcept {
  for (const ErrorName& entry : kErrorNames)
    if (entry.name == name) return entry.kind;
  return ErrorKind::kFailed;
}

}  // namespace vpntun::dbus
