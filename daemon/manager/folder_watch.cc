#include "manager/folder_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"

namespace vpntun::manager {

namespace {

constexpr std::uint32_t kInteresting = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                       IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kLost = IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT;
// Folders may come and go while they are looked at; after that many looks the next event decides.
constexpr int kLooks = 8;

}  // namespace

FolderWatch::FolderWatch(service::Loop& loop, std::vector<std::string> folders, Changed changed)
    : loop_(loop), folders_(std::move(folders)), changed_(std::move(changed)) {
  renew();
}

std::vector<FolderWatch::Target> FolderWatch::targets_now() const {
  std::vector<Target> targets;
  for (const std::string& folder : folders_) {
    std::error_code error;
    std::filesystem::path path = std::filesystem::absolute(folder, error).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    std::string awaited;
    while (!std::filesystem::is_directory(path, error) && path != path.root_path()) {
      awaited = path.filename().string();
      path = path.parent_path();
    }
    targets.push_back({path.string(), awaited});
  }
  return targets;
}

void FolderWatch::renew() {
  for (int look = 0; look < kLooks; ++look) {
    std::vector<Target> targets = targets_now();
    if (!lost_ && targets == targets_) return;
    watch(std::move(targets));
  }
}

void FolderWatch::watch(std::vector<Target> targets) {
  lost_ = true;  // until all is watched
  events_ = {};
  watched_.clear();
  inotify_.reset();
  inotify_.reset(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) throw_errno(errno, "watch the profile folders");
  bool lost = false;
  for (const Target& target : targets) {
    const int descriptor =
        inotify_add_watch(inotify_.get(), target.path.c_str(), kInteresting | IN_ONLYDIR);
    if (descriptor >= 0)
      watched_.emplace(descriptor, target);
    else if (errno == ENOENT || errno == ENOTDIR)
      lost = true;
    else if (errno != EACCES)
      throw_errno(errno, "watch " + target.path);
  }
  targets_ = std::move(targets);
  events_ = loop_.add_io(inotify_.get(), EPOLLIN, [this](std::uint32_t) { read_events(); });
  lost_ = lost;
}

bool FolderWatch::matters(int watch_descriptor, std::string_view file) const {
  const auto [first, last] = watched_.equal_range(watch_descriptor);
  for (auto at = first; at != last; ++at)
    if (at->second.awaited.empty() || at->second.awaited == file) return true;
  return false;
}

void FolderWatch::read_events() {
  alignas(inotify_event) std::array<char, 16384> buffer{};
  const ssize_t length = ::read(inotify_.get(), buffer.data(), buffer.size());
  std::vector<std::string> files;
  bool everything = false;
  for (ssize_t at = 0; at < length;) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const std::string file = event.len > 0 ? buffer.data() + at + sizeof event : "";
    at += static_cast<ssize_t>(sizeof event + event.len);
    if ((event.mask & kLost) != 0) lost_ = true;
    if ((event.mask & (kLost | IN_Q_OVERFLOW)) != 0 || (matters(event.wd, file) && file.empty()))
      everything = true;
    else if (matters(event.wd, file))
      files.push_back(file);
  }
  for (const std::string& file : files) changed_(file);
  if (everything) changed_("");
}

}  // namespace vpntun::manager
