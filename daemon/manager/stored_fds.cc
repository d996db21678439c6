#include "manager/stored_fds.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace vpntun::manager {

namespace {

constexpr std::size_t kLongestName = 255;  // as systemd: no ':', which separates names

bool is_name(std::string_view name) {
  return name.size() <= kLongestName &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
}

}  // namespace

void StoredFds::take(const std::string& tunnel, NotifySocket::Message& message) {
  const bool stores = message.value_of("FDSTORE") == "1";
  if (!stores && message.value_of("FDSTOREREMOVE") != "1") return;
  const std::string name(message.value_of("FDNAME").value_or("stored"));
  if (!is_name(name)) return;
  NamedFds& fds = stored_[tunnel];
  std::erase_if(fds, [&](const auto& each) { return each.first == name; });
  if (!stores) return;
  for (UniqueFd& fd : message.fds) {
    if (fds.size() == kMaxStoredFds) {
      log::warning("tunnel {}: its session stores more than {} descriptors", tunnel, kMaxStoredFds);
      return;
    }
    fds.emplace_back(name, std::move(fd));
  }
}

const NamedFds& StoredFds::of(const std::string& tunnel) const {
  static const NamedFds kNone;
  const auto at = stored_.find(tunnel);
  return at == stored_.end() ? kNone : at->second;
}

}  // namespace vpntun::manager
