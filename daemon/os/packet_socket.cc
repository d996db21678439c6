#include "os/packet_socket.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace vpntun::os {
namespace {

constexpr std::size_t kSnapBytes = 262144;  // more than the largest superpacket
constexpr int kQueueBytes = 8 << 20;

constexpr std::uint16_t to_network(std::uint16_t value) {
  return std::endian::native == std::endian::little
             ? static_cast<std::uint16_t>((value << 8) | (value >> 8))
             : value;
}

std::chrono::sys_time<std::chrono::nanoseconds> time_of(msghdr& header) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(part), sizeof(time));
    return std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::seconds(time.tv_sec) +
                                                           std::chrono::nanoseconds(time.tv_nsec));
  }
  return std::chrono::system_clock::now();
}

}  // namespace

PacketSocket::PacketSocket(UniqueFd fd, bool ethernet)
    : fd_(std::move(fd)), ethernet_(ethernet), buffer_(kSnapBytes) {}

PacketSocket PacketSocket::open(unsigned index) {
  const std::string attempted = fmt::format("capture on interface {}", index);
  // Protocol 0: nothing arrives before the socket is bound to the interface.
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd && (errno == EPERM || errno == EACCES))
    throw Error(ErrorKind::kAccessDenied, "{}: this needs CAP_NET_RAW", attempted);
  if (!fd) throw_errno(errno, attempted);
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0)
    throw_errno(errno, attempted);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kQueueBytes, sizeof(kQueueBytes)) < 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kQueueBytes, sizeof(kQueueBytes));

  sockaddr_ll local{};
  local.sll_family = AF_PACKET;
  local.sll_protocol = to_network(ETH_P_ALL);
  local.sll_ifindex = static_cast<int>(index);
  socklen_t length = sizeof(local);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), length) < 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &length) < 0)
    throw_errno(errno, attempted);
  const bool ethernet = local.sll_hatype == ARPHRD_ETHER || local.sll_hatype == ARPHRD_LOOPBACK;
  return PacketSocket(std::move(fd), ethernet);
}

std::optional<CapturedPacket> PacketSocket::receive() {
  sockaddr_ll source{};
  iovec vector{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control;
  while (true) {
    msghdr header{};
    header.msg_name = &source;
    header.msg_namelen = sizeof(source);
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t length = ::recvmsg(fd_.get(), &header, MSG_TRUNC | MSG_DONTWAIT);
    if (length < 0 && (errno == EINTR || errno == ENETDOWN)) continue;  // ENETDOWN is told once
    if (length < 0) return std::nullopt;
    const std::size_t total = static_cast<std::size_t>(length);
    return CapturedPacket{.bytes = std::span(buffer_).first(std::min(total, buffer_.size())),
                          .original_length = static_cast<std::uint32_t>(total),
                          .time = time_of(header),
                          .outgoing = source.sll_pkttype == PACKET_OUTGOING};
  }
}

std::uint32_t PacketSocket::take_lost() {
  tpacket_stats statistics{};
  socklen_t length = sizeof(statistics);
  if (::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &length) < 0) return 0;
  return statistics.tp_drops;
}

}  // namespace vpntun::os
