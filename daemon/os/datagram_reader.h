// Receives datagrams into memory of its own: several messages per system call and, where the kernel
// gathered a run of equal ones from one sender (UDP_GRO), many datagrams per message. Used by
// udp.cc alone. Thread: the worker's.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "os/udp_message.h"
#include "packet/batch.h"
#include "packet/ports.h"

namespace vpntun::os {

class DatagramReader {
 public:
  // Messages of 64 KiB each: what is read at once has to stay in the caches.
  static constexpr std::size_t kMessages = 16;

  DatagramReader();

  // Appends what the socket has, or first what is left of the last call. Asynchronous errors of the
  // socket are taken off. The bytes are good until the next call.
  packet::Reading read(int fd, packet::Batch& batch) noexcept;

 private:
  // A message on its way into batches.
  struct Message {
    Endpoint remote;
    Arrival arrival;
    std::size_t length = 0;
    std::size_t taken = 0;  // bytes
  };

  bool receive(int fd) noexcept;
  bool append_next(packet::Batch& batch) noexcept;

  std::unique_ptr<std::uint8_t[]> memory_;  // of all messages; untouched pages stay unmapped
  std::array<mmsghdr, kMessages> headers_{};
  std::array<iovec, kMessages> vectors_{};
  std::array<sockaddr_storage, kMessages> addresses_{};
  std::array<Control, kMessages> controls_{};
  std::size_t received_ = 0;  // messages of the last call
  std::size_t next_ = 0;      // of them, to be looked at next
  Message current_;
};

}  // namespace vpntun::os
