// The launcher for where no systemd runs: each session is a child process in a session (setsid(2))
// of its own, which outlives the manager. It reports by the protocol of sd_notify(3). Thread:
// control.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "manager/launcher.h"
#include "manager/notify_socket.h"
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
  };

  // Throws Error when the notify socket cannot be bound.
  ProcessLauncher(service::Loop& loop, Options options);
  ~ProcessLauncher() override;

  std::string_view name() const noexcept override { return "process"; }
  std::string unit_of(const std::string&) const override { return ""; }
  void set_died(Died died) override { died_ = std::move(died); }
  void start(const std::string& tunnel, Done done) override;
  void stop(const std::string& tunnel, Done done) override;
  bool adopt(const std::string& tunnel, int pid) override;

 private:
  struct Child;

  pid_t spawn(const std::string& tunnel) const;
  void received(pid_t sender, std::string_view assignment);
  void give_up_start(const std::string& tunnel);
  void terminate(const std::string& tunnel);
  void exited(const std::string& tunnel, int status);
  void defer(std::function<void()> work);

  service::Loop& loop_;
  Options options_;
  Died died_;
  std::map<std::string, std::unique_ptr<Child>> children_;
  std::map<int, service::EventSource> deferred_;
  int next_deferred_ = 0;
  NotifySocket notify_;
};

}  // namespace vpntun::manager
