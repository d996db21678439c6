#include "os/netns.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <filesystem>
#include <system_error>
#include <thread>

#include "base/error.h"

namespace vpntun::os {
namespace {

constexpr const char* kFolder = "/run/netns";
constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

std::string path_of(const std::string& name) {
  const bool usable = !name.empty() && name.size() <= 200 && name != "." && name != ".." &&
                      name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  if (!usable)
    throw Error(ErrorKind::kInvalidArguments, "\"{}\" is no name for a network namespace", name);
  return std::string(kFolder) + "/" + name;
}

// Throws for a step that needs to administer namespaces.
[[noreturn]] void throw_denied_or(int error_number, std::string_view attempted) {
  if (error_number == EPERM || error_number == EACCES)
    throw Error(ErrorKind::kAccessDenied, "{}: {} (this needs CAP_SYS_ADMIN)", attempted,
                std::generic_category().message(error_number));
  throw_errno(error_number, attempted);
}

UniqueFd open_netns(const char* path) {
  return UniqueFd(::open(path, O_RDONLY | O_CLOEXEC));
}

// Runs `work` in a short-lived thread that has a new network namespace; returns 0 or the errno of
// what failed. The caller's thread keeps its own namespace whatever happens.
template <typename Work>
int in_new_netns(Work work) {
  int error_number = 0;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) < 0)
      error_number = errno;
    else
      error_number = work();
  }).join();
  return error_number;
}

// Takes the lock that iproute2 takes, too. Every user can take it and keep it, so it is waited for
// no longer than a rightful owner needs: without it, two may at worst mount the folder twice.
void lock_folder(int folder) noexcept {
  for (int attempt = 0; attempt < 50 && ::flock(folder, LOCK_EX | LOCK_NB) < 0; ++attempt)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

// Makes kFolder a mount point whose mounts reach the other mount namespaces, as ip-netns(8) does:
// so a name can be removed, and seen, from any of them.
void prepare_folder() {
  constexpr std::string_view kAttempted = "prepare /run/netns for named network namespaces";
  if (::mkdir(kFolder, 0755) < 0 && errno != EEXIST) throw_denied_or(errno, kAttempted);
  const UniqueFd folder(::open(kFolder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) throw_denied_or(errno, kAttempted);
  lock_folder(folder.get());
  if (::mount("", kFolder, "none", MS_SHARED | MS_REC, nullptr) == 0) return;
  if (errno != EINVAL) throw_denied_or(errno, kAttempted);
  if (::mount(kFolder, kFolder, "none", MS_BIND | MS_REC, nullptr) < 0 ||
      ::mount("", kFolder, "none", MS_SHARED | MS_REC, nullptr) < 0)
    throw_denied_or(errno, kAttempted);
}

}  // namespace

Netns Netns::current() {
  UniqueFd fd = open_netns(kOwnNetns);
  if (!fd) throw_errno(errno, "open the network namespace of this thread");
  return Netns(std::move(fd));
}

Netns Netns::open(const std::string& name) {
  UniqueFd fd = open_netns(path_of(name).c_str());
  if (!fd && errno != ENOENT)
    throw_denied_or(errno, fmt::format("open network namespace {}", name));
  // A file on which nothing is mounted is left by a creation or removal that was cut short.
  if (!fd || ::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    throw Error(ErrorKind::kNetworkNamespace, "there is no network namespace {}", name);
  return Netns(std::move(fd));
}

Netns Netns::of_tun(int fd) {
  UniqueFd netns(::ioctl(fd, TUNGETDEVNETNS));
  if (!netns) throw_errno(errno, "find the network namespace of a TUN descriptor");
  return Netns(std::move(netns));
}

Netns Netns::of_socket(int fd) {
  UniqueFd netns(::ioctl(fd, SIOCGSKNS));
  if (!netns) throw_errno(errno, "find the network namespace of a socket");
  return Netns(std::move(netns));
}

Netns Netns::create(const std::string& name) {
  const std::string attempted = fmt::format("create network namespace {}", name);
  const std::string path = path_of(name);
  prepare_folder();
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
  if (!file && errno == EEXIST)
    throw Error(ErrorKind::kNetworkNamespace, "{}: it exists already", attempted);
  if (!file) throw_denied_or(errno, attempted);

  const int error_number = in_new_netns(
      [&] { return ::mount(kOwnNetns, path.c_str(), "none", MS_BIND, nullptr) < 0 ? errno : 0; });
  if (error_number != 0) {
    ::unlink(path.c_str());
    throw_denied_or(error_number, attempted);
  }
  return open(name);
}

Netns Netns::create_anonymous() {
  UniqueFd fd;
  const int error_number = in_new_netns([&] {
    fd = open_netns(kOwnNetns);
    return fd ? 0 : errno;
  });
  if (error_number != 0) throw_denied_or(error_number, "create a network namespace");
  return Netns(std::move(fd));
}

bool Netns::operator==(const Netns& other) const {
  struct stat mine {};
  struct stat others {};
  if (::fstat(fd(), &mine) < 0 || ::fstat(other.fd(), &others) < 0)
    throw_errno(errno, "compare network namespaces");
  return mine.st_dev == others.st_dev && mine.st_ino == others.st_ino;
}

void remove_netns(const std::string& name) {
  const std::string attempted = fmt::format("remove network namespace {}", name);
  const std::string path = path_of(name);
  if (::umount2(path.c_str(), MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
    throw_denied_or(errno, attempted);
  if (::unlink(path.c_str()) == 0) return;
  if (errno == ENOENT) throw Error(ErrorKind::kNetworkNamespace, "{}: there is none", attempted);
  throw_denied_or(errno, attempted);
}

bool netns_exists(const std::string& name) {
  const UniqueFd fd = open_netns(path_of(name).c_str());
  return fd && ::ioctl(fd.get(), NS_GET_NSTYPE) == CLONE_NEWNET;
}

std::vector<std::string> list_netns() {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder, none))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

NetnsScope::NetnsScope(const Netns& netns) : previous_(Netns::current()) {
  if (::setns(netns.fd(), CLONE_NEWNET) < 0) throw_denied_or(errno, "enter a network namespace");
}

NetnsScope::~NetnsScope() {
  if (::setns(previous_.fd(), CLONE_NEWNET) < 0) std::terminate();
}

}  // namespace vpntun::os
