// The launcher for where no systemd runs: each session is a child process in a session (setsid(2))
// of its own, which outlives the manager. It reports by the protocol of sd_notify(3), stores
// descriptors over a restart and feeds a watchdog, as it would with systemd. Thread: control.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "manager/launcher.h"
#include "manager/notify_socket.h"
#include "manager/stored_fds.h"
#include "service/loop.h"

namespace vpntun::manager {

class ProcessLauncher final : public Launcher {
 public:
  struct Options {
    std::string program;                 // empty: the running one
    std::vector<std::string> arguments;  // after --session NAME
    std::string runtime_folder;          // of the notify socket; empty: a private one
    Duration start_timeout = std::chrono::seconds(90);
    Duration stop_timeout = std::chrono::seconds(10);  // from SIGTERM to SIGKILL
    Duration watchdog = std::chrono::seconds(20);      // a session silent for that long is killed
  };

  // Throws Error when the notify socket cannot be bound.
  ProcessLauncher(service::Loop& loop, Options options);
  ~ProcessLauncher() override;

  std::string_view name() const noexcept override { return "process"; }
  std::string unit_of(const std::string&) const override { return ""; }
  void set_died(Died died) override { died_ = std::move(died); }
  void start(const std::string& tunnel, Done done) override;
  void stop(const std::string& tunnel, Done done) override;
  void restart(const std::string& tunnel, Done done) override;
  bool adopt(const std::string& tunnel, int pid) override;

 private:
  struct Child;

  pid_t spawn_session(const std::string& tunnel) const;
  void launch(const std::string& tunnel, const Done& done);
  void received(NotifySocket::Message& message);
  void feed_watchdog(const std::string& tunnel);
  void last_quarter(const std::string& tunnel);
  void give_up_start(const std::string& tunnel);
  void end(const std::string& tunnel, int signal_number);
  void exited(const std::string& tunnel, int status);
  void follow(const std::string& tunnel, Child& before);
  void defer(std::function<void()> work);

  service::Loop& loop_;
  Options options_;
  Died died_;
  std::map<std::string, std::unique_ptr<Child>> children_;
  StoredFds stored_;  // outlives the sessions: of crashed ones, too
  std::map<int, service::EventSource> deferred_;
  int next_deferred_ = 0;
  NotifySocket notify_;
};

}  // namespace vpntun::manager
