#include "bus/authority.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include "base/log.h"
#include "bus/errors.h"

namespace vpntun::bus {

namespace {

using std::chrono::seconds;

constexpr seconds kBusAnswersWithin{5};
constexpr seconds kPolkitAnswersWithin{25};
constexpr seconds kPersonAnswersWithin{120};
constexpr std::uint32_t kAllowUserInteraction = 1;  // CheckAuthorizationFlags
constexpr const char* kPolkit = "org.freedesktop.PolicyKit1.Authority";

struct Rule {
  std::string_view interface;
  std::string_view method;
  Asked asked;
};

constexpr std::array kRules{
    Rule{"org.vpntun1.Manager", "Start", {Action::kManage, "start"}},
    Rule{"org.vpntun1.Manager", "Stop", {Action::kManage, "stop"}},
    Rule{"org.vpntun1.Manager", "Restart", {Action::kManage, "restart"}},
    Rule{"org.vpntun1.Manager", "Reload", {Action::kManage, "reload"}},
    Rule{"org.vpntun1.Manager", "Status", {Action::kInspect, "status"}},
    Rule{"org.vpntun1.Manager", "List", {Action::kInspect, "status"}},
    Rule{"org.vpntun1.Manager", "Describe", {Action::kInspect, "status"}},
    Rule{"org.vpntun1.Tunnel", "Start", {Action::kManage, "start"}},
    Rule{"org.vpntun1.Tunnel", "Stop", {Action::kManage, "stop"}},
    Rule{"org.vpntun1.Tunnel", "Restart", {Action::kManage, "restart"}},
    Rule{"org.vpntun1.Tunnel", "Reload", {Action::kManage, "reload"}},
    Rule{"org.vpntun1.Tunnel", "Status", {Action::kInspect, "status"}},
    Rule{"org.vpntun1.Session", "Reload", {Action::kManage, "reload"}},
    Rule{"org.vpntun1.Session", "Status", {Action::kInspectDetails, "status"}},
    Rule{"org.vpntun1.Diagnostics", "Capture", {Action::kCapture, "capture"}},
    Rule{"org.vpntun1.Diagnostics",
         "CaptureWithSecrets",
         {Action::kCaptureSecrets, "capture-with-secrets"}},
    Rule{"org.vpntun1.Diagnostics", "Inject", {Action::kCapture, "inject"}},
};

sdbus::Error denied(const std::string& why) {
  return to_dbus(Error(ErrorKind::kAccessDenied, why));
}

// Nobody has polkit's name, and nobody can be started to take it.
bool is_absent(const std::string& error_name) {
  constexpr std::array<std::string_view, 5> kAbsent{
      "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
      "org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitMasked",
      "org.freedesktop.DBus.Error.Spawn.ServiceNotFound"};
  return std::ranges::find(kAbsent, error_name) != kAbsent.end();
}

std::optional<sdbus::Error> verdict_on(Action action, const sdbus::Error& error) {
  if (!is_absent(error.getName()))
    return denied(fmt::format("polkit does not say who may ({}), so only root may do this",
                              escaped(error.getMessage())));
  // What the shipped policy leaves to everybody.
  if (action == Action::kInspect) return std::nullopt;
  const bool masked = error.getName() == "org.freedesktop.systemd1.UnitMasked";
  return denied(
      fmt::format("polkit is {}, so only root may do this", masked ? "masked" : "not installed"));
}

std::optional<sdbus::Error> verdict_on(Action action, bool authorised, bool challenge,
                                       bool person_was_asked) {
  if (authorised) return std::nullopt;
  if (challenge && !person_was_asked)
    return dbus::error("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                       fmt::format("not authorised: {} asks for a password, and this caller cannot "
                                   "be asked for one",
                                   name_of(action)));
  return denied(fmt::format("not authorised: {}", name_of(action)));
}

// Of those who look, all but the details are told: that is no refusal.
void log_refusal(const Asked& asked, const std::string& tunnel, std::uint32_t user,
                 const sdbus::Error& refused) {
  if (asked.action == Action::kInspectDetails) return;
  log::event(log::Event::kCallerRefused, {.reason = std::string(name_of(asked.action))},
             "user {} may not {} {}: {}", user, asked.verb,
             tunnel.empty() ? "tunnels" : escaped(tunnel), refused.getMessage());
}

}  // namespace

std::string_view name_of(Action action) noexcept {
  switch (action) {
    case Action::kInspect:
      return "org.vpntun1.inspect";
    case Action::kInspectDetails:
      return "org.vpntun1.inspect-details";
    case Action::kManage:
      return "org.vpntun1.manage-tunnel";
    case Action::kManageUser:
      return "org.vpntun1.manage-user-tunnel";
    case Action::kCapture:
      return "org.vpntun1.capture";
    case Action::kCaptureSecrets:
      break;
  }
  return "org.vpntun1.capture-secrets";
}

