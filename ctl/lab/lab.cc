#include "ctl/lab/lab.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "ctl/lab/child.h"
#include "ctl/lab/isolation.h"
#include "ctl/lab/keeper.h"

namespace vpntun::lab {
namespace {

std::string read_all(int fd) {
  std::string all;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t length = ::read(fd, part.data(), part.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return all;
    all.append(part.data(), static_cast<std::size_t>(length));
  }
}

void say(const UniqueFd& fd, std::string_view text) {
  [[maybe_unused]] const auto written = ::write(fd.get(), text.data(), text.size());
}

std::string system_bus_address() {
  const char* chosen = std::getenv("DBUS_SYSTEM_BUS_ADDRESS");
  return chosen != nullptr && *chosen != '\0' ? chosen : "unix:path=/run/dbus/system_bus_socket";
}

// What would fail later with less to say.
void require_machine(const Folder& folder, Bus bus) {
  if (::access("/dev/net/tun", R_OK | W_OK) != 0)
    throw Error(
        ErrorKind::kNotSupported,
        "open /dev/net/tun: {}\nTunnels need it; as root: modprobe tun, or run the lab as root.",
        std::generic_category().message(errno));
  if (bus == Bus::kPrivate && !program_exists("dbus-daemon"))
    throw Error(ErrorKind::kNotSupported, "there is no dbus-daemon: apt install dbus-daemon");
  for (const char* program : {"vpntund", "vpnctl"}) {
    if (!program_exists(program_path(program)))
      throw Error(ErrorKind::kNotSupported, "there is no {} beside this program or in $PATH",
                  program);
  }
  if (folder.bus_socket().size() >= sizeof(sockaddr_un::sun_path))
    throw Error(ErrorKind::kInvalidArguments, "the path {} is too long for a socket",
                folder.path());
}

// Every process of the lab keeps open only what it needs: whoever waits for the end of a pipe would
// otherwise wait for the lab.
void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = STDERR_FILENO + 1;
  for (const int fd : kept) {
    if (fd < 0) continue;
    if (static_cast<unsigned>(fd) > next)
      ::syscall(SYS_close_range, next, static_cast<unsigned>(fd) - 1, 0);
    next = static_cast<unsigned>(fd) + 1;
  }
  ::syscall(SYS_close_range, next, ~0U, 0);
}

// The guardian outlives the command that started it.
void detach(const Folder& folder) {
  ::setsid();
  const int null_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int log = ::open(folder.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(null_fd, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  for (const int number : {SIGINT, SIGHUP, SIGPIPE}) ::signal(number, SIG_IGN);
}

int be_keeper(KeeperPlan plan, int lock, int go) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  close_all_but({lock, go, plan.report.get(), plan.lifeline.get()});
  char byte = 0;
  if (::read(go, &byte, 1) != 1) return 1;
  return keep(std::move(plan));
}

struct StartedKeeper {
  pid_t pid = 0;
  UniqueFd report;
};

StartedKeeper start_keeper(KeeperPlan plan, int lock) {
  Pipe report = Pipe::make();
  Pipe go = Pipe::make();
  plan.report = std::move(report.write);
  const Isolated keeper = fork_isolated();
  if (keeper.pid == 0) {
    ::_exit(be_keeper(std::move(plan), lock, go.read.get()));
  }
  plan.report.reset();
  if (keeper.user_namespace) map_user_to_root(keeper.pid);
  [[maybe_unused]] const auto written = ::write(go.write.get(), "g", 1);
  return {keeper.pid, std::move(report.read)};
}

// The guardian: the keeper's parent, outside the lab's namespaces. It removes the folder when the
// keeper is gone, and the kernel kills the keeper when the guardian is.
[[noreturn]] void be_guardian(KeeperPlan plan, int lock) {
  detach(plan.folder);
  close_all_but({lock, plan.report.get(), plan.lifeline.get()});
  const Folder folder = plan.folder;
  const std::string bus = plan.bus;
  UniqueFd report = std::move(plan.report);
  try {
    const StartedKeeper keeper = start_keeper(std::move(plan), lock);
    const std::string said = read_all(keeper.report.get());
    if (said == "ok") folder.write_state({::getpid(), keeper.pid, bus});
    say(report, said);
    report.reset();
    while (::waitpid(keeper.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  } catch (const Error& error) {
    say(report, error.what());
  }
  folder.remove();
  ::_exit(0);
}

// Whether the process ended by itself within that time. No pidfd: it had before.
bool ends(const UniqueFd& pidfd, Duration patience) {
  if (!pidfd) return true;
  const Instant deadline = BootClock::now() + patience;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - BootClock::now());
    pollfd wait{pidfd.get(), POLLIN, 0};
    if (::poll(&wait, 1, std::max(0, static_cast<int>(left.count()))) > 0) return true;
    if (left.count() <= 0) return false;
  }
}

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// Writing into a pipe that nobody reads any longer would end us without a word.
Pipe make_lifeline() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno(errno, "create the lifeline of the lab");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Nobody else is using it, or it stays.
bool remove_unused(const Folder& folder) {
  const auto lock = folder.create_and_lock();
  if (lock) folder.remove();
  return lock.has_value();
}

void signal_by(const UniqueFd& pidfd, int number) {
  if (pidfd) ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0);
}

}  // namespace

