// [routing.kill-switch]: rules that let nothing leave the host but what goes into the tunnel. They
// are there before the interface is up, and do not depend on the process: only a stop takes them
// away, and not even that when they are always wanted. Thread: control.
#pragma once

#include <cstddef>
#include <string>

#include "os/nft.h"
#include "session/host_changes.h"
#include "session/host_config.h"

namespace vpntun::session {

// Pure: what the rules are made of.
os::KillSwitchRules kill_switch_rules(const HostConfig& wanted, std::uint32_t mark);

class KillSwitch {
 public:
  // Installs, replacing what an earlier run of this tunnel left in one step, or takes that away.
  // Errors: kNotSupported (no nftables), kAccessDenied, kFailed.
  KillSwitch(const Namespaces& namespaces, std::string tunnel, std::uint32_t mark,
             const HostConfig& wanted);
  // A stop; or a start that failed: then what was there before it stays.
  ~KillSwitch();
  KillSwitch(const KillSwitch&) = delete;
  KillSwitch& operator=(const KillSwitch&) = delete;

  // The start is done.
  void started() noexcept { found_ = false; }
  // Errors as the constructor's; nothing has changed then.
  void replace(const HostConfig& wanted);
  // Puts back what somebody took away. Never throws; what fails is in failure().
  void look() noexcept;
  // A session follows that takes it over.
  void release() noexcept { released_ = true; }
  // Why packets may leave past the tunnel; empty: they cannot, or may.
  const std::string& failure() const noexcept { return failure_; }

 private:
  bool is_installed() const;
  void install();
  void remove() const;

  const Namespaces& namespaces_;
  std::string tunnel_;
  std::uint32_t mark_;
  config::KillSwitch mode_ = config::KillSwitch::kOff;
  os::KillSwitchRules rules_;
  std::size_t installed_ = 0;  // that many nftables rules
  bool found_ = false;         // there was one before this session, which has not started yet
  bool released_ = false;
  std::string failure_;
};

// Tells how to remove what stays in the namespace of the calling thread, if anything does. Never
// throws.
void tell_kill_switch_stays(const std::string& tunnel) noexcept;

}  // namespace vpntun::session
