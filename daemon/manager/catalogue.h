// The profiles on disk: every NAME.toml of the profile folders, the first folder that has a name
// wins. Follows the folders with inotify. Called by the Manager. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manager/folder_watch.h"
#include "service/loop.h"

namespace vpntun::manager {

struct ProfileEntry {
  std::string name;
  std::string path;
  std::string description;
  std::string kind;        // "tun", "tap"; empty when the profile has errors
  std::string encryption;  // "none", "wireguard"; empty when the profile has errors
  bool valid = false;
  std::string problem;          // the first error and how many more there are; empty when valid
  bool active_session = false;  // of [access]
  std::uint64_t time_usec = 0;  // modification time, microseconds since 1970; 0 with errors
  bool operator==(const ProfileEntry&) const = default;
};

class Catalogue {
 public:
  // A profile appeared, changed or vanished: find() says which. Also during refresh().
  using Changed = std::function<void(const std::string& name)>;
  static constexpr std::size_t kMaximum = 256;

  // Throws Error when the folders cannot be watched. A folder need not exist.
  Catalogue(service::Loop& loop, std::vector<std::string> folders);
  void on_changed(Changed changed) { changed_ = std::move(changed); }

  const std::map<std::string, ProfileEntry>& profiles() const noexcept { return profiles_; }
  const ProfileEntry* find(const std::string& name) const noexcept;
  // Looks at the folders now rather than when inotify has told.
  void refresh();

 private:
  // What tells two versions of a file apart.
  struct Version {
    std::string path;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Version&) const = default;
  };

  void file_changed(std::string_view file);
  void refresh_after(Duration wait);
  std::map<std::string, Version> scan();
  void scan_folder(const std::string& folder, std::map<std::string, Version>& found);
  void keep_known(const std::string& folder, const std::string& why,
                  std::map<std::string, Version>& found);
  void warn_once(const std::string& subject, std::string_view problem);

  service::Loop& loop_;
  std::vector<std::string> folders_;
  Changed changed_;
  std::map<std::string, ProfileEntry> profiles_;
  std::map<std::string, Version> versions_;
  std::set<std::string> dirty_;       // names whose file was written since the last look
  std::set<std::string> unreadable_;  // folders, spoken of
  std::set<std::string> warned_;      // odd names already spoken of
  service::EventSource debounce_;
  FolderWatch watch_;
};

}  // namespace vpntun::manager
