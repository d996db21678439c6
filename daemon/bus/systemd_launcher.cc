#include "bus/systemd_launcher.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "bus/errors.h"
#include "config/profile.h"
#include "dbus/error_names.h"
#include "dbus/names.h"

namespace vpntun::bus {

namespace {

using manager::LaunchFailure;
using manager::LaunchOutcome;
using std::chrono::seconds;

constexpr const char* kSystemd = "org.freedesktop.systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr std::string_view kUnitFolder = "/org/freedesktop/systemd1/unit/";
constexpr seconds kAnswersWithin{25};
// Longer than any start or stop takes by systemd's own limits; after that its word may be lost.
constexpr seconds kJobWithin{200};
constexpr seconds kEndsWithin{10};  // from SIGTERM to SIGKILL

std::string unit_path(const std::string& tunnel) {
  return std::string(kUnitFolder) + dbus::escape_label(dbus::unit_name(tunnel));
}

// The tunnel of a unit's object; empty: it is no unit of ours.
std::string tunnel_of_unit(std::string_view path) {
  constexpr std::string_view kBegin = "vpntund@";
  constexpr std::string_view kEnd = ".service";
  if (!path.starts_with(kUnitFolder)) return {};
  const std::string unit =
      dbus::unescape_label(path.substr(kUnitFolder.size())).value_or(std::string());
  if (!unit.starts_with(kBegin) || !unit.ends_with(kEnd)) return {};
  std::string tunnel = unit.substr(kBegin.size(), unit.size() - kBegin.size() - kEnd.size());
  return config::is_tunnel_name(tunnel) ? tunnel : std::string();
}

LaunchFailure refused_by_systemd(const sdbus::Error& error) {
  const std::string& name = error.getName();
  const std::string text = escaped(error.getMessage(), 1000);
  if (name == "org.freedesktop.systemd1.TransactionIsDestructive")
    return {ErrorKind::kInProgress, "systemd: " + text};
  // Its own answer, or that of the bus or of another systemd unit when it asked polkit.
  const bool is_polkits = name == "org.freedesktop.DBus.Error.AccessDenied" ||
                          name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired" ||
                          text.find("polkit") != std::string::npos;
  if (is_polkits)
    return {ErrorKind::kFailed,
            fmt::format("systemd does not let the manager do it ({}), because polkit does not run "
                        "or has no rule for it (60-vpntun.rules); root's systemctl needs no polkit",
                        text)};
  return {ErrorKind::kLauncherFailed, "systemd: " + text};
}

bool has_job(const Dictionary& properties) {
  using JobProperty = sdbus::Struct<std::uint32_t, sdbus::ObjectPath>;
  return std::get<0>(get<JobProperty>(properties, "Job")) != 0;
}

bool is_over(const Dictionary& properties) {
  const auto state = get<std::string>(properties, "ActiveState");
  return state == "failed" || state == "inactive";
}

// It failed, and systemd starts it again after a while.
bool starts_again(const Dictionary& properties) {
  return get<std::string>(properties, "SubState").starts_with("auto-restart");
}

}  // namespace

LaunchOutcome outcome_of_unit(const Dictionary& properties) {
  constexpr std::int32_t kExited = 1;  // CLD_EXITED of waitid(2)
  const auto code = get<std::int32_t>(properties, "ExecMainCode");
  const auto status = get<std::int32_t>(properties, "ExecMainStatus");
  const auto result = get<std::string>(properties, "Result");
  const auto text = get<std::string>(properties, "StatusText");
  const bool again = starts_again(properties);
  if (result == "success" && !again) return std::nullopt;
  if (result == "timeout")
    return LaunchFailure{
        ErrorKind::kTimeout,
        fmt::format("systemd: it took too long{}{}", text.empty() ? "" : "; ", escaped(text, 1000)),
        again};
  if (code != kExited)
    return LaunchFailure{ErrorKind::kLauncherFailed,
                         fmt::format("systemd: the session ended with {} ({})", result, status),
                         again};
  const ErrorKind kind = dbus::kind_of_session_status(status);
  if (!text.empty()) return LaunchFailure{kind, escaped(text, 1000), again};
  return LaunchFailure{kind, fmt::format("the session process ended with status {}", status),
                       again};
}

SystemdLauncher::SystemdLauncher(service::Loop& loop, Connection& connection)
    : loop_(loop),
      connection_(connection),
      systemd_(sdbus::createProxy(connection.sdbus(), sdbus::ServiceName(kSystemd),
                                  sdbus::ObjectPath("/org/freedesktop/systemd1"))) {
  removed_ = dbus::add_match(
      connection_.sdbus(),
      "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager'"
      ",member='JobRemoved'",
      shielded("follow systemd's jobs", [this](sdbus::Message& message) { job_removed(message); }));
  changed_ = dbus::add_match(
      connection_.sdbus(),
      "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.DBus.Properties',"
      "member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/unit',"
      "arg0='org.freedesktop.systemd1.Unit'",
      shielded("follow systemd's units",
               [this](sdbus::Message& message) { unit_changed(message); }));
  followed_ = connection_.follow_owners(
      fmt::format("arg0='{}'", kSystemd),
      [this](const std::string&, const std::string& owner) { executed_again(owner); });
  try {
    connection_.driver()
        .callMethod("GetNameOwner")
        .onInterface("org.freedesktop.DBus")
        .withArguments(std::string(kSystemd))
        .storeResultsTo(owner_);
  } catch (const sdbus::Error& error) {
    log::warning("systemd is not on the bus: {}", error.getMessage());
  }
  subscribe();
}

SystemdLauncher::~SystemdLauncher() = default;

void SystemdLauncher::subscribe() {
  systemd_->callMethodAsync("Subscribe")
      .onInterface(kManager)
      .withTimeout(kAnswersWithin)
      .uponReplyInvoke(dbus::on_reply<>([](const std::optional<sdbus::Error>& error) {
        if (error) log::warning("systemd does not tell of its units: {}", error->getMessage());
      }));
}

// What it said meanwhile is lost, also that a job ended.
void SystemdLauncher::executed_again(const std::string& owner) {
  owner_ = owner;
  if (owner.empty()) return;
  subscribe();
  look_at_all();
  for (const auto& [number, job] : jobs_)
    ask(job.tunnel, [this, number = number, starts = job.starts](const Dictionary& properties) {
      if (properties.empty() || has_job(properties)) return;
      const bool is_up = !is_over(properties) && !starts_again(properties);
      take_job(number, starts == is_up ? "done" : "failed");
    });
}

void SystemdLauncher::set_changing(const Changing& changing) {
  changing_ = changing;
  look_at_all();
}

void SystemdLauncher::look_at_all() {
  using Listed =
      sdbus::Struct<std::string, std::string, std::string, std::string, std::string, std::string,
                    sdbus::ObjectPath, std::uint32_t, std::string, sdbus::ObjectPath>;
  auto listed = [this](const std::optional<sdbus::Error>& error, const std::vector<Listed>& units) {
    if (error) return log::warning("systemd does not list its units: {}", error->getMessage());
    for (const Listed& each : units)
      if (const std::string tunnel = tunnel_of_unit(std::get<6>(each)); !tunnel.empty())
        look(tunnel);
  };
  systemd_->callMethodAsync("ListUnitsByPatterns")
      .onInterface(kManager)
      .withTimeout(kAnswersWithin)
      .withArguments(std::vector<std::string>{}, std::vector<std::string>{"vpntund@*.service"})
      .uponReplyInvoke(
          dbus::on_reply<std::vector<Listed>>(shielded("list units", std::move(listed))));
}

std::string SystemdLauncher::unit_of(const std::string& tunnel) const {
  return dbus::unit_name(tunnel);
}

SystemdLauncher::Unit& SystemdLauncher::unit(const std::string& tunnel) {
  Unit& unit = units_[tunnel];
  if (!unit.proxy)
    unit.proxy = sdbus::createProxy(connection_.sdbus(), sdbus::ServiceName(kSystemd),
                                    sdbus::ObjectPath(unit_path(tunnel)));
  return unit;
}

bool SystemdLauncher::adopt(const std::string& tunnel, int pid) {
  Session session;
  session.pid = pid;
  try {
    session.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    session.exit = loop_.add_child(pid, [this, tunnel](int) { exited(tunnel); });
  } catch (const Error& error) {
    log::debug("tunnel {}: {}", tunnel, error.what());
    return false;
  }
  // The one before is gone: two cannot have the name.
  if (const auto before = sessions_.find(tunnel);
      before != sessions_.end() && before->second.stopped)
    exited(tunnel);
  sessions_[tunnel] = std::move(session);
  return true;
}

void SystemdLauncher::exited(const std::string& tunnel) {
  const Session gone = std::move(sessions_.at(tunnel));
  sessions_.erase(tunnel);
  if (gone.stopped) gone.stopped(std::nullopt);
}

void SystemdLauncher::start(const std::string& tunnel, Done done) {
  enqueue("StartUnit", "fail", tunnel, true, std::move(done));
}

void SystemdLauncher::stop(const std::string& tunnel, Done done) {
  if (unit(tunnel).has_failed && !is_busy(tunnel) && !lives_on(tunnel))
    return forget_failure(tunnel, done);
  if_unit_runs(
      tunnel, [this, tunnel, done] { enqueue("StopUnit", "replace", tunnel, false, done); }, done);
}

void SystemdLauncher::restart(const std::string& tunnel, Done done) {
  if_unit_runs(
      tunnel, [this, tunnel, done] { enqueue("RestartUnit", "replace", tunnel, true, done); },
      [this, tunnel, done](const LaunchOutcome& outcome) {
        outcome ? done(outcome) : start(tunnel, done);
      });
}

void SystemdLauncher::forget_failure(const std::string& tunnel, const Done& done) {
  systemd_->callMethodAsync("ResetFailedUnit")
      .onInterface(kManager)
      .withTimeout(kAnswersWithin)
      .withArguments(dbus::unit_name(tunnel))
      .uponReplyInvoke(dbus::on_reply<>(
          shielded("forget a failure", [done](const std::optional<sdbus::Error>& error) {
            done(error ? LaunchOutcome(refused_by_systemd(*error)) : std::nullopt);
          })));
}

// StopUnit of a unit that does not have the process succeeds, and the session lives on.
void SystemdLauncher::if_unit_runs(const std::string& tunnel, std::function<void()> by_unit,
                                   Done ended) {
  const auto session = sessions_.find(tunnel);
  if (session == sessions_.end()) return by_unit();
  auto replied = [this, tunnel, by_unit = std::move(by_unit), ended = std::move(ended)](
                     const std::optional<sdbus::Error>& error, const sdbus::ObjectPath& path) {
    // An error: the process is gone, or in no unit that systemd knows.
    if ((!error && path == unit_path(tunnel)) || !sessions_.contains(tunnel)) return by_unit();
    end_by_signal(tunnel, ended);
  };
  systemd_->callMethodAsync("GetUnitByPID")
      .onInterface(kManager)
      .withTimeout(kAnswersWithin)
      .withArguments(static_cast<std::uint32_t>(session->second.pid))
      .uponReplyInvoke(dbus::on_reply<sdbus::ObjectPath>(
          shielded("ask systemd for a session's unit", std::move(replied))));
}

void SystemdLauncher::end_by_signal(const std::string& tunnel, Done ended) {
  Session& session = sessions_.at(tunnel);
  const auto signal = [](const UniqueFd& pidfd, int number) {
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0) == 0 ? 0 : errno;
  };
  if (const int why = signal(session.pidfd, SIGTERM); why != 0 && why != ESRCH)
    return ended(LaunchFailure{
        ErrorKind::kAccessDenied,
        fmt::format("its session, process {}, was not started by systemd and cannot be ended: {}",
                    session.pid, std::generic_category().message(why))});
  // A restart that was waiting for the same end is over.
  if (const Done before = std::exchange(session.stopped, std::move(ended)))
    before(LaunchFailure{ErrorKind::kFailed, "stopped while starting"});
  session.patience = loop_.add_timer(loop_.now() + kEndsWithin, [this, tunnel, signal] {
    log::warning("tunnel {}: its session does not end, it is killed", tunnel);
    signal(sessions_.at(tunnel).pidfd, SIGKILL);
  });
}

