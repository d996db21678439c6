// Who may call what: one table of methods and actions, one decision point. Trusted users may do
// everything; for others polkit is asked, asynchronously, about the caller's bus name. Actions and
// their defaults: dbus/org.vpntun1.policy. Called by the objects. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bus/connection.h"
#include "bus/trusted_users.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

enum class Action {
  kInspect,         // which tunnels there are and how they are
  kInspectDetails,  // and where their peers are
  kManage,          // start, stop, restart, reload
  kManageUser,      // the same with a profile that says active-session = true
  kCapture,         // see or forge the packets inside
  kCaptureSecrets,  // and the keys they are encrypted with
};
// "org.vpntun1.inspect"
std::string_view name_of(Action action) noexcept;

struct Asked {
  Action action;
  std::string_view verb;  // a detail for rules: "start"
  bool operator==(const Asked&) const = default;
};
// none: not in the table, so nobody may.
std::optional<Asked> asked_of(std::string_view interface, std::string_view method) noexcept;

class Authority {
 public:
  // No error: allowed. Else the error to reply. user: who the caller is, kUnknownUser if that was
  // not asked or not answered.
  using Decided =
      std::function<void(const std::optional<sdbus::Error>& refused, std::uint32_t user)>;
  static constexpr std::uint32_t kUnknownUser = UINT32_MAX;
  // Whether the profile of a tunnel says active-session = true.
  using IsUserTunnel = std::function<bool(const std::string& tunnel)>;
  static constexpr int kMaximumPending = 16;  // questions to polkit for one caller

  // Blocks on the bus, so only before the loop runs.
  Authority(Connection& connection, TrustedUsers trusted, IsUserTunnel is_user_tunnel);
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  // tunnel: a detail for rules; empty: none in particular. Decided exactly once, maybe from inside
  // the call. An error, silence and a caller that is gone are all a refusal. Somebody may be asked
  // for a password when the caller said so.
  void check(const dbus::Caller& caller, std::optional<Asked> asked, const std::string& tunnel,
             Decided decided);

 private:
  using Answered = std::function<void(const std::optional<sdbus::Error>& refused)>;
  struct Pending {
    std::string caller;
    Answered answered;
  };
  // is authorised, is a challenge, details
  using Verdict = sdbus::Struct<bool, bool, std::map<std::string, std::string>>;

  void ask_polkit(const dbus::Caller& caller, const Asked& asked, const std::string& tunnel,
                  Answered answered);
  void cancel(std::uint64_t question);
  void decide(std::uint64_t question, const std::optional<sdbus::Error>& refused);
  void caller_left(const std::string& caller);

  Connection& connection_;
  TrustedUsers trusted_;
  IsUserTunnel is_user_tunnel_;
  std::unique_ptr<sdbus::IProxy> polkit_;
  std::map<std::uint64_t, Pending> pending_;  // by number of the question
  std::uint64_t last_question_ = 0;
  sdbus::Slot left_;
};

}  // namespace vpntun::bus
