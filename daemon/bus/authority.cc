#include "bus/authority.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "bus/errors.h"

namespace vpntun::bus {

namespace {

constexpr std::chrono::seconds kAnswerWithin{5};

struct Rule {
  std::string_view interface;
  std::string_view method;
  Action action;
};

constexpr std::array kRules{
    Rule{"org.vpntun1.Manager", "Start", Action::kManage},
    Rule{"org.vpntun1.Manager", "Stop", Action::kManage},
    Rule{"org.vpntun1.Manager", "Restart", Action::kManage},
    Rule{"org.vpntun1.Manager", "Status", Action::kInspect},
    Rule{"org.vpntun1.Manager", "List", Action::kInspect},
    Rule{"org.vpntun1.Manager", "Describe", Action::kInspect},
    Rule{"org.vpntun1.Tunnel", "Start", Action::kManage},
    Rule{"org.vpntun1.Tunnel", "Stop", Action::kManage},
    Rule{"org.vpntun1.Tunnel", "Restart", Action::kManage},
    Rule{"org.vpntun1.Tunnel", "Status", Action::kInspect},
    Rule{"org.vpntun1.Session", "Status", Action::kInspect},
    Rule{"org.vpntun1.Diagnostics", "Capture", Action::kCapture},
    Rule{"org.vpntun1.Diagnostics", "Inject", Action::kCapture},
};

sdbus::Error denied(const std::string& why) {
  return to_dbus(Error(ErrorKind::kAccessDenied, why));
}

}  // namespace

std::optional<Action> action_of(std::string_view interface, std::string_view method) noexcept {
  for (const Rule& rule : kRules)
    if (rule.interface == interface && rule.method == method) return rule.action;
  return std::nullopt;
}

Authority::Authority(Connection& connection) : connection_(connection) {}

void Authority::check(const std::string& caller, std::optional<Action> action, Decided decided) {
  if (!action) return decided(denied("nobody may call this"));
  if (*action == Action::kInspect) return decided(std::nullopt);
  if (pending_[caller] >= kMaximumPending)
    return decided(
        limits_exceeded("too many requests of this caller are pending; wait for their replies"));
  ++pending_[caller];
  auto answered = [this, caller, decided = std::move(decided)](const sdbus::Error* error,
                                                               std::uint32_t uid) {
    if (--pending_[caller] == 0) pending_.erase(caller);
    if (error != nullptr) return decided(denied("the bus does not say who the caller is"));
    if (uid != 0 && uid != ::geteuid())
      return decided(denied("only root may do this; try again with sudo"));
    decided(std::nullopt);
  };
  connection_.driver()
      .callMethodAsync("GetConnectionUnixUser")
      .onInterface("org.freedesktop.DBus")
      .withTimeout(kAnswerWithin)
      .withArguments(caller)
      .uponReplyInvoke(std::function<void(const sdbus::Error*, std::uint32_t)>(
          shielded("authorise a caller", std::move(answered))));
}

}  // namespace vpntun::bus
