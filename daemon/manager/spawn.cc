#include "manager/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"

namespace vpntun::manager {

namespace {

constexpr int kFirstHandedOver = STDERR_FILENO + 1;  // SD_LISTEN_FDS_START
constexpr std::string_view kListenPid = "LISTEN_PID=";
constexpr std::size_t kPidDigits = 10;  // of the largest

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Everything the new process needs, made before there is one: between fork(2) and execve(2) nothing
// is allocated.
struct Plan {
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  char* pid_digits = nullptr;   // in the environment, with room; null: nothing to hand over
  std::vector<UniqueFd> fds{};  // copies above all the numbers they will have
  int report = -1;              // takes an errno
};

// Without leading zeros: those would make it octal.
void write_pid(char* digits) noexcept {
  const auto pid = static_cast<unsigned>(::getpid());
  std::size_t length = 1;
  for (unsigned rest = pid / 10; rest != 0; rest /= 10) ++length;
  digits[length] = '\0';
  for (unsigned rest = pid; length-- > 0; rest /= 10)
    digits[length] = static_cast<char>('0' + rest % 10);
}

// In the new process. Comes back only with an error.
int become(const Plan& plan) noexcept {
  ::setsid();
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || ::dup2(null, STDIN_FILENO) < 0) return errno;
  int next = kFirstHandedOver;
  for (const UniqueFd& fd : plan.fds)
    if (::dup2(fd.get(), next++) < 0) return errno;
  // Ours are closed on exec; what we were started with ourselves may not be.
  if (::close_range(static_cast<unsigned>(next), ~0U, CLOSE_RANGE_CLOEXEC) != 0) return errno;
  if (plan.pid_digits != nullptr) write_pid(plan.pid_digits);
  ::execve(plan.program, plan.arguments, plan.environment);
  return errno;
}

pid_t run(const Plan& plan) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int error_number = become(plan);
  [[maybe_unused]] const auto told = ::write(plan.report, &error_number, sizeof error_number);
  ::_exit(127);
}

}  // namespace

pid_t spawn(const std::string& program, std::vector<std::string> arguments,
            std::vector<std::string> environment, const NamedFds& handed_over) {
  Plan plan;
  const int beyond = kFirstHandedOver + static_cast<int>(handed_over.size());
  std::string names;
  for (const auto& [name, fd] : handed_over) {
    plan.fds.emplace_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, beyond));
    if (!plan.fds.back()) throw_errno(errno, "hand descriptors over to " + program);
    names += (names.empty() ? "" : ":") + name;
  }
  if (!handed_over.empty()) {
    environment.push_back("LISTEN_FDS=" + std::to_string(handed_over.size()));
    environment.push_back("LISTEN_FDNAMES=" + names);
    environment.push_back(std::string(kListenPid) + std::string(kPidDigits, '0'));
    plan.pid_digits = environment.back().data() + kListenPid.size();
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno(errno, "run " + program);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  if (writer.get() < beyond) writer = UniqueFd(::fcntl(writer.get(), F_DUPFD_CLOEXEC, beyond));
  if (!writer) throw_errno(errno, "run " + program);
  const std::vector<char*> argument_list = pointers_to(arguments);
  const std::vector<char*> environment_list = pointers_to(environment);
  plan.program = program.c_str();
  plan.arguments = argument_list.data();
  plan.environment = environment_list.data();
  plan.report = writer.get();

  const pid_t pid = run(plan);
  if (pid < 0) throw_errno(errno, "run " + program);
  writer.reset();
  int error_number = 0;
  // Without a word the pipe is closed by execve(2).
  if (::read(reader.get(), &error_number, sizeof error_number) != sizeof error_number) return pid;
  ::waitpid(pid, nullptr, 0);
  throw_errno(error_number, "run " + program);
}

}  // namespace vpntun::manager
