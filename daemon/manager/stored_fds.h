// What sessions keep over their own end, as in systemd's descriptor store: by tunnel, under names.
// Called by ProcessLauncher. Thread: control.
#pragma once

#include <map>
#include <string>

#include "manager/notify_socket.h"
#include "manager/spawn.h"

namespace vpntun::manager {

// Of a tunnel; FileDescriptorStoreMax= of its unit.
inline constexpr std::size_t kMaxStoredFds = 40;

class StoredFds {
 public:
  // What a message says with FDSTORE=1 or FDSTOREREMOVE=1. Those of a name in one message replace
  // those there are.
  void take(const std::string& tunnel, NotifySocket::Message& message);
  const NamedFds& of(const std::string& tunnel) const;
  void drop(const std::string& tunnel) { stored_.erase(tunnel); }

 private:
  std::map<std::string, NamedFds> stored_;
};

}  // namespace vpntun::manager
