#include "kernel_test.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "os/address.h"
#include "os/route.h"

namespace vpntun::os {
namespace {

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

bool enter_namespaces() {
  if (::geteuid() == 0) return ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0;
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) < 0) return false;
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", fmt::format("0 {} 1", user));
  write_file("/proc/self/gid_map", fmt::format("0 {} 1", group));
  return true;
}

}  // namespace

void KernelTest::SetUp() {
  ASSERT_TRUE(enter_namespaces()) << std::strerror(errno);
  ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  ASSERT_EQ(::mount("none", "/run", "tmpfs", 0, nullptr), 0);
  // A new namespace takes these over from the machine.
  for (const char* each : {"all/rp_filter", "default/rp_filter", "all/forwarding"})
    write_file(std::string("/proc/sys/net/ipv4/conf/") + each, "0");
  netlink_.emplace();
  set_link_up(netlink(), loopback(), true);
}

void TwoHostsTest::SetUp() {
  KernelTest::SetUp();
  far_ = Netns::create_anonymous();
  create_veth(netlink(), "left", "right", far_->fd());
  {
    const NetnsScope scope(*far_);
    far_netlink_.emplace();
  }
  left_ = get_link(netlink(), "left").index;
  right_ = get_link(*far_netlink_, "right").index;
  set_link_up(netlink(), left_, true);
  set_link_up(*far_netlink_, right_, true);
  set_link_up(*far_netlink_, get_link(*far_netlink_, "lo").index, true);
  ASSERT_TRUE(eventually([&] { return get_link(netlink(), left_).lower_up; }));
  add_address(netlink(), left_, prefix("10.9.0.1/24"));
  add_address(netlink(), left_, prefix("fd00:9::1/64"));
  add_address(*far_netlink_, right_, prefix("10.9.0.2/24"));
  add_address(*far_netlink_, right_, prefix("fd00:9::2/64"));
  ASSERT_TRUE(becomes_local(netlink(), "fd00:9::1"));
  ASSERT_TRUE(becomes_local(*far_netlink_, "fd00:9::2"));
}

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
IpPrefix prefix(std::string_view text) {
  return IpPrefix::parse(text).value();
}
Endpoint endpoint(std::string_view text) {
  return Endpoint::parse(text).value();
}

std::optional<Error> error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return std::nullopt;
}

bool wait_readable(int fd) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, 60'000) == 1 && (wanted.revents & POLLIN) != 0;
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

bool becomes_local(NetlinkSocket& netlink, std::string_view address) {
  return eventually([&] {
    return lookup_route(netlink, {.destination = ip(address)}).type == RouteType::kLocal;
  });
}

bool without_capabilities(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct none[2] = {};
    if (::syscall(SYS_capset, &header, none) < 0) ::_exit(2);
    ::_exit(check() ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace vpntun::os
