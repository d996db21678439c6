// Starts and stops session processes. Two implementations: ProcessLauncher (fork/exec and the
// NOTIFY_SOCKET protocol; containers, tests, the lab) and SystemdLauncher (bus/; StartUnit of
// vpntund@NAME.service). Thread: control. All calls return at once; the outcome comes through the
// callback, exactly once, never from inside the call.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/tunnel_state.h"

namespace vpntun::manager {

// Nothing: done. Else why not, in the session's own words where it had any.
struct LaunchFailure {
  ErrorKind kind = ErrorKind::kLauncherFailed;
  std::string text;
  bool again = false;  // it is started again after a while, without anybody asking
};
using LaunchOutcome = std::optional<LaunchFailure>;

class Launcher {
 public:
  using Done = std::function<void(LaunchOutcome)>;
  // A session ended without having been told to by us. Nothing: it ended cleanly (somebody else
  // stopped it).
  using Died = std::function<void(const std::string& tunnel, LaunchOutcome why)>;

  // Somebody else has it started (kStarting) or stopped (kStopping); the bus and Died tell the
  // rest.
  using Changing = std::function<void(const std::string& tunnel, Lifecycle state)>;

  virtual ~Launcher() = default;

  // "process" or "systemd": the Manager's property Launcher.
  virtual std::string_view name() const noexcept = 0;
  // The systemd unit of a tunnel, or "" where there is none.
  virtual std::string unit_of(const std::string& tunnel) const = 0;
  virtual void set_died(Died died) = 0;
  // Only where somebody else can.
  virtual void set_changing(const Changing&) {}

  // Done when the session said READY=1, or failed.
  virtual void start(const std::string& tunnel, Done done) = 0;
  // Done when the session process is gone, and what is remembered of a failure too. Also while it
  // is starting: the start then ends with kFailed "stopped while starting".
  virtual void stop(const std::string& tunnel, Done done) = 0;
  // Replaces the session process of an active tunnel; what the old one handed over for the new one
  // is kept. Done as of start(), which a start under way ends before with kFailed.
  virtual void restart(const std::string& tunnel, Done done) = 0;
  // A session was found running, maybe one that this launcher did not start (the manager was
  // restarted): watch and stop it like its own. False: that process is gone already.
  virtual bool adopt(const std::string& tunnel, int pid) = 0;
};

}  // namespace vpntun::manager
