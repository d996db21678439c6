#include "service/fd_store.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include <cstring>
#include <memory>

#include "base/log.h"

namespace vpntun::service {

namespace {

constexpr std::uint64_t kBarrierUsec = 5'000'000;

// The strings and their array, as sd_listen_fds_with_names(3) allocates them.
struct FreeNames {
  void operator()(char** names) const noexcept {
    for (char** name = names; *name != nullptr; ++name) ::free(*name);
    ::free(names);
  }
};

}  // namespace

FdStore FdStore::received() {
  FdStore store;
  char** found = nullptr;
  const int count = sd_listen_fds_with_names(/*unset_environment=*/1, &found);
  const std::unique_ptr<char*, FreeNames> names(found);
  if (count < 0) log::warning("take stored descriptors over: {}", std::strerror(-count));
  for (int i = 0; i < count; ++i)
    store.handed_over_.emplace_back(names.get()[i], UniqueFd(SD_LISTEN_FDS_START + i));
  return store;
}

std::vector<UniqueFd> FdStore::take(const std::string& name) {
  std::vector<UniqueFd> fds;
  for (auto& [its_name, fd] : handed_over_)
    if (its_name == name) fds.push_back(std::move(fd));
  std::erase_if(handed_over_, [&](const auto& each) { return each.first == name; });
  return fds;
}

std::vector<std::string> FdStore::left() const {
  std::vector<std::string> names;
  for (const auto& [name, fd] : handed_over_) names.push_back(name);
  return names;
}

void FdStore::put(const std::string& name, const std::vector<int>& fds, Evicted evicted) {
  const std::string message =
      "FDSTORE=1\nFDNAME=" + name + (evicted == Evicted::kNever ? "\nFDPOLL=0" : "");
  const int result =
      sd_pid_notify_with_fds(0, 0, message.c_str(), fds.data(), static_cast<unsigned>(fds.size()));
  if (result < 0) log::warning("store descriptor \"{}\": {}", name, std::strerror(-result));
}

void FdStore::remove(const std::vector<std::string>& names) {
  int result = 0;
  for (const std::string& name : names) {
    std::erase_if(handed_over_, [&](const auto& each) { return each.first == name; });
    result = sd_notify(0, ("FDSTOREREMOVE=1\nFDNAME=" + name).c_str());
  }
  if (result > 0) result = sd_notify_barrier(0, kBarrierUsec);
  if (result < 0) log::warning("remove stored descriptors: {}", std::strerror(-result));
}

}  // namespace vpntun::service