bool Lifeline::let_stay() {
  return ::send(fd_.get(), "k", 1, MSG_NOSIGNAL) == 1;
}

Lifeline start_lab(const Folder& folder, Bus bus) {
  require_machine(folder, bus);
  std::optional<UniqueFd> lock = folder.create_and_lock();
  if (!lock)
    throw Error(ErrorKind::kInProgress,
                "a lab is up already (its folder: {})\nLook at it: vpnctl lab status. Take it "
                "down: vpnctl lab down",
                folder.path());
  Pipe report = Pipe::make();
  Pipe lifeline = make_lifeline();
  KeeperPlan plan{folder, bus == Bus::kPrivate,
                  bus == Bus::kPrivate ? "unix:path=" + folder.bus_socket() : system_bus_address(),
                  std::move(report.write), std::move(lifeline.read)};
  const pid_t guardian = ::fork();
  if (guardian < 0) throw_errno(errno, "fork");
  if (guardian == 0) {
    report.read.reset();
    lifeline.write.reset();
    be_guardian(std::move(plan), lock->get());
  }
  lock.reset();
  plan.report.reset();
  plan.lifeline.reset();
  const std::string said = read_all(report.read.get());
  if (said == "ok") return Lifeline(std::move(lifeline.write));
  ::waitpid(guardian, nullptr, 0);
  throw Error(ErrorKind::kFailed, "{}", said.empty() ? "the lab died while it came up" : said);
}

bool stop_lab(const Folder& folder) {
  std::optional<LabState> state = folder.running();
  if (!state) {
    // Nothing; or the folder of a lab whose guardian was killed, or that is coming up or going.
    if (::access(folder.path().c_str(), F_OK) != 0 || remove_unused(folder)) return false;
    state = folder.running();
    if (!state) return false;
  }
  const UniqueFd guardian = open_pidfd(state->guardian);
  const UniqueFd keeper = open_pidfd(state->keeper);
  signal_by(keeper, SIGTERM);
  if (!ends(keeper, std::chrono::seconds(5))) signal_by(keeper, SIGKILL);
  // The guardian removes the folder, and may take its time; one that was killed did not.
  if (!ends(guardian, std::chrono::seconds(60))) signal_by(guardian, SIGKILL);
  ends(guardian, std::chrono::seconds(60));
  ::waitpid(state->guardian, nullptr, WNOHANG);
  if (::access(folder.path().c_str(), F_OK) == 0) remove_unused(folder);
  return true;
}

}  // namespace vpntun::lab
