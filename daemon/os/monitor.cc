#include "os/monitor.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/error.h"

namespace vpntun::os {
namespace {

constexpr std::size_t kReceiveBytes = 65536;
// The kernel's headers have names of the older form for the other groups only.
constexpr std::uint32_t kIpv6RuleGroup = 1u << (RTNLGRP_IPV6_RULE - 1);

void append_notice(const nlmsghdr& message, std::vector<Notice>& notices) {
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (auto link = parse_link(message))
        notices.push_back(LinkNotice{*std::move(link), message.nlmsg_type == RTM_DELLINK});
      break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      if (const auto address = parse_address(message))
        notices.push_back(AddressNotice{*address, message.nlmsg_type == RTM_DELADDR});
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      if (const auto route = parse_route(message))
        notices.push_back(RouteNotice{*route, message.nlmsg_type == RTM_DELROUTE});
      break;
    case RTM_NEWRULE:
    case RTM_DELRULE:
      if (const auto rule = parse_rule(message))
        notices.push_back(RuleNotice{*rule, message.nlmsg_type == RTM_DELRULE});
      break;
    default:
      break;
  }
}

}  // namespace

std::vector<Notice> parse_notices(std::span<const std::uint8_t> datagram) {
  std::vector<Notice> notices;
  for (const nlmsghdr* message : messages_in(datagram)) append_notice(*message, notices);
  return notices;
}

Monitor::Monitor()
    : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
  constexpr std::string_view kAttempted = "subscribe to changes of the network";
  if (!fd_) throw_errno(errno, kAttempted);
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  local.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                    RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | kIpv6RuleGroup;
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&local), sizeof(local)) < 0)
    throw_errno(errno, kAttempted);
}

std::vector<Notice> Monitor::take() {
  std::vector<Notice> notices;
  alignas(nlmsghdr) std::array<std::uint8_t, kReceiveBytes> buffer;
  while (true) {
    sockaddr_nl source{};
    socklen_t source_length = sizeof(source);
    const ssize_t length = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                      reinterpret_cast<sockaddr*>(&source), &source_length);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) return notices;
      notices.push_back(NoticesLost{});
      continue;
    }
    if (source.nl_pid != 0) continue;  // not from the kernel
    for (Notice& notice : parse_notices(std::span(buffer).first(static_cast<std::size_t>(length))))
      notices.push_back(std::move(notice));
  }
}

}  // namespace vpntun::os
