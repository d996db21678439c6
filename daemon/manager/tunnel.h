// What the manager knows about one tunnel: its profile on disk, its session if one runs, and the
// state that follows. Changed by the Manager only; read by bus/. Thread: control.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/tunnel_state.h"
#include "manager/catalogue.h"

namespace vpntun::manager {

// What a session says about itself on the bus; the part that the manager shows even when the
// session is silent.
struct SessionFacts {
  std::uint32_t pid = 0;
  std::string interface;  // the resolved name
  std::string kind;
  std::string encryption;
  std::string profile_path;
  std::uint64_t profile_time_usec = 0;
  bool ready = true;  // its start is done
  Health health = Health::kUnknown;
  Reason reason;
  bool operator==(const SessionFacts&) const = default;
};

// The stable code of a failed start: "address-in-use", "invalid-profile", ...
std::string reason_code(ErrorKind kind);

class Tunnel {
 public:
  Tunnel(std::string name, std::string unit) : name_(std::move(name)), unit_(std::move(unit)) {}

  const std::string& name() const noexcept { return name_; }
  const std::string& unit() const noexcept { return unit_; }
  Lifecycle state() const noexcept { return state_; }
  // A process exists, or is about to: starting, running, reloading, stopping.
  bool is_active() const noexcept;
  // As the session says; unknown unless running.
  Health health() const noexcept;
  // Of the state when it failed, else of the health.
  const Reason& reason() const noexcept;
  const std::optional<ProfileEntry>& profile() const noexcept { return profile_; }
  const std::optional<SessionFacts>& session() const noexcept { return session_; }
  std::string interface() const { return is_running() && session_ ? session_->interface : ""; }
  // Of what runs, else of the file.
  std::string kind() const;
  std::string encryption() const;
  // The file is not what runs: changed since, or gone.
  bool is_stale() const noexcept;

  // The one way to another state; throws Error (kFailed) for a move that base/tunnel_state.h does
  // not allow.
  void transition(Lifecycle to, Reason why = {});
  // The reason of the state it is in.
  void set_reason(Reason why) { reason_ = std::move(why); }
  void set_profile(std::optional<ProfileEntry> profile) { profile_ = std::move(profile); }
  void set_session(std::optional<SessionFacts> session) { session_ = std::move(session); }

 private:
  bool is_running() const noexcept {
    return state_ == Lifecycle::kRunning || state_ == Lifecycle::kReloading;
  }

  std::string name_;
  std::string unit_;
  Lifecycle state_ = Lifecycle::kStopped;
  Reason reason_;
  std::optional<ProfileEntry> profile_;
  std::optional<SessionFacts> session_;
};

}  // namespace vpntun::manager
