#include "bus/systemd_launcher.h"

#include <sdbus-c++/sdbus-c++.h>

#include <chrono>
#include <cstdint>
#include <utility>

#include "base/log.h"
#include "bus/errors.h"
#include "bus/unit_name.h"
#include "dbus/error_names.h"
#include "dbus/names.h"

namespace vpntun::bus {

namespace {

using manager::LaunchFailure;
using manager::LaunchOutcome;

constexpr const char* kSystemd = "org.freedesktop.systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kService = "org.freedesktop.systemd1.Service";
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";
constexpr std::chrono::seconds kAnswersWithin{25};

std::string unit_path(const std::string& tunnel) {
  return "/org/freedesktop/systemd1/unit/" + dbus::escape_label(unit_name(tunnel));
}

LaunchFailure refused_by_systemd(const sdbus::Error& error) {
  const bool busy = error.getName() == "org.freedesktop.systemd1.TransactionIsDestructive";
  return {busy ? ErrorKind::kInProgress : ErrorKind::kLauncherFailed,
          "systemd: " + error.getMessage()};
}

}  // namespace

LaunchOutcome outcome_of_unit(const Dictionary& service_properties) {
  constexpr std::int32_t kExited = 1;  // CLD_EXITED of waitid(2)
  const auto code = get<std::int32_t>(service_properties, "ExecMainCode");
  const auto status = get<std::int32_t>(service_properties, "ExecMainStatus");
  const auto result = get<std::string>(service_properties, "Result");
  const auto text = get<std::string>(service_properties, "StatusText");
  if (result == "success") return std::nullopt;
  if (result == "timeout") return LaunchFailure{ErrorKind::kTimeout, "systemd: it took too long"};
  if (code != kExited)
    return LaunchFailure{ErrorKind::kLauncherFailed,
                         fmt::format("systemd: the session ended with {} ({})", result, status)};
  const ErrorKind kind = dbus::kind_of_session_status(status);
  if (!text.empty()) return LaunchFailure{kind, escaped(text, 1000)};
  return LaunchFailure{kind, fmt::format("the session process ended with status {}", status)};
}

SystemdLauncher::SystemdLauncher(Connection& connection)
    : connection_(connection),
      systemd_(sdbus::createProxy(connection.sdbus(), kSystemd, "/org/freedesktop/systemd1")) {
  removed_ = connection_.sdbus().addMatch(
      "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager'"
      ","
      "member='JobRemoved'",
      shielded("follow systemd's jobs", [this](sdbus::Message& message) { job_removed(message); }));
  changed_ = connection_.sdbus().addMatch(
      "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.DBus.Properties',"
      "member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/unit',"
      "arg0='org.freedesktop.systemd1.Unit'",
      shielded("follow systemd's units",
               [this](sdbus::Message& message) { unit_changed(message); }));
  systemd_->callMethod("Subscribe").onInterface(kManager).withTimeout(kAnswersWithin);
}

std::string SystemdLauncher::unit_of(const std::string& tunnel) const {
  return unit_name(tunnel);
}

bool SystemdLauncher::adopt(const std::string& tunnel, int) {
  follow(tunnel);
  return true;
}

void SystemdLauncher::follow(const std::string& tunnel) {
  if (!units_.contains(tunnel))
    units_[tunnel] = sdbus::createProxy(connection_.sdbus(), kSystemd, unit_path(tunnel));
}

void SystemdLauncher::start(const std::string& tunnel, Done done) {
  follow(tunnel);
  enqueue("StartUnit", "fail", {tunnel, true, std::move(done)});
}

void SystemdLauncher::stop(const std::string& tunnel, Done done) {
  follow(tunnel);
  enqueue("StopUnit", "replace", {tunnel, false, std::move(done)});
}

void SystemdLauncher::enqueue(const char* method, const char* mode, Job job) {
  const std::string unit = unit_name(job.tunnel);
  auto replied = [this, job = std::move(job)](const sdbus::Error* error,
                                              const sdbus::ObjectPath& path) {
    if (error != nullptr) return job.done(refused_by_systemd(*error));
    jobs_[path] = job;
  };
  systemd_->callMethodAsync(method)
      .onInterface(kManager)
      .withTimeout(kAnswersWithin)
      .withArguments(unit, std::string(mode))
      .uponReplyInvoke(std::function<void(const sdbus::Error*, const sdbus::ObjectPath&)>(
          shielded("ask systemd for a job", std::move(replied))));
}

void SystemdLauncher::job_removed(sdbus::Message& message) {
  std::uint32_t id = 0;
  sdbus::ObjectPath path;
  std::string unit;
  std::string result;
  message >> id >> path >> unit >> result;
  const auto at = jobs_.find(path);
  if (at == jobs_.end()) return;
  const Job job = std::move(at->second);
  jobs_.erase(at);
  if (result == "done") return job.done(std::nullopt);
  if (job.starts && result == "canceled")
    return job.done(LaunchFailure{ErrorKind::kFailed, "stopped while starting"});
  ask_outcome(job.tunnel, [job, result](const LaunchOutcome& outcome) {
    job.done(outcome ? *outcome
                     : LaunchFailure{ErrorKind::kLauncherFailed,
                                     "systemd: the job ended with " + result});
  });
}

bool SystemdLauncher::is_busy(const std::string& tunnel) const {
  for (const auto& [path, job] : jobs_)
    if (job.tunnel == tunnel) return true;
  return false;
}

void SystemdLauncher::unit_changed(sdbus::Message& message) {
  const std::string path = message.getPath();
  std::string interface;
  Dictionary changed;
  message >> interface >> changed;
  const auto state = get<std::string>(changed, "ActiveState");
  if (interface != kUnit || (state != "failed" && state != "inactive")) return;
  for (const auto& [tunnel, unit] : units_)
    if (unit->getObjectPath() == path && !is_busy(tunnel))
      return ask_outcome(
          tunnel, [this, name = tunnel](const LaunchOutcome& outcome) { died_(name, outcome); });
}

void SystemdLauncher::ask_outcome(const std::string& tunnel,
                                  std::function<void(LaunchOutcome)> told) {
  auto replied = [told = std::move(told)](const sdbus::Error* error, const Dictionary& properties) {
    told(error != nullptr ? refused_by_systemd(*error) : outcome_of_unit(properties));
  };
  units_.at(tunnel)
      ->callMethodAsync("GetAll")
      .onInterface("org.freedesktop.DBus.Properties")
      .withTimeout(kAnswersWithin)
      .withArguments(std::string(kService))
      .uponReplyInvoke(std::function<void(const sdbus::Error*, const Dictionary&)>(
          shielded("ask systemd why a unit ended", std::move(replied))));
}

}  // namespace vpntun::bus
