// The launcher for where systemd runs: a session is the unit vpntund@NAME.service, started and
// stopped as systemctl(1) does it, and followed when others do. No other unit is ever touched.
// Interface: org.freedesktop.systemd1(5). Thread: control.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "bus/connection.h"
#include "bus/status_codec.h"
#include "dbus/sdbus.h"
#include "manager/launcher.h"
#include "service/loop.h"

namespace vpntun::bus {

// Why a unit ended, from the properties of org.freedesktop.systemd1.Unit and .Service in one
// answer, so that they tell of the same run; nothing: cleanly.
manager::LaunchOutcome outcome_of_unit(const Dictionary& properties);

class SystemdLauncher final : public manager::Launcher {
 public:
  // Blocks on the bus, so only before the loop runs.
  SystemdLauncher(service::Loop& loop, Connection& connection);
  ~SystemdLauncher() override;
  SystemdLauncher(const SystemdLauncher&) = delete;
  SystemdLauncher& operator=(const SystemdLauncher&) = delete;

  std::string_view name() const noexcept override { return "systemd"; }
  std::string unit_of(const std::string& tunnel) const override;
  void set_died(Died died) override { died_ = std::move(died); }
  // Looks at all units.
  void set_changing(const Changing& changing) override;
  void start(const std::string& tunnel, Done done) override;
  void stop(const std::string& tunnel, Done done) override;
  void restart(const std::string& tunnel, Done done) override;
  bool adopt(const std::string& tunnel, int pid) override;

 private:
  // What systemd calls the tunnel's unit, as seen last.
  struct Unit {
    std::unique_ptr<sdbus::IProxy> proxy;
    bool has_failed = false;  // as seen last
    bool looking = false;     // systemd is being asked
    bool look_again = false;  // it changed meanwhile
  };
  struct Job {
    std::string tunnel;
    bool starts = false;
    Done done;
    sdbus::ObjectPath path;  // empty until systemd replied
    service::EventSource limit;
  };
  // A session on the bus that its unit may not know.
  struct Session {
    int pid = -1;
    UniqueFd pidfd;  // signals go through it, so that they cannot hit another process
    Done stopped;
    service::EventSource exit;
    service::EventSource patience;
  };
  using Looked = std::function<void(const Dictionary&)>;

  Unit& unit(const std::string& tunnel);
  void executed_again(const std::string& owner);
  void subscribe();
  void look_at_all();
  void look(const std::string& tunnel);
  void judge(const std::string& tunnel, const Dictionary& properties);
  void ask(const std::string& tunnel, Looked looked);
  void enqueue(const char* method, const char* mode, const std::string& tunnel, bool starts,
               Done done);
  void forget_failure(const std::string& tunnel, const Done& done);
  void job_removed(sdbus::Message& message);
  void take_job(std::uint64_t number, const std::string& result);
  void unit_changed(sdbus::Message& message);
  bool is_busy(const std::string& tunnel) const;
  // Calls `by_unit` when the session of the tunnel, if there is one, is its unit's; else ends it by
  // signal, and then calls `ended`.
  void if_unit_runs(const std::string& tunnel, std::function<void()> by_unit, Done ended);
  void end_by_signal(const std::string& tunnel, Done ended);
  void exited(const std::string& tunnel);
  bool lives_on(const std::string& tunnel) const;

  service::Loop& loop_;
  Connection& connection_;
  std::unique_ptr<sdbus::IProxy> systemd_;
  std::map<std::string, Unit> units_;        // by tunnel
  std::map<std::uint64_t, Job> jobs_;        // by number
  std::map<std::string, Session> sessions_;  // by tunnel
  std::uint64_t last_job_ = 0;
  Died died_;
  Changing changing_;
  sdbus::Slot removed_;
  sdbus::Slot changed_;
  std::string owner_;  // systemd's connection: only what comes from there is believed
  sdbus::Slot followed_;
};

}  // namespace vpntun::bus
