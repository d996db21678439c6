// The bus as vpnctl needs it: one connection, blocking calls, and failures as what the user should
// read. Called by the verbs; the only file that knows sdbus-c++ is client.cc. Thread: main.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace vpntun::ctl {

// Exit codes of vpnctl that are no ErrorKind; dbus/error_names.h has the others.
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotRunning = 3;
inline constexpr int kExitNoSuchTunnel = 4;
inline constexpr int kExitUnhealthy = 6;
inline constexpr int kExitTimeout = 7;
inline constexpr int kExitUnreachable = 8;
inline constexpr int kExitConflict = 9;

// Something the user asked for did not happen: what (one sentence), what to do next, and the exit
// code.
class Failure : public std::runtime_error {
 public:
  Failure(int exit_code, const std::string& what, std::string advice = {},
          ErrorKind kind = ErrorKind::kFailed)
      : std::runtime_error(what), exit_code_(exit_code), advice_(std::move(advice)), kind_(kind) {}

  int exit_code() const noexcept { return exit_code_; }
  const std::string& advice() const noexcept { return advice_; }
  ErrorKind kind() const noexcept { return kind_; }

 private:
  int exit_code_;
  std::string advice_;
  ErrorKind kind_;
};

// The Failure for a D-Bus error of a call made by `verb` for `tunnel`; without a tunnel `verb` says
// all ("ask for the status"). The message is escaped. Pure.
Failure failure_of(std::string_view error_name, std::string_view message, std::string_view verb,
                   std::string_view tunnel);

// The Failure for a name that none of the tunnels has, with the one that was probably meant. Pure.
Failure no_such_tunnel(std::string_view verb, const std::string& tunnel,
                       const std::vector<std::string>& tunnels);

// All methods throw Failure.
class Client {
 public:
  // Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS chooses another). timeout: of each call.
  explicit Client(std::chrono::seconds timeout);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Reply when the tunnel is up, or gone.
  void start(const std::string& tunnel);
  void stop(const std::string& tunnel);
  void restart(const std::string& tunnel);

  // What a reload did, as keys of the profile.
  struct Reloaded {
    std::vector<std::string> applied;
    std::vector<std::string> needs_restart;
  };
  Reloaded reload(const std::string& tunnel);

  // The JSON document of every tunnel.
  std::string describe();
  // Names of all tunnels that are well-formed.
  std::vector<std::string> names();
  std::string daemon_version();
  // "tun" or "tap", as the profile says; works for a stopped tunnel.
  std::string kind(const std::string& tunnel);

  // From now on the descriptor becomes readable when the daemon tells of a change.
  void watch();
  int descriptor() const;
  // Takes in what was told.
  void take_changes();

  // The pcapng stream. snaplen: bytes kept of each packet, 0 all. secrets: with the keys.
  UniqueFd capture(const std::string& tunnel, std::uint32_t snaplen, bool secrets);
  // Writes the content of a sealed memfd into the tunnel's interface as one packet.
  void inject(const std::string& tunnel, const UniqueFd& packet);

 private:
  struct Bus;
  std::unique_ptr<Bus> bus_;
};

}  // namespace vpntun::ctl
