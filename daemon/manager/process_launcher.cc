#include "manager/process_launcher.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"
#include "dbus/error_names.h"
#include "manager/spawn.h"

namespace vpntun::manager {

namespace {

// Resolved, so that the process list shows a name; after an upgrade of the file the link itself
// still works.
std::string running_program() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);
  return !error && ::access(path.c_str(), X_OK) == 0 ? path.string() : "/proc/self/exe";
}

// What a service manager tells its own service is not meant for our sessions.
bool is_for_us_only(std::string_view variable) {
  for (const std::string_view prefix : {"NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "MAINPID="})
    if (variable.starts_with(prefix)) return true;
  return false;
}

std::vector<std::string> environment_with(const std::string& notify_socket, Duration watchdog) {
  std::vector<std::string> environment;
  for (char** at = environ; *at != nullptr; ++at)
    if (!is_for_us_only(*at)) environment.emplace_back(*at);
  environment.push_back("NOTIFY_SOCKET=" + notify_socket);
  environment.push_back(fmt::format(
      "WATCHDOG_USEC={}", std::chrono::duration_cast<std::chrono::microseconds>(watchdog).count()));
  return environment;
}

// A wait status of an unexpected end; nothing: it ended cleanly.
LaunchOutcome outcome_of(int status, const std::string& status_text) {
  if (status == -1)  // adopted: its parent is somebody else
    return LaunchFailure{ErrorKind::kLauncherFailed, "the session process ended unexpectedly"};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
  if (WIFSIGNALED(status))
    return LaunchFailure{ErrorKind::kLauncherFailed,
                         fmt::format("the session process was killed by signal {} ({})",
                                     WTERMSIG(status), ::strsignal(WTERMSIG(status)))};
  const ErrorKind kind = dbus::kind_of_session_status(WEXITSTATUS(status));
  if (!status_text.empty()) return LaunchFailure{kind, status_text};
  return LaunchFailure{
      kind, fmt::format("the session process ended with status {}", WEXITSTATUS(status))};
}

const LaunchFailure kStoppedWhileStarting{ErrorKind::kFailed, "stopped while starting"};

}  // namespace

struct ProcessLauncher::Child {
  enum class Phase {
    kStarting,  // READY=1 is awaited
    kRunning,
    kStopping,    // told to end: by stop(), or because it took too long to start
    kRestarting,  // told to end, and another one follows
  };

  pid_t pid = -1;
  UniqueFd pidfd;  // signals go through it, so that they cannot hit another process
  Phase phase = Phase::kStarting;
  bool said_stopping = false;
  std::string status_text;
  bool starved = false;         // killed by the watchdog
  LaunchOutcome start_outcome;  // once the start is given up
  Done start_done;
  std::vector<Done> stop_done;
  Done restart_done;
  service::EventSource exit;
  service::EventSource timer;  // of the phase
  service::EventSource watchdog;

  void signal(int number) const noexcept {
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0);
  }
};

ProcessLauncher::ProcessLauncher(service::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      notify_(loop, options_.runtime_folder,
              [this](NotifySocket::Message& message) { received(message); }) {
  if (options_.program.empty()) options_.program = running_program();
}

ProcessLauncher::~ProcessLauncher() = default;

void ProcessLauncher::defer(std::function<void()> work) {
  const int id = next_deferred_++;
  deferred_[id] = loop_.add_defer([this, id, work = std::move(work)] {
    const service::EventSource kept = std::move(deferred_[id]);
    deferred_.erase(id);
    work();
  });
}

void ProcessLauncher::start(const std::string& tunnel, Done done) {
  if (!children_.contains(tunnel)) return launch(tunnel, done);
  defer([done = std::move(done)] {
    done(LaunchFailure{ErrorKind::kInProgress, "a session of it runs already"});
  });
}

void ProcessLauncher::launch(const std::string& tunnel, const Done& done) {
  auto child = std::make_unique<Child>();
  try {
    child->pid = spawn_session(tunnel);
    child->pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, child->pid, 0)));
    child->exit =
        loop_.add_child(child->pid, [this, tunnel](int status) { exited(tunnel, status); });
    child->timer = loop_.add_timer(loop_.now() + options_.start_timeout,
                                   [this, tunnel] { give_up_start(tunnel); });
    child->start_done = done;
    children_[tunnel] = std::move(child);
  } catch (const Error& error) {
    if (child->pid > 0) {  // ours and not reaped: the id is still its
      ::kill(child->pid, SIGKILL);
      ::waitpid(child->pid, nullptr, 0);
    }
    defer([done, text = std::string(error.what())] {
      done(LaunchFailure{ErrorKind::kLauncherFailed, text});
    });
  }
}

pid_t ProcessLauncher::spawn_session(const std::string& tunnel) const {
  std::vector<std::string> arguments{"vpntund", "--session", tunnel};
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  return spawn(options_.program, std::move(arguments),
               environment_with(notify_.path(), options_.watchdog), stored_.of(tunnel));
}

void ProcessLauncher::received(NotifySocket::Message& message) {
  const auto at = std::ranges::find_if(
      children_, [&](const auto& each) { return each.second->pid == message.sender; });
  if (at == children_.end()) return;
  const auto& [tunnel, child] = *at;
  stored_.take(tunnel, message);
  if (const auto status = message.value_of("STATUS")) child->status_text = escaped(*status, 1000);
  if (message.value_of("STOPPING") == "1") child->said_stopping = true;
  const bool ready = message.value_of("READY") == "1" && child->phase == Child::Phase::kStarting;
  if (ready || message.value_of("WATCHDOG") == "1") feed_watchdog(tunnel);
  if (!ready) return;
  child->phase = Child::Phase::kRunning;
  child->timer = {};
  if (const Done done = std::exchange(child->start_done, {})) done(std::nullopt);
}

