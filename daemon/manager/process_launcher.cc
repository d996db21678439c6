#include "manager/process_launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"
#include "dbus/error_names.h"

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

std::vector<std::string> environment_with(const std::string& notify_socket) {
  std::vector<std::string> environment;
  for (char** at = environ; *at != nullptr; ++at)
    if (!is_for_us_only(*at)) environment.emplace_back(*at);
  environment.push_back("NOTIFY_SOCKET=" + notify_socket);
  return environment;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// posix_spawn(3) attributes and file actions, freed on all ways out.
struct SpawnSettings {
  SpawnSettings() {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    // Ours are closed on exec; what we were started with ourselves may not be.
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_t files{};
};

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

}  // namespace

struct ProcessLauncher::Child {
  enum class Phase {
    kStarting,  // READY=1 is awaited
    kRunning,
    kStopping,  // told to end: by stop(), or because it took too long to start
  };

  pid_t pid = -1;
  UniqueFd pidfd;  // signals go through it, so that they cannot hit another process
  Phase phase = Phase::kStarting;
  bool said_stopping = false;
  std::string status_text;
  LaunchOutcome start_outcome;  // once the start is given up
  Done start_done;
  std::vector<Done> stop_done;
  service::EventSource exit;
  service::EventSource timer;

  void signal(int number) const noexcept {
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0);
  }
};

ProcessLauncher::ProcessLauncher(service::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      notify_(loop, options_.runtime_folder,
              [this](pid_t sender, std::string_view assignment) { received(sender, assignment); }) {
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
  if (children_.contains(tunnel)) {
    defer([done = std::move(done)] {
      done(LaunchFailure{ErrorKind::kInProgress, "a session of it runs already"});
    });
    return;
  }
  auto child = std::make_unique<Child>();
  try {
    child->pid = spawn(tunnel);
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

pid_t ProcessLauncher::spawn(const std::string& tunnel) const {
  std::vector<std::string> arguments{"vpntund", "--session", tunnel};
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  std::vector<std::string> environment = environment_with(notify_.path());
  const SpawnSettings settings;
  pid_t pid = -1;
  const int result =
      ::posix_spawn(&pid, options_.program.c_str(), &settings.files, &settings.attributes,
                    pointers_to(arguments).data(), pointers_to(environment).data());
  if (result != 0) throw_errno(result, "run " + options_.program);
  return pid;
}

void ProcessLauncher::received(pid_t sender, std::string_view assignment) {
  constexpr std::string_view kStatus = "STATUS=";
  for (const auto& [tunnel, child] : children_) {
    if (child->pid != sender) continue;
    if (assignment.starts_with(kStatus))
      child->status_text = escaped(assignment.substr(kStatus.size()), 1000);
    if (assignment == "STOPPING=1") child->said_stopping = true;
    if (assignment != "READY=1" || child->phase != Child::Phase::kStarting) return;
    child->phase = Child::Phase::kRunning;
    child->timer = {};
    if (Done done = std::exchange(child->start_done, {})) done(std::nullopt);
    return;
  }
}

void ProcessLauncher::give_up_start(const std::string& tunnel) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(options_.start_timeout).count();
  children_.at(tunnel)->start_outcome =
      LaunchFailure{ErrorKind::kTimeout, fmt::format("it was not ready within {} s", seconds)};
  terminate(tunnel);
}

void ProcessLauncher::stop(const std::string& tunnel, Done done) {
  const auto at = children_.find(tunnel);
  if (at == children_.end()) {
    defer([done = std::move(done)] { done(std::nullopt); });
    return;
  }
  at->second->stop_done.push_back(std::move(done));
  if (at->second->phase == Child::Phase::kStopping) return;
  at->second->start_outcome = LaunchFailure{ErrorKind::kFailed, "stopped while starting"};
  terminate(tunnel);
}

void ProcessLauncher::terminate(const std::string& tunnel) {
  Child& child = *children_.at(tunnel);
  child.phase = Child::Phase::kStopping;
  child.signal(SIGTERM);
  child.timer = loop_.add_timer(loop_.now() + options_.stop_timeout, [this, tunnel] {
    log::warning("tunnel {}: its session does not end, it is killed", tunnel);
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
  if (Done done = std::exchange(child->start_done, {})) {
    if (child->phase == Child::Phase::kStopping) outcome = child->start_outcome;
    if (!outcome)
      outcome = LaunchFailure{ErrorKind::kLauncherFailed,
                              "the session process ended before it was ready"};
    done(outcome);
  } else if (child->phase == Child::Phase::kRunning) {
    if (died_) died_(tunnel, outcome);
  }
  for (const Done& done : child->stop_done) done(std::nullopt);
}

}  // namespace vpntun::manager
