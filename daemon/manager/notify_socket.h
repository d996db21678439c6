// The socket session processes report to: the receiving side of sd_notify(3). Called by
// ProcessLauncher. Thread: control.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "service/loop.h"

namespace vpntun::manager {

class NotifySocket {
 public:
  struct Message {
    pid_t sender = 0;                // vouched for by the kernel
    std::vector<std::string> lines;  // "READY=1", "STATUS=text"
    std::vector<UniqueFd> fds;       // closed after the call, if nobody takes them

    // The value of the first line "NAME=value"; nothing without one.
    std::optional<std::string_view> value_of(std::string_view name) const;
  };
  using Received = std::function<void(Message& message)>;

  // Binds folder/notify; a socket left there by an earlier manager is replaced. folder is made, for
  // its owner only; empty: a new one under /tmp. Throws Error.
  NotifySocket(service::Loop& loop, std::string folder, Received received);
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // For $NOTIFY_SOCKET.
  const std::string& path() const noexcept { return path_; }
  // Everything sent so far, now: before judging a process that has just ended.
  void drain();

 private:
  bool receive_one();

  std::string folder_;
  bool own_folder_ = false;
  std::string path_;
  Received received_;
  UniqueFd socket_;
  service::EventSource source_;
};

}  // namespace vpntun::manager
