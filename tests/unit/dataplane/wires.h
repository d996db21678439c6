// Ports of socket pairs: a whole worker with its threads, and the test where the kernel and the
// network would be.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dataplane/workers.h"
#include "simulated.h"

namespace vpntun::dataplane {

using namespace std::chrono_literals;

// A pair of connected datagram sockets, non-blocking.
inline std::pair<UniqueFd, UniqueFd> wire() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Nothing more can be sent before somebody reads (sock_alloc_send_pskb() in net/core/sock.c).
inline bool is_full(const UniqueFd& socket) {
  int waiting = 0;
  int room = 0;
  socklen_t size = sizeof room;
  EXPECT_EQ(::ioctl(socket.get(), SIOCOUTQ, &waiting), 0);
  EXPECT_EQ(::getsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &room, &size), 0);
  return waiting >= room;
}

inline UniqueFd one_more(const UniqueFd& fd) {
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
}

// What is there, as views of `memory`, each from `remote`.
inline packet::Reading read_all(int fd, packet::Batch& memory, packet::Batch& batch,
                                const Endpoint& remote = {}) {
  memory.clear();
  while (!batch.full() && memory.fits(packet::kMaxPacket)) {
    const auto room = memory.room();
    const ssize_t got = ::recv(fd, room.data(), room.size(), 0);
    if (got == 0) return packet::Reading::kGone;
    if (got < 0) return packet::Reading::kDrained;
    batch.append_view(memory.append(static_cast<std::size_t>(got))).remote = remote;
  }
  return packet::Reading::kMore;
}

inline void write_all(int fd, packet::Batch& batch) {
  for (packet::Packet& packet : batch.packets()) {
    const ssize_t sent = ::send(fd, packet.bytes.data(), packet.bytes.size(), MSG_NOSIGNAL);
    packet.error_number = sent < 0 ? errno : 0;
    packet.verdict = sent >= 0           ? packet::SendVerdict::kSent
                     : (errno == EAGAIN) ? packet::SendVerdict::kWouldBlock
                                         : packet::SendVerdict::kRefused;
  }
}

class WireInside final : public packet::InsidePort {
 public:
  explicit WireInside(UniqueFd fd) : fd_(std::move(fd)) {}
  int fd() const noexcept override { return fd_.get(); }
  packet::Reading receive(packet::Batch& batch) noexcept override {
    return read_all(fd_.get(), memory_, batch);
  }
  void send(packet::Batch& batch) noexcept override { write_all(fd_.get(), batch); }
  packet::OffloadStates offloads() const override { return {kInsideState}; }

  static constexpr packet::OffloadState kInsideState{packet::OffloadKind::kTso4};

 private:
  UniqueFd fd_;
  packet::Batch memory_;
};

// Everything goes to, and comes from, the one at the other end.
class WireOutside final : public packet::OutsidePort {
 public:
  WireOutside(UniqueFd fd, const std::string& remote)
      : fd_(std::move(fd)), remote_(endpoint(remote)) {}
  int fd() const noexcept override { return fd_.get(); }
  packet::Reading receive(packet::Batch& batch) noexcept override {
    // A socket of the kernel is never gone.
    const packet::Reading reading = read_all(fd_.get(), memory_, batch, remote_);
    return reading == packet::Reading::kGone ? packet::Reading::kDrained : reading;
  }
  void send(packet::Batch& batch) noexcept override { write_all(fd_.get(), batch); }
  packet::OffloadStates offloads() const override { return {kOutsideState}; }

  static constexpr packet::OffloadState kOutsideState{packet::OffloadKind::kUdpSegment,
                                                      packet::OffloadState::Is::kRefused, EIO};

 private:
  UniqueFd fd_;
  Endpoint remote_;
  packet::Batch memory_;
};

// An outside that does not come back from a call, until it is let go.
class StuckOutside final : public packet::OutsidePort {
 public:
  StuckOutside(UniqueFd fd, std::shared_ptr<std::atomic<bool>> stuck)
      : fd_(std::move(fd)), stuck_(std::move(stuck)) {}
  int fd() const noexcept override { return fd_.get(); }
  packet::Reading receive(packet::Batch&) noexcept override { return packet::Reading::kDrained; }
  void send(packet::Batch& batch) noexcept override {
    while (*stuck_) std::this_thread::sleep_for(1ms);
    for (packet::Packet& packet : batch.packets()) packet.verdict = packet::SendVerdict::kSent;
  }

 private:
  UniqueFd fd_;
  std::shared_ptr<std::atomic<bool>> stuck_;
};

inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

inline std::optional<Bytes> read_packet(const UniqueFd& fd, int timeout_ms = 60000) {
  pollfd waiting{fd.get(), POLLIN, 0};
  if (::poll(&waiting, 1, timeout_ms) != 1) return std::nullopt;
  Bytes bytes(70000);
  const ssize_t got = ::read(fd.get(), bytes.data(), bytes.size());
  if (got < 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

inline void write_packet(const UniqueFd& fd, const Bytes& bytes) {
  pollfd waiting{fd.get(), POLLOUT, 0};
  ASSERT_EQ(::poll(&waiting, 1, 60000), 1);
  ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

// Of one thread, whose datagrams all go to, and come from, `remote`.
inline Ports ports(UniqueFd inside, UniqueFd outside, const std::string& remote) {
  return {std::make_unique<WireInside>(std::move(inside)),
          std::make_unique<WireOutside>(std::move(outside), remote)};
}
inline std::vector<Ports> only(Ports one) {
  std::vector<Ports> all;
  all.push_back(std::move(one));
  return all;
}

}  // namespace vpntun::dataplane
