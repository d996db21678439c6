#include "ctl/lab/isolation.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ctl/lab/folder.h"

namespace vpntun::lab {
namespace {

constexpr unsigned long kNamespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET;

pid_t fork_into(unsigned long namespaces) {
  return static_cast<pid_t>(
      ::syscall(SYS_clone, namespaces | SIGCHLD, nullptr, nullptr, nullptr, 0));
}

[[noreturn]] void throw_not_allowed(int error_number) {
  throw Error(ErrorKind::kAccessDenied,
              "make the namespaces of the lab: {}\n"
              "The lab needs user namespaces, or root. This machine allows neither: run it as "
              "root, or ask for\n"
              "  sysctl kernel.unprivileged_userns_clone=1            (Debian)\n"
              "  sysctl user.max_user_namespaces=15000\n"
              "  sysctl kernel.apparmor_restrict_unprivileged_userns=0   (Ubuntu)",
              std::generic_category().message(error_number));
}

void mount_or_throw(const char* source, const char* target, const char* type, unsigned long flags,
                    const char* options, const std::string& attempted) {
  if (::mount(source, target, type, flags, options) != 0) throw_errno(errno, attempted);
}

// Binds one entry of the old /run at the same place of the new one.
void keep_entry(const std::filesystem::directory_entry& entry) {
  namespace fs = std::filesystem;
  const std::string target = "/run/" + entry.path().filename().string();
  std::error_code ignored;
  if (entry.is_symlink(ignored)) {
    fs::create_symlink(fs::read_symlink(entry.path(), ignored), target, ignored);
    return;
  }
  if (entry.is_directory(ignored)) {
    fs::create_directory(target, ignored);
  } else {
    UniqueFd(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).reset();
  }
  ::mount(entry.path().c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr);
}

// A machine that never had a named namespace has no /run/netns to mount on, and making one would
// leave a trace: /run becomes a folder of ours in which all of the old one still lies at its place.
void replace_run() {
  const UniqueFd old_run(::open("/run", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!old_run) throw_errno(errno, "open /run");
  mount_or_throw("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755",
                 "mount a private /run");
  const std::string old_path = fmt::format("/proc/self/fd/{}", old_run.get());
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(old_path, ignored))
    keep_entry(entry);
  if (::mkdir("/run/netns", 0755) != 0) throw_errno(errno, "create the private /run/netns");
}

}  // namespace

Isolated fork_isolated() {
  pid_t pid = fork_into(kNamespaces);
  if (pid >= 0) return {pid, false};
  if (errno != EPERM) throw_not_allowed(errno);
  pid = fork_into(kNamespaces | CLONE_NEWUSER);
  if (pid < 0) throw_not_allowed(errno);
  return {pid, true};
}

void map_user_to_root(pid_t child) {
  const std::string folder = fmt::format("/proc/{}/", child);
  try {
    write_file(folder + "setgroups", "deny");
    write_file(folder + "uid_map", fmt::format("0 {} 1\n", ::geteuid()));
    write_file(folder + "gid_map", fmt::format("0 {} 1\n", ::getegid()));
  } catch (const Error&) {
    throw_not_allowed(EPERM);
  }
}

void make_private_mounts() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw_not_allowed(errno);
  if (::access("/run/netns", F_OK) != 0) replace_run();
  mount_or_throw("tmpfs", "/run/netns", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755",
                 "mount a private /run/netns");
  mount_or_throw("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr,
                 "mount the lab's /proc (a container that masks parts of /proc forbids it)");
}

}  // namespace vpntun::lab
