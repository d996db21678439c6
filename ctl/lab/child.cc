#include "ctl/lab/child.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/error.h"

namespace vpntun::lab {
namespace {

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!added.contains(std::string(text.substr(0, text.find('='))))) all.emplace_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(fmt::format("{}={}", name, value));
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

pid_t fork_for(const Program& program) {
  if (!program.alone) return ::fork();
  return static_cast<pid_t>(
      ::syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, 0));
}

// The first process of a PID namespace is no place for a program: the kernel keeps signals from it.
// In it, returns in a process for the program; the first one reaps, and ends as the program does.
bool leave_first_process(int report) {
  const pid_t program = ::fork();
  if (program <= 0) return program == 0;
  ::close(report);
  int status = 0;
  pid_t ended = 0;
  while (ended != program) ended = ::waitpid(-1, &status, 0);
  ::_exit(exit_code_of(status));
}

// In the child: only async-signal-safe calls.
[[noreturn]] void run_in_child(const Program& program, char** arguments, char** environment,
                               int null_fd, int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGQUIT, SIGPIPE, SIGCHLD}) ::signal(number, SIG_DFL);
  bool ready = program.netns < 0 || ::setns(program.netns, CLONE_NEWNET) == 0;
  ready = ready && ::dup2(program.input >= 0 ? program.input : null_fd, STDIN_FILENO) >= 0;
  if (program.output >= 0) {
    ready = ready && ::dup2(program.output, STDOUT_FILENO) >= 0 &&
            ::dup2(program.output, STDERR_FILENO) >= 0;
  }
  for (const int fd : program.keep) ready = ready && ::fcntl(fd, F_SETFD, 0) == 0;
  ready = ready && (!program.alone || leave_first_process(report));
  if (ready) ::execvpe(arguments[0], arguments, environment);
  const int error_number = errno;
  [[maybe_unused]] const auto written = ::write(report, &error_number, sizeof(error_number));
  ::_exit(127);
}

}  // namespace

Pipe Pipe::make() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno(errno, "create a pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Child Child::start(const Program& program) {
  std::vector<std::string> argument_texts = program.arguments;
  std::vector<std::string> environment_texts = merged_environment(program.environment);
  const std::vector<char*> arguments = pointers(argument_texts);
  const std::vector<char*> environment = pointers(environment_texts);
  const UniqueFd null_fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Pipe report = Pipe::make();
  const pid_t pid = fork_for(program);
  if (pid < 0) throw_errno(errno, "fork");
  if (pid == 0) {
    run_in_child(program, const_cast<char**>(arguments.data()),
                 const_cast<char**>(environment.data()), null_fd.get(), report.write.get());
  }
  report.write.reset();
  int error_number = 0;
  if (::read(report.read.get(), &error_number, sizeof(error_number)) == sizeof(error_number)) {
    ::waitpid(pid, nullptr, 0);
    throw_errno(error_number, fmt::format("run {}", program.arguments.front()));
  }
  Child child;
  child.pid_ = pid;
  return child;
}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill_and_wait();
    pid_ = std::exchange(other.pid_, 0);
    status_ = other.status_;
  }
  return *this;
}

void Child::signal(int signal_number) noexcept {
  if (pid_ > 0 && !poll()) ::kill(pid_, signal_number);
}

std::optional<int> Child::poll() noexcept {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = 0;
    status_ = status;
  }
  return pid_ > 0 ? std::nullopt : status_;
}

int Child::wait() noexcept {
  int status = 0;
  while (pid_ > 0) {
    const pid_t ended = ::waitpid(pid_, &status, 0);
    if (ended < 0 && errno == EINTR) continue;
    pid_ = 0;
    status_ = status;
  }
  return status_.value_or(0);
}

void Child::stop(Duration patience) noexcept {
  signal(SIGTERM);
  const Instant deadline = BootClock::now() + patience;
  while (pid_ > 0 && !poll() && BootClock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill_and_wait();
}

void Child::kill_and_wait() noexcept {
  signal(SIGKILL);
  wait();
}

int exit_code_of(int status) noexcept {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string program_path(const std::string& name) {
  char self[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof(self));
  if (length > 0) {
    const std::string path(self, static_cast<std::size_t>(length));
    const std::string folder = path.substr(0, path.rfind('/'));
    for (const char* place : {"/", "/../../sbin/", "/../../bin/"}) {
      std::string candidate = fmt::format("{}{}{}", folder, place, name);
      if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
  }
  return name;
}

bool program_exists(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0;
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), program);
    if (::access(candidate.c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return false;
}

}  // namespace vpntun::lab
