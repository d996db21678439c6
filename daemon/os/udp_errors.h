// The error queue of a UDP socket (IP_RECVERR, ip(7)): what ICMP said of datagrams that were sent.
// As long as something is in it, epoll says EPOLLERR, and the next call of the socket fails with
// what is none of its business. Used by udp.cc alone. Thread: the socket's.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "packet/unreachable.h"

namespace vpntun::os {

class UdpErrors {
 public:
  // Asks the kernel to queue them. attempted: for the Error.
  static void enable(int fd, Family family, std::string_view attempted);

  // Takes off what is queued, all but for an endless flood. True: there was something that a call
  // of the socket may have failed with, though it was about an earlier datagram.
  bool drain(int fd) noexcept;
  // What was taken off since the last call, the newest of each remote; valid until the next
  // drain(). What is too much is forgotten.
  std::span<const packet::Unreachable> take() noexcept;

 private:
  void keep(const packet::Unreachable& unreachable) noexcept;

  std::array<packet::Unreachable, 32> kept_;
  std::size_t count_ = 0;
};

}  // namespace vpntun::os
