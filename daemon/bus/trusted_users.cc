#include "bus/trusted_users.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace vpntun::bus {

TrustedUsers::TrustedUsers() : users_{0, ::geteuid()} {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r("vpntun", &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    users_.push_back(found->pw_uid);
}

bool TrustedUsers::contains(uid_t user) const noexcept {
  return std::ranges::find(users_, user) != users_.end();
}

}  // namespace vpntun::bus
