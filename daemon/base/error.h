// The errors of set-up and control. An Error says what was attempted on what, and of which kind the
// failure is; the kind decides the D-Bus error name, the exit status of a session process and the
// exit code of vpnctl (dbus/error_names.h). Packets and protocol never throw: they count drops.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace vpntun {

enum class ErrorKind {
  kFailed,            // anything without a name of its own
  kInvalidArguments,  // a caller's argument or option
  kAccessDenied,      // the caller, or this process, may not
  kNoSuchTunnel,      // no profile of that name
  kInvalidProfile,    // the profile has errors
  kNotRunning,        // the operation needs a running tunnel
  kInProgress,        // another start or stop of this tunnel is under way
  kInterfaceExists,   // the interface name is taken
  kAddressInUse,      // UDP port or interface address taken
  kRouteConflict,     // a route of the profile exists already
  kNetworkNamespace,  // the namespace of the profile is missing, or exists already
  kLauncherFailed,    // the session process could not be run, or died without a word
  kNotSupported,      // this kernel or build cannot
  kTimeout,
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  template <typename... Args>
  Error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args)
      : Error(kind, fmt::format(format, std::forward<Args>(args)...)) {}

  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

// Kind for an errno of a system call: EADDRINUSE -> kAddressInUse, EPERM and EACCES ->
// kAccessDenied, ...
ErrorKind kind_of_errno(int error_number) noexcept;

// Throws Error "<attempted>: <strerror>" for the given errno (positive).
[[noreturn]] void throw_errno(int error_number, std::string_view attempted);

}  // namespace vpntun
