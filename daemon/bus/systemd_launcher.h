// The launcher for where systemd runs: a session is the unit vpntund@NAME.service, started and
// stopped as systemctl(1) does it. Interface: org.freedesktop.systemd1(5). Thread: control.
#pragma once

#include <sdbus-c++/IProxy.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "bus/connection.h"
#include "bus/status_codec.h"
#include "manager/launcher.h"

namespace vpntun::bus {

// Why a unit ended, from the properties of org.freedesktop.systemd1.Service; nothing: cleanly.
manager::LaunchOutcome outcome_of_unit(const Dictionary& service_properties);

class SystemdLauncher final : public manager::Launcher {
 public:
  // Blocks on the bus, so only before the loop runs.
  explicit SystemdLauncher(Connection& connection);
  SystemdLauncher(const SystemdLauncher&) = delete;
  SystemdLauncher& operator=(const SystemdLauncher&) = delete;

  std::string_view name() const noexcept override { return "systemd"; }
  std::string unit_of(const std::string& tunnel) const override;
  void set_died(Died died) override { died_ = std::move(died); }
  void start(const std::string& tunnel, Done done) override;
  void stop(const std::string& tunnel, Done done) override;
  bool adopt(const std::string& tunnel, int pid) override;

 private:
  struct Job {
    std::string tunnel;
    bool starts = false;
    Done done;
  };

  void follow(const std::string& tunnel);
  void enqueue(const char* method, const char* mode, Job job);
  void job_removed(sdbus::Message& message);
  void unit_changed(sdbus::Message& message);
  // Asks systemd why the unit of the tunnel is not running.
  void ask_outcome(const std::string& tunnel, std::function<void(manager::LaunchOutcome)> told);
  bool is_busy(const std::string& tunnel) const;

  Connection& connection_;
  std::unique_ptr<sdbus::IProxy> systemd_;
  std::map<std::string, std::unique_ptr<sdbus::IProxy>>
      units_;                        // by tunnel: those that were ever active
  std::map<std::string, Job> jobs_;  // by the job's object path
  Died died_;
  sdbus::Slot removed_;
  sdbus::Slot changed_;
};

}  // namespace vpntun::bus
