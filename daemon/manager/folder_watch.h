// Tells when something happens in one of several folders, with inotify(7). A folder need not exist:
// then its nearest existing ancestor is watched for the way to it to appear. Called by the
// catalogue. Thread: control.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "service/loop.h"

namespace vpntun::manager {

class FolderWatch {
 public:
  // file: a name in one of the folders; empty: look at everything again, and call renew().
  using Changed = std::function<void(std::string_view file)>;

  // Throws Error when inotify cannot be had.
  FolderWatch(service::Loop& loop, std::vector<std::string> folders, Changed changed);

  // Watches the folders that exist now. Throws Error when it cannot, to be called again. What
  // happened before this returns may have gone unnoticed: look after it.
  void renew();

 private:
  struct Target {
    std::string path;
    std::string awaited;  // the entry of path that matters; empty: all of them
    bool operator==(const Target&) const = default;
  };

  std::vector<Target> targets_now() const;
  void watch(std::vector<Target> targets);
  void read_events();
  bool matters(int watch_descriptor, std::string_view file) const;

  service::Loop& loop_;
  std::vector<std::string> folders_;
  Changed changed_;
  std::vector<Target> targets_;
  std::multimap<int, Target> watched_;  // by watch descriptor: two targets may be one inode
  bool lost_ = true;                    // a watched folder went away
  UniqueFd inotify_;
  service::EventSource events_;
};

}  // namespace vpntun::manager
