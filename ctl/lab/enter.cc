#include "ctl/lab/enter.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "ctl/lab/child.h"
#include "os/netns.h"

namespace vpntun::lab {
namespace {

// Entering the user namespace one is in already is refused.
bool same_user_namespace(pid_t other) {
  struct stat theirs {};
  struct stat ours {};
  return ::stat(fmt::format("/proc/{}/ns/user", other).c_str(), &theirs) == 0 &&
         ::stat("/proc/self/ns/user", &ours) == 0 && theirs.st_ino == ours.st_ino;
}

void join(const LabState& state) {
  const UniqueFd keeper(static_cast<int>(::syscall(SYS_pidfd_open, state.keeper, 0)));
  if (!keeper) throw_errno(errno, "find the lab's keeper");
  char here[PATH_MAX];
  const bool knows_here = ::getcwd(here, sizeof(here)) != nullptr;
  int namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET;
  if (!same_user_namespace(state.keeper)) namespaces |= CLONE_NEWUSER;
  if (::setns(keeper.get(), namespaces) != 0) throw_errno(errno, "enter the lab");
  if (!knows_here || ::chdir(here) != 0) {
    if (::chdir("/") != 0) throw_errno(errno, "enter the lab's root folder");
  }
}

int work_in_child(const std::function<int()>& work, const sigset_t& before) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  try {
    return work();
  } catch (const Error& error) {
    std::fprintf(stderr, "vpnctl lab: %s\n", error.what());
    return error.kind() == ErrorKind::kInvalidArguments ? 2 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vpnctl lab: %s\n", error.what());
    return 1;
  }
}

// The joined process stays outside: what it forks is the first of ours inside the PID namespace.
int wait_passing_signals(pid_t child, const sigset_t& handled) {
  for (;;) {
    siginfo_t received{};
    if (::sigwaitinfo(&handled, &received) < 0) continue;
    if (received.si_signo == SIGCHLD) {
      int status = 0;
      if (::waitpid(child, &status, WNOHANG | WUNTRACED) != child) continue;
      if (WIFSTOPPED(status)) continue;
      return exit_code_of(status);
    }
    // From the kernel: the terminal, which told the child as well.
    if (received.si_code != SI_KERNEL) ::kill(child, received.si_signo);
  }
}

}  // namespace

std::map<std::string, std::string> lab_environment(const Folder& folder, const LabState& state,
                                                   const std::string& host) {
  std::map<std::string, std::string> environment;
  environment["DBUS_SYSTEM_BUS_ADDRESS"] = state.bus;
  environment["VPNTUN_LAB_FOLDER"] = folder.path();
  if (!host.empty()) environment["VPNTUN_LAB_HOST"] = host;
  const std::string self = program_path("vpnctl");
  const std::size_t slash = self.rfind('/');
  const char* path = std::getenv("PATH");
  if (slash != std::string::npos)
    environment["PATH"] = self.substr(0, slash) + ":" + (path != nullptr ? path : "/usr/bin:/bin");
  return environment;
}

int run_inside(const LabState& state, const std::function<int()>& work) {
  sigset_t handled;
  sigset_t before;
  sigemptyset(&handled);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) sigaddset(&handled, number);
  ::sigprocmask(SIG_BLOCK, &handled, &before);
  std::fflush(nullptr);
  const pid_t gate = ::fork();
  if (gate < 0) throw_errno(errno, "fork");
  if (gate == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int code = 1;
    try {
      join(state);
      const pid_t inner = ::fork();
      if (inner < 0) throw_errno(errno, "fork");
      code = inner == 0 ? work_in_child(work, before) : wait_passing_signals(inner, handled);
    } catch (const Error& error) {
      std::fprintf(stderr, "vpnctl lab: %s\n", error.what());
    }
    std::fflush(nullptr);
    ::_exit(code);
  }
  const int code = wait_passing_signals(gate, handled);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return code;
}

void exec_on_host(Host host, const std::vector<std::string>& command,
                  const std::map<std::string, std::string>& environment) {
  const os::Netns netns = os::Netns::open(name_of(host));
  if (::setns(netns.fd(), CLONE_NEWNET) != 0) throw_errno(errno, "enter host " + name_of(host));
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<std::string> texts = command;
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  const int error_number = errno;
  std::fprintf(stderr, "vpnctl lab: cannot run %s: %s\n", command[0].c_str(),
               std::generic_category().message(error_number).c_str());
  ::_exit(error_number == ENOENT ? 127 : 126);
}

}  // namespace vpntun::lab