void SystemdLauncher::enqueue(const char* method, const char* mode, const std::string& tunnel,
                              bool starts, Done done) {
  unit(tunnel).has_failed = false;
  const std::uint64_t number = ++last_job_;
  Job& job = jobs_[number];
  job.tunnel = tunnel;
  job.starts = starts;
  job.done = std::move(done);
  job.limit =
      loop_.add_timer(loop_.now() + kJobWithin, [this, number] { take_job(number, "timeout"); });
  auto replied = [this, number](const std::optional<sdbus::Error>& error,
                                const sdbus::ObjectPath& path) {
    const auto at = jobs_.find(number);
    if (at == jobs_.end()) return;
    at->second.path = path;
    if (!error) return;
    const Done refused = std::move(at->second.done);
    jobs_.erase(at);
    refused(refused_by_systemd(*error));
  };
  systemd_->callMethodAsync(method)
      .onInterface(kManager)
      .withTimeout(kAnswersWithin)
      .withArguments(dbus::unit_name(tunnel), std::string(mode))
      .uponReplyInvoke(
          dbus::on_reply<sdbus::ObjectPath>(shielded("ask systemd for a job", std::move(replied))));
}

void SystemdLauncher::job_removed(sdbus::Message& message) {
  if (message.getSender() != owner_) return;  // the match rule lets anybody through
  std::uint32_t id = 0;
  sdbus::ObjectPath path;
  std::string unit;
  std::string result;
  message >> id >> path >> unit >> result;
  // A restart takes the job of a start over: one job may be what several wait for.
  std::vector<std::uint64_t> ended;
  for (const auto& [number, job] : jobs_)
    if (job.path == path) ended.push_back(number);
  for (const std::uint64_t number : ended) take_job(number, result);
}

