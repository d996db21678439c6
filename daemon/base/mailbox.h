// Messages to a thread: a queue and an eventfd its loop polls. post() from any thread; take() and
// fd() belong to the receiving thread. Used between batches, never per packet.
#pragma once

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace vpntun {

template <typename Message>
class Mailbox {
 public:
  Mailbox() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!event_) throw_errno(errno, "create an eventfd");
  }

  void post(Message message) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(message));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof(one));
  }

  // Readable when a message waits.
  int fd() const noexcept { return event_.get(); }

  // All messages posted so far, oldest first.
  std::vector<Message> take() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(event_.get(), &count, sizeof(count));
    const std::lock_guard lock(mutex_);
    return std::exchange(queue_, {});
  }

 private:
  UniqueFd event_;
  std::mutex mutex_;
  std::vector<Message> queue_;
};

}  // namespace vpntun
