#include "os/address.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace vpntun::os {
namespace {

void build(NetlinkMessage& message, unsigned index, const IpPrefix& prefix) {
  const IpAddress& address = prefix.address;
  ifaddrmsg& info = message.put_header<ifaddrmsg>();
  info.ifa_family = address.is_v4() ? AF_INET : AF_INET6;
  info.ifa_prefixlen = static_cast<std::uint8_t>(prefix.length);
  info.ifa_index = index;
  info.ifa_scope = address.is_loopback() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  if (address.is_v6()) info.ifa_flags = IFA_F_NODAD;
  message.put_address(IFA_LOCAL, address);
  message.put_address(IFA_ADDRESS, address);
}

}  // namespace

std::optional<InterfaceAddress> parse_address(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWADDR && message.nlmsg_type != RTM_DELADDR) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(ifaddrmsg)) return std::nullopt;
  const auto& info = *static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
  if (info.ifa_family != AF_INET && info.ifa_family != AF_INET6) return std::nullopt;

  // IFA_LOCAL is our own address; IFA_ADDRESS that of the other end on a point-to-point link, and
  // with IPv6 the only one.
  std::optional<IpAddress> local;
  std::optional<IpAddress> address;
  for (const nlattr* attribute : Attributes(message, sizeof(ifaddrmsg))) {
    if (mnl_attr_get_type(attribute) == IFA_LOCAL) local = address_of(attribute);
    if (mnl_attr_get_type(attribute) == IFA_ADDRESS) address = address_of(attribute);
  }
  if (!local) local = address;
  const Family family = info.ifa_family == AF_INET ? Family::kIpv4 : Family::kIpv6;
  if (!local || local->family() != family || info.ifa_prefixlen > local->bits())
    return std::nullopt;
  return InterfaceAddress{info.ifa_index, {*local, info.ifa_prefixlen}};
}

void add_address(NetlinkSocket& netlink, unsigned index, const IpPrefix& prefix) {
  const std::string attempted =
      fmt::format("add address {} to interface {}", prefix.to_string(), index);
  NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  build(message, index, prefix);
  const NetlinkAnswer answer = netlink.ask(message, attempted);
  if (answer.error_number == EEXIST)
    throw Error(ErrorKind::kAddressInUse, "{}: the interface has this address already", attempted);
  if (answer.error_number != 0) throw_refusal(answer, attempted);
}

void remove_address(NetlinkSocket& netlink, unsigned index, const IpPrefix& prefix) {
  NetlinkMessage message(RTM_DELADDR, 0);
  build(message, index, prefix);
  netlink.request(message,
                  fmt::format("remove address {} from interface {}", prefix.to_string(), index));
}

std::vector<InterfaceAddress> list_addresses(NetlinkSocket& netlink, unsigned index) {
  std::vector<InterfaceAddress> addresses;
  NetlinkMessage message(RTM_GETADDR, 0);
  message.put_header<ifaddrmsg>().ifa_index = index;  // of both families: AF_UNSPEC is 0
  netlink.dump(
      message, "list the addresses", [&] { addresses.clear(); },
      [&](const nlmsghdr& part) {
        const std::optional<InterfaceAddress> address = parse_address(part);
        if (address && (index == 0 || address->index == index)) addresses.push_back(*address);
      });
  return addresses;
}

std::optional<InterfaceAddress> find_owner(NetlinkSocket& netlink, const IpAddress& address) {
  const std::vector<InterfaceAddress> addresses = list_addresses(netlink);
  const auto owner =
      std::find_if(addresses.begin(), addresses.end(),
                   [&](const InterfaceAddress& each) { return each.prefix.address == address; });
  if (owner == addresses.end()) return std::nullopt;
  return *owner;
}

}  // namespace vpntun::os