// Whether a session that its unit does not know is still there.
bool SystemdLauncher::lives_on(const std::string& tunnel) const {
  const auto at = sessions_.find(tunnel);
  if (at == sessions_.end()) return false;
  pollfd exited{.fd = at->second.pidfd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&exited, 1, 0) == 0;
}

// The job is over; what it came to, the unit knows.
void SystemdLauncher::take_job(std::uint64_t number, const std::string& result) {
  const auto at = jobs_.find(number);
  if (at == jobs_.end()) return;
  const std::string tunnel = at->second.tunnel;
  const bool starts = at->second.starts;
  const Done done = std::move(at->second.done);
  jobs_.erase(at);
  if (result == "done") return done(std::nullopt);
  if (starts && result == "canceled")
    return done(LaunchFailure{ErrorKind::kFailed, "stopped while starting"});
  ask(tunnel, [done, result, starts](const Dictionary& properties) {
    if (!starts && is_over(properties)) return done(std::nullopt);
    // A run that is newer than the job has nothing to say about it.
    const bool of_this_run = is_over(properties) || starts_again(properties);
    if (const LaunchOutcome why = outcome_of_unit(properties); of_this_run && why) return done(why);
    const ErrorKind kind = result == "timeout" ? ErrorKind::kTimeout : ErrorKind::kLauncherFailed;
    done(LaunchFailure{kind, "systemd: the job ended with " + result});
  });
}

