#include "os/udp_errors.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "os/socket_option.h"
#include "os/udp_message.h"

namespace vpntun::os {
namespace {

using packet::Unreachable;

// Errors taken off by one drain(): as many as the buffers that we ask for can hold.
constexpr int kMostAtOnce = 8192;

// Both of the kernel's structures begin alike; the offender lies behind.
struct Queued {
  sock_extended_err error;
  sockaddr_storage offender;
};

struct Found {
  std::optional<Queued> queued;
  IpAddress here;  // to which of our addresses the message came
};

Found read_controls(msghdr& header) noexcept {
  Found found;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    const bool v4 = part->cmsg_level == IPPROTO_IP;
    if (!v4 && part->cmsg_level != IPPROTO_IPV6) continue;
    if (part->cmsg_type == (v4 ? IP_RECVERR : IPV6_RECVERR)) {
      found.queued.emplace();
      const std::size_t size = part->cmsg_len - CMSG_LEN(0);
      std::memcpy(&found.queued->error, CMSG_DATA(part), sizeof(sock_extended_err));
      std::memcpy(&found.queued->offender, CMSG_DATA(part) + sizeof(sock_extended_err),
                  std::min(size - sizeof(sock_extended_err), sizeof(sockaddr_storage)));
    } else if (v4 && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof(info));
      found.here = address_of(info.ipi_addr);
    } else if (!v4 && part->cmsg_type == IPV6_PKTINFO && found.here.is_unspecified()) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof(info));
      found.here = address_of(info.ipi6_addr);
    }
  }
  return found;
}

bool is_icmp(const sock_extended_err& error) noexcept {
  return error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6;
}

std::optional<Unreachable> unreachable_of(const Found& found,
                                          const sockaddr_storage& destination) noexcept {
  const sock_extended_err& error = found.queued->error;
  const Family family = error.ee_origin == SO_EE_ORIGIN_ICMP ? Family::kIpv4 : Family::kIpv6;
  const auto obstacle = packet::obstacle_of(family, error.ee_type, error.ee_code);
  if (!obstacle) return std::nullopt;
  Unreachable unreachable;
  unreachable.remote = endpoint_of(destination);
  unreachable.obstacle = *obstacle;
  unreachable.said_by = endpoint_of(found.queued->offender).address;
  unreachable.said_here = unreachable.said_by == found.here;
  return unreachable;
}

// What the socket would fail with next, although nothing is queued (the queue was full). Clears it.
bool clear_pending(int fd) noexcept {
  int pending = 0;
  socklen_t length = sizeof(pending);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &length) == 0 && pending != 0;
}

}  // namespace

void UdpErrors::enable(int fd, Family family, std::string_view attempted) {
  set_option(fd, IPPROTO_IP, IP_RECVERR, 1, attempted);
  if (family == Family::kIpv6) set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1, attempted);
}

bool UdpErrors::drain(int fd) noexcept {
  bool any = false;
  for (int taken = 0; taken < kMostAtOnce; ++taken) {
    sockaddr_storage destination{};
    alignas(cmsghdr) std::array<char, 512> controls;
    msghdr header{};
    header.msg_name = &destination;
    header.msg_namelen = sizeof(destination);
    header.msg_control = controls.data();
    header.msg_controllen = controls.size();
    if (::recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return clear_pending(fd) || any;
    const Found found = read_controls(header);
    if (!found.queued || !is_icmp(found.queued->error)) continue;  // the kernel's own: too big
    any = true;
    if (const auto unreachable = unreachable_of(found, destination)) keep(*unreachable);
  }
  return any;
}

void UdpErrors::keep(const Unreachable& unreachable) noexcept {
  const auto kept = std::span(kept_).first(count_);
  const auto same = std::ranges::find(kept, unreachable.remote, &Unreachable::remote);
  if (same != kept.end())
    *same = unreachable;
  else if (count_ < kept_.size())
    kept_[count_++] = unreachable;
}

std::span<const Unreachable> UdpErrors::take() noexcept {
  return std::span(kept_).first(std::exchange(count_, 0));
}

}  // namespace vpntun::os
