// The users whose processes are part of vpntun: root, the one this process runs as, and the one of
// its units. They may do everything, and a session is believed only when it is theirs. Called by
// Authority and SessionWatch. Thread: control.
#pragma once

#include <sys/types.h>

#include <vector>

namespace vpntun::bus {

class TrustedUsers {
 public:
  // Looks the user "vpntun" up, which may block: before the loop runs.
  TrustedUsers();

  bool contains(uid_t user) const noexcept;

 private:
  std::vector<uid_t> users_;
};

}  // namespace vpntun::bus