bool SystemdLauncher::is_busy(const std::string& tunnel) const {
  for (const auto& [number, job] : jobs_)
    if (job.tunnel == tunnel) return true;
  return false;
}

void SystemdLauncher::unit_changed(sdbus::Message& message) {
  if (message.getSender() != owner_) return;  // the match rule lets anybody through
  if (const std::string tunnel = tunnel_of_unit(message.getPath()); !tunnel.empty()) look(tunnel);
}

// One question at a time; several changes meanwhile are one more.
void SystemdLauncher::look(const std::string& tunnel) {
  Unit& seen = unit(tunnel);
  seen.look_again = seen.looking;
  if (std::exchange(seen.looking, true)) return;
  ask(tunnel, [this, tunnel](const Dictionary& properties) {
    Unit& looked = unit(tunnel);
    looked.looking = false;
    if (std::exchange(looked.look_again, false)) return look(tunnel);
    judge(tunnel, properties);
  });
}

void SystemdLauncher::judge(const std::string& tunnel, const Dictionary& properties) {
  const auto state = get<std::string>(properties, "ActiveState");
  if (is_busy(tunnel) || !died_ || !changing_) return;  // the job's end tells
  unit(tunnel).has_failed = state == "failed";
  if (starts_again(properties)) return died_(tunnel, outcome_of_unit(properties));
  if (is_over(properties) && !has_job(properties) && !lives_on(tunnel))
    return died_(tunnel, outcome_of_unit(properties));
  if (state == "activating") changing_(tunnel, Lifecycle::kStarting);
  if (state == "deactivating" && has_job(properties)) changing_(tunnel, Lifecycle::kStopping);
}

void SystemdLauncher::ask(const std::string& tunnel, Looked looked) {
  auto replied = [tunnel, looked = std::move(looked)](const std::optional<sdbus::Error>& error,
                                                      const Dictionary& properties) {
    if (error) log::debug("tunnel {}: its unit: {}", tunnel, error->getMessage());
    looked(properties);
  };
  unit(tunnel)
      .proxy->callMethodAsync("GetAll")
      .onInterface("org.freedesktop.DBus.Properties")
      .withTimeout(kAnswersWithin)
      .withArguments(std::string())  // of all interfaces
      .uponReplyInvoke(
          dbus::on_reply<Dictionary>(shielded("ask systemd about a unit", std::move(replied))));
}

}  // namespace vpntun::bus
