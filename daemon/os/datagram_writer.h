// Turns packets into messages for sendmmsg. Where the kernel cuts messages itself (UDP_SEGMENT, see
// udp(7)), a run of packets of one size between the same ends is one message. Used by udp.cc alone.
// Thread: the worker's, but for segments().
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstddef>

#include "os/udp_message.h"
#include "packet/batch.h"
#include "packet/offload_state.h"

namespace vpntun::os {

class DatagramWriter {
 public:
  // What every kernel takes: UDP_MAX_SEGMENTS of those before 6.9, and an IP packet's length.
  static constexpr std::size_t kMaxRun = 64;           // packets
  static constexpr std::size_t kMaxRunBytes = 65'000;  // of payload

  explicit DatagramWriter(packet::OffloadState segments) noexcept : segments_(segments) {}

  // UDP_SEGMENT: whether the kernel cuts messages. Any thread.
  packet::OffloadState segments() const noexcept {
    return segments_.load(std::memory_order_relaxed);
  }
  // The kernel refused a message that it should have cut: it gets no other.
  void lose_segments(int error_number) noexcept;

  // Points messages at packets from `first` on, as many as there are arrays for; returns how many
  // messages, 0 if `first` cannot be sent by such a socket. gather: runs may share a message, where
  // the kernel cuts them.
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
  std::atomic<packet::OffloadState> segments_;
  static_assert(std::atomic<packet::OffloadState>::is_always_lock_free);
};

}  // namespace vpntun::os
