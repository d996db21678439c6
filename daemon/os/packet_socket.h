// A capture socket (AF_PACKET) on one interface, for the lab's captures: every packet that passes,
// with time and direction. Opened in the network namespace of the calling thread. Thread: one at a
// time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/unique_fd.h"

namespace vpntun::os {

struct CapturedPacket {
  std::span<const std::uint8_t> bytes;  // valid until the next receive
  std::uint32_t original_length = 0;    // on the wire
  std::chrono::sys_time<std::chrono::nanoseconds> time;
  bool outgoing = false;  // sent by this host
};

class PacketSocket {
 public:
  // index: of the interface. Errors: kAccessDenied (CAP_NET_RAW), kFailed.
  static PacketSocket open(unsigned index);

  int fd() const noexcept { return fd_.get(); }
  // Ethernet frames (veth, TAP), else bare IP packets (TUN).
  bool ethernet() const noexcept { return ethernet_; }
  // The next packet, nullopt when none waits. Never blocks. An interface that is down or gone gives
  // nothing.
  std::optional<CapturedPacket> receive();
  // Packets lost since the last call because nobody read in time.
  std::uint32_t take_lost();

 private:
  PacketSocket(UniqueFd fd, bool ethernet);

  UniqueFd fd_;
  bool ethernet_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace vpntun::os
