#include "ctl/lab/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/time.h"

namespace vpntun::lab {
namespace {

constexpr Duration kSettledWithin = std::chrono::seconds(90);  // a lab that comes up, or goes

std::string default_path() {
  const auto from_environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  std::string chosen = from_environment("VPNTUN_LAB_FOLDER");
  if (!chosen.empty()) return chosen;
  if (::geteuid() == 0) return "/run/vpntun-lab";
  const std::string runtime = from_environment("XDG_RUNTIME_DIR");
  if (!runtime.empty() && ::access(runtime.c_str(), W_OK) == 0) return runtime + "/vpntun-lab";
  return fmt::format("/tmp/vpntun-lab-{}", ::geteuid());
}

UniqueFd open_folder(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// In /tmp anybody may have made a folder of that name before us.
void require_ours(int fd, const std::string& path) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) throw_errno(errno, "look at " + path);
  if (facts.st_uid != ::geteuid() || (facts.st_mode & 077) != 0)
    throw Error(ErrorKind::kAccessDenied, "{} belongs to somebody else or is open to others", path);
}

bool still_there(int fd, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

void remove_contents(const std::string& path) noexcept {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(path, ignored))
    std::filesystem::remove_all(entry.path(), ignored);
}

}  // namespace

Folder::Folder() : path_(default_path()) {}

std::optional<UniqueFd> Folder::create_and_lock() const {
  // A look by running() holds a shared lock for a moment, a lab going down removes the folder under
  // us, and one coming up holds the lock before it is there.
  const Instant deadline = BootClock::now() + kSettledWithin;
  while (BootClock::now() < deadline) {
    if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) throw_errno(errno, "create " + path_);
    UniqueFd fd = open_folder(path_);
    if (!fd && errno == ENOENT) continue;
    if (!fd) throw_errno(errno, "open " + path_);
    require_ours(fd.get(), path_);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      if (!still_there(fd.get(), path_)) continue;
      remove_contents(path_);  // of a lab that was killed
      return fd;
    }
    if (running()) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return std::nullopt;
}

bool Folder::locked() const {
  const UniqueFd fd = open_folder(path_);
  return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::optional<LabState> Folder::running() const {
  if (!locked()) return std::nullopt;
  std::ifstream file(path_ + "/state");
  LabState state;
  if (file >> state.guardian >> state.keeper >> state.bus) return state;
  return std::nullopt;
}

void Folder::write_state(const LabState& state) const {
  const std::string fresh = path_ + "/state.new";
  write_file(fresh, fmt::format("{}\n{}\n{}\n", state.guardian, state.keeper, state.bus));
  if (::rename(fresh.c_str(), (path_ + "/state").c_str()) != 0)
    throw_errno(errno, "write the state of the lab");
}

void Folder::remove() const noexcept {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file)
    throw Error(ErrorKind::kFailed, "write {}: {}", path, std::generic_category().message(errno));
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace vpntun::lab
