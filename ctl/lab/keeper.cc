#include "ctl/lab/keeper.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "ctl/lab/child.h"
#include "ctl/lab/isolation.h"
#include "ctl/lab/login_service.h"
#include "ctl/lab/profiles.h"
#include "ctl/lab/topology.h"
#include "os/link.h"
#include "os/netlink.h"
#include "os/netns.h"

namespace vpntun::lab {
namespace {

constexpr Duration kReadyWithin = std::chrono::seconds(60);

std::string bus_configuration(const std::string& socket) {
  return fmt::format(
      R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <!-- Without a rule that lets users in, only the bus's own user may connect. -->
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
)",
      socket);
}

// Reads until `child` says something on `fd`. Throws Error kFailed when it ends or is silent for
// too long.
std::string first_words(int fd, Child& child, const std::string& name, const Folder& folder) {
  const Instant deadline = BootClock::now() + kReadyWithin;
  std::array<char, 4096> text;
  while (BootClock::now() < deadline) {
    pollfd wait{fd, POLLIN, 0};
    ::poll(&wait, 1, 50);
    if ((wait.revents & POLLIN) != 0) {
      const ssize_t length = ::read(fd, text.data(), text.size());
      if (length > 0) return std::string(text.data(), static_cast<std::size_t>(length));
    }
    if (const auto status = child.poll())
      throw Error(ErrorKind::kFailed, "{} ended with status {}. Its last words:\n{}", name,
                  exit_code_of(*status), read_file(folder.log()));
  }
  throw Error(ErrorKind::kTimeout, "{} did not get ready. Its last words:\n{}", name,
              read_file(folder.log()));
}

Child start_bus(const KeeperPlan& plan) {
  const std::string configuration = plan.folder.path() + "/bus.conf";
  write_file(configuration, bus_configuration(plan.folder.bus_socket()));
  Pipe address = Pipe::make();
  Program program;
  program.arguments = {"dbus-daemon",
                       "--nofork",
                       "--nopidfile",
                       "--nosyslog",
                       "--config-file=" + configuration,
                       fmt::format("--print-address={}", address.write.get())};
  program.keep = {address.write.get()};
  Child bus = Child::start(program);
  address.write.reset();
  first_words(address.read.get(), bus, "dbus-daemon", plan.folder);
  return bus;
}

// The socket of sd_notify(3): the manager sends READY=1 when its objects are on the bus.
UniqueFd open_notify_socket(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0)
    throw_errno(errno, "open the notification socket");
  return fd;
}

Child start_manager(const KeeperPlan& plan) {
  const std::string path = plan.folder.path() + "/notify";
  const UniqueFd notify = open_notify_socket(path);
  Program program;
  program.arguments = {program_path("vpntund"), "--launcher",           "process",
                       "--profile-folder",      plan.folder.profiles(), "--runtime-folder",
                       plan.folder.runtime()};
  program.environment = {{"DBUS_SYSTEM_BUS_ADDRESS", plan.bus}, {"NOTIFY_SOCKET", path}};
  Child manager = Child::start(program);
  std::string said;
  do {
    said = first_words(notify.get(), manager, "vpntund", plan.folder);
  } while (said.find("READY=1") == std::string::npos);
  return manager;
}

void start_login_service() {
  const os::NetnsScope scope(os::Netns::open(name_of(Host::kV)));
  const UniqueFd listener = listen_for_logins(kLoginPort);
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno(errno, "fork");
  if (pid > 0) return;
  // The report's end of file is the keeper's to give: nothing of its may stay open here.
  const UniqueFd kept(::dup2(listener.get(), 3));
  ::syscall(SYS_close_range, 4U, ~0U, 0);
  serve_logins(kept);
}

void bring_loopback_up() {
  os::NetlinkSocket netlink;
  os::set_link_up(netlink, os::get_link(netlink, "lo").index, true);
}

void stay(const KeeperPlan& plan, int signals) {
  pollfd waits[2] = {{signals, POLLIN, 0}, {plan.lifeline.get(), POLLIN, 0}};
  for (;;) {
    if (::poll(waits, 2, -1) < 0) continue;
    signalfd_siginfo received{};
    if (waits[0].revents != 0 && ::read(signals, &received, sizeof(received)) > 0) {
      if (received.ssi_signo != SIGCHLD) return;
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
    }
    if (waits[1].revents != 0) {
      char byte = 0;
      if (::read(plan.lifeline.get(), &byte, 1) != 1) return;
      waits[1].fd = -1;
    }
  }
}

}  // namespace

int keep(KeeperPlan plan) {
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&handled, number);
  ::sigprocmask(SIG_SETMASK, &handled, nullptr);
  const UniqueFd signals(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  try {
    make_private_mounts();
    bring_loopback_up();
    build_topology();
    if (::mkdir(plan.folder.profiles().c_str(), 0755) != 0 ||
        ::mkdir(plan.folder.runtime().c_str(), 0755) != 0)
      throw_errno(errno, "create the folders of the lab");
    write_base_profiles(plan.folder.profiles());
    start_login_service();
    Child bus;
    if (plan.private_bus) bus = start_bus(plan);
    const Child manager = start_manager(plan);
    [[maybe_unused]] const auto written = ::write(plan.report.get(), "ok", 2);
    plan.report.reset();
    stay(plan, signals.get());
  } catch (const Error& error) {
    const std::string_view text = error.what();
    [[maybe_unused]] const auto written = ::write(plan.report.get(), text.data(), text.size());
    return 1;
  }
  return 0;
}

}  // namespace vpntun::lab