// In two steps: after a suspend, or when we were stopped ourselves, time has passed in which no
// session could answer. The last quarter of its time it has in any case.
void ProcessLauncher::feed_watchdog(const std::string& tunnel) {
  const Instant end = BootClock::now() + options_.watchdog * 3 / 4;
  children_.at(tunnel)->watchdog = loop_.add_timer(end, [this, tunnel] { last_quarter(tunnel); });
}

void ProcessLauncher::last_quarter(const std::string& tunnel) {
  const Instant end = BootClock::now() + options_.watchdog / 4;
  children_.at(tunnel)->watchdog = loop_.add_timer(end, [this, tunnel] {
    Child& silent = *children_.at(tunnel);
    silent.watchdog = {};
    notify_.drain();  // what it said may be there, and we the slow ones
    if (silent.watchdog) return;
    log::event(log::Event::kSessionKilled, {.tunnel = tunnel},
               "tunnel {}: its session does not answer, it is killed", tunnel);
    silent.starved = true;
    silent.signal(SIGKILL);
  });
}

void ProcessLauncher::give_up_start(const std::string& tunnel) {
  notify_.drain();  // what it said may be there, and we the slow ones
  Child& child = *children_.at(tunnel);
  if (child.phase != Child::Phase::kStarting) return;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(options_.start_timeout).count();
  child.start_outcome = LaunchFailure{
      ErrorKind::kTimeout, fmt::format("it was not ready within {} s{}{}", seconds,
                                       child.status_text.empty() ? "" : "; ", child.status_text)};
  child.phase = Child::Phase::kStopping;
  end(tunnel, SIGTERM);
}

void ProcessLauncher::stop(const std::string& tunnel, Done done) {
  const auto at = children_.find(tunnel);
  if (at == children_.end()) {
    stored_.drop(tunnel);
    defer([done = std::move(done)] { done(std::nullopt); });
    return;
  }
  Child& child = *at->second;
  child.stop_done.push_back(std::move(done));
  // What one that restarts has left in place is taken down by the one that follows.
  if (child.phase == Child::Phase::kStopping || child.phase == Child::Phase::kRestarting) return;
  child.start_outcome = kStoppedWhileStarting;
  child.phase = Child::Phase::kStopping;
  end(tunnel, SIGTERM);
}

void ProcessLauncher::restart(const std::string& tunnel, Done done) {
  const auto at = children_.find(tunnel);
  if (at == children_.end()) return launch(tunnel, done);
  Child& child = *at->second;
  if (child.phase == Child::Phase::kStopping || child.phase == Child::Phase::kRestarting) {
    defer([done = std::move(done)] {
      done(LaunchFailure{ErrorKind::kInProgress, "it is being stopped or restarted"});
    });
    return;
  }
  child.start_outcome = kStoppedWhileStarting;
  child.restart_done = std::move(done);
  child.phase = Child::Phase::kRestarting;
  end(tunnel, SIGUSR1);
}

void ProcessLauncher::end(const std::string& tunnel, int signal_number) {
  Child& child = *children_.at(tunnel);
  child.signal(signal_number);
  child.watchdog = {};
  child.timer = loop_.add_timer(loop_.now() + options_.stop_timeout, [this, tunnel] {
    log::event(log::Event::kSessionKilled, {.tunnel = tunnel},
               "tunnel {}: its session does not end, it is killed", tunnel);
    children_.at(tunnel)->signal(SIGKILL);
  });
}

bool ProcessLauncher::adopt(const std::string& tunnel, int pid) {
  if (children_.contains(tunnel)) return true;
  auto child = std::make_unique<Child>();
  child->pid = pid;
  child->phase = Child::Phase::kRunning;
  try {
    child->pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    child->exit = loop_.add_child(pid, [this, tunnel](int status) { exited(tunnel, status); });
  } catch (const Error& error) {
    log::debug("tunnel {}: {}", tunnel, error.what());
    return false;
  }
  children_[tunnel] = std::move(child);
  return true;
}

void ProcessLauncher::exited(const std::string& tunnel, int status) {
  notify_.drain();  // its last words
  const std::unique_ptr<Child> child = std::move(children_.at(tunnel));
  children_.erase(tunnel);
  LaunchOutcome outcome = outcome_of(status, child->status_text);
  if (status == -1 && child->said_stopping) outcome.reset();
  if (child->starved)
    outcome = LaunchFailure{ErrorKind::kLauncherFailed,
                            "the session process did not answer the watchdog, and was killed"};
  // One that crashed has left its tunnel in place, for the next start.
  if (child->phase == Child::Phase::kStopping || !outcome)
    if (child->phase != Child::Phase::kRestarting) stored_.drop(tunnel);
  if (Done done = std::exchange(child->start_done, {})) {
    if (child->start_outcome) outcome = child->start_outcome;
    if (!outcome)
      outcome = LaunchFailure{ErrorKind::kLauncherFailed,
                              "the session process ended before it was ready"};
    done(outcome);
  } else if (child->phase == Child::Phase::kRunning) {
    if (died_) died_(tunnel, outcome);
  }
  if (child->phase == Child::Phase::kRestarting) return follow(tunnel, *child);
  for (const Done& done : child->stop_done) done(std::nullopt);
}

// Whoever wants it stopped meanwhile has to wait for the next session, which can take everything
// down.
void ProcessLauncher::follow(const std::string& tunnel, Child& before) {
  launch(tunnel, before.restart_done);
  for (Done& done : before.stop_done) stop(tunnel, std::move(done));
}

}  // namespace vpntun::manager
