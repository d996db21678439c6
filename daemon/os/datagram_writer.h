// Turns packets into messages for sendmmsg. Where the kernel cuts messages itself (UDP_SEGMENT, see
// udp(7)), a run of packets of one size between the same ends is one message. Used by udp.cc alone.
// Thread: the worker's.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>

#include "os/udp_message.h"
#include "packet/batch.h"

namespace vpntun::os {

class DatagramWriter {
 public:
  // What every kernel takes: UDP_MAX_SEGMENTS of those before 6.9, and an IP packet's length.
  static constexpr std::size_t kMaxRun = 64;           // packets
  static constexpr std::size_t kMaxRunBytes = 65'000;  // of payload

  // Points messages at packets from `first` on, as many as there are arrays for; returns how many
  // messages, 0 if `first` cannot be sent by such a socket. gather: runs may share a message.
  std::size_t prepare(packet::Batch& batch, std::size_t first, Family socket_family,
                      bool gather) noexcept;

  mmsghdr* messages() noexcept { return messages_.data(); }
  // Packets in a message prepared.
  std::size_t packets_in(std::size_t message) const noexcept {
    return messages_[message].msg_hdr.msg_iovlen;
  }

 private:
  std::array<mmsghdr, packet::kBatchSize> messages_{};
  std::array<iovec, packet::kBatchSize> vectors_{};
  std::array<sockaddr_storage, packet::kBatchSize> addresses_{};
  std::array<Control, packet::kBatchSize> controls_{};
};

}  // namespace vpntun::os