std::optional<Asked> asked_of(std::string_view interface, std::string_view method) noexcept {
  for (const Rule& rule : kRules)
    if (rule.interface == interface && rule.method == method) return rule.asked;
  return std::nullopt;
}

Authority::Authority(Connection& connection, TrustedUsers trusted, IsUserTunnel is_user_tunnel)
    : connection_(connection),
      trusted_(std::move(trusted)),
      is_user_tunnel_(std::move(is_user_tunnel)),
      polkit_(sdbus::createProxy(connection.sdbus(),
                                 sdbus::ServiceName("org.freedesktop.PolicyKit1"),
                                 sdbus::ObjectPath("/org/freedesktop/PolicyKit1/Authority"))) {
  left_ = connection.follow_owners(
      "arg2=''", [this](const std::string& name, const std::string&) { caller_left(name); });
}

void Authority::check(const dbus::Caller& caller, std::optional<Asked> asked,
                      const std::string& tunnel, Decided decided) {
  if (!asked) return decided(denied("nobody may call this"), kUnknownUser);
  if (asked->action == Action::kManage && is_user_tunnel_(tunnel))
    asked->action = Action::kManageUser;
  auto answered = [this, caller, asked = *asked, tunnel, decided = std::move(decided)](
                      const std::optional<sdbus::Error>& error, std::uint32_t user) {
    if (error) return decided(denied("the bus does not say who the caller is"), kUnknownUser);
    if (trusted_.contains(user)) return decided(std::nullopt, user);
    ask_polkit(caller, asked, tunnel,
               [asked, tunnel, user, decided](const std::optional<sdbus::Error>& refused) {
                 if (refused) log_refusal(asked, tunnel, user, *refused);
                 decided(refused, user);
               });
  };
  connection_.driver()
      .callMethodAsync("GetConnectionUnixUser")
      .onInterface("org.freedesktop.DBus")
      .withTimeout(kBusAnswersWithin)
      .withArguments(caller.name)
      .uponReplyInvoke(
          dbus::on_reply<std::uint32_t>(shielded("ask who a caller is", std::move(answered))));
}

void Authority::ask_polkit(const dbus::Caller& caller, const Asked& asked,
                           const std::string& tunnel, Answered answered) {
  const auto theirs = std::ranges::count_if(
      pending_, [&](const auto& question) { return question.second.caller == caller.name; });
  if (theirs >= kMaximumPending)
    return answered(
        limits_exceeded("too many requests of this caller are pending; wait for their replies"));
  const std::uint64_t question = ++last_question_;
  pending_[question] = {caller.name, std::move(answered)};
  auto replied = [this, question, action = asked.action, person = caller.may_be_asked](
                     const std::optional<sdbus::Error>& error, const Verdict& verdict) {
    if (error && !is_absent(error->getName())) cancel(question);  // it may still be at it
    decide(question, error
                         ? verdict_on(action, *error)
                         : verdict_on(action, std::get<0>(verdict), std::get<1>(verdict), person));
  };
  const sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>> subject{
      std::string("system-bus-name"),
      std::map<std::string, sdbus::Variant>{{"name", sdbus::Variant(caller.name)}}};
  std::map<std::string, std::string> details{{"verb", std::string(asked.verb)}};
  if (!tunnel.empty()) details["tunnel"] = tunnel;
  polkit_->callMethodAsync("CheckAuthorization")
      .onInterface(kPolkit)
      .withTimeout(caller.may_be_asked ? kPersonAnswersWithin : kPolkitAnswersWithin)
      .withArguments(subject, std::string(name_of(asked.action)), details,
                     caller.may_be_asked ? kAllowUserInteraction : 0U, std::to_string(question))
      .uponReplyInvoke(dbus::on_reply<Verdict>(shielded("ask polkit", std::move(replied))));
}

void Authority::cancel(std::uint64_t question) {
  if (!pending_.contains(question)) return;
  polkit_->callMethodAsync("CancelCheckAuthorization")
      .onInterface(kPolkit)
      .withArguments(std::to_string(question))
      .uponReplyInvoke(dbus::on_reply<>([](const std::optional<sdbus::Error>&) {}));
}

void Authority::decide(std::uint64_t question, const std::optional<sdbus::Error>& refused) {
  const auto at = pending_.find(question);
  if (at == pending_.end()) return;
  const Answered answered = std::move(at->second.answered);
  pending_.erase(at);
  answered(refused);
}

void Authority::caller_left(const std::string& caller) {
  std::vector<std::uint64_t> questions;
  for (const auto& [question, pending] : pending_)
    if (pending.caller == caller) questions.push_back(question);
  for (const std::uint64_t question : questions) {
    cancel(question);
    decide(question, denied("the caller left the bus"));
  }
}

}  // namespace vpntun::bus
