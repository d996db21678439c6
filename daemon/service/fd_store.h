// Descriptors that outlive this process: the service manager keeps a copy of each and hands them
// over at the next start (systemd.service(5), FileDescriptorStoreMax=). Without $NOTIFY_SOCKET
// nothing is kept. Called by session. Thread: control.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace vpntun::service {

class FdStore {
 public:
  // Of a process that was handed nothing.
  FdStore() = default;
  // Of one that was handed these, by name.
  explicit FdStore(std::vector<std::pair<std::string, UniqueFd>> handed_over)
      : handed_over_(std::move(handed_over)) {}
  // What was handed over at this start. Takes it out of the environment: call once, before there
  // are threads.
  static FdStore received();

  FdStore(FdStore&&) noexcept = default;
  FdStore& operator=(FdStore&&) noexcept = default;

  // Everything that was handed over under this name. It stays in the store, too.
  std::vector<UniqueFd> take(const std::string& name);

  // The names of what was handed over and nobody took.
  std::vector<std::string> left() const;

  // Whether the service manager drops its copy when the descriptor reports an error or a hang-up,
  // as an interface does that was deleted; and a socket for every ICMP error that comes in.
  enum class Evicted { kOnError, kNever };
  // All there are of a name: those in the store have to be the same. A refusal is logged: then a
  // restart begins anew.
  void put(const std::string& name, const std::vector<int>& fds, Evicted evicted);
  // Everything of these names. When it returns, the service manager has let go of its copies.
  void remove(const std::vector<std::string>& names);

 private:
  std::vector<std::pair<std::string, UniqueFd>> handed_over_;
};

}  // namespace vpntun::service
