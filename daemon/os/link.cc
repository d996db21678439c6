#include "os/link.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace vpntun::os {
namespace {

// tun_fill_info() in drivers/net/tun.c.
unsigned queues_of(const nlattr* tun_data) {
  for (const nlattr* attribute : Attributes(tun_data)) {
    if (mnl_attr_get_type(attribute) == IFLA_TUN_NUM_QUEUES &&
        mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
      return mnl_attr_get_u32(attribute);
  }
  return 0;
}

// The data behind the kind depends on it.
void read_kind(const nlattr* link_info, Link& link) {
  for (const nlattr* attribute : Attributes(link_info)) {
    const std::uint16_t type = mnl_attr_get_type(attribute);
    if (type == IFLA_INFO_KIND && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
      link.kind = mnl_attr_get_str(attribute);
    else if (type == IFLA_INFO_DATA && link.kind == "tun")
      link.queues = queues_of(attribute);
  }
}

std::vector<std::string> alternative_names(const nlattr* properties) {
  std::vector<std::string> names;
  for (const nlattr* attribute : Attributes(properties)) {
    if (mnl_attr_get_type(attribute) == IFLA_ALT_IFNAME &&
        mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
      names.emplace_back(mnl_attr_get_str(attribute));
  }
  return names;
}

void read_attribute(const nlattr* attribute, const ifinfomsg& info, Link& link) {
  switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
      if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
        link.name = mnl_attr_get_str(attribute);
      break;
    case IFLA_MTU:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) link.mtu = mnl_attr_get_u32(attribute);
      break;
    case IFLA_ADDRESS:
      if (info.ifi_type == ARPHRD_ETHER &&
          mnl_attr_get_payload_len(attribute) == link.mac.bytes.size())
        std::copy_n(static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
                    link.mac.bytes.size(), link.mac.bytes.begin());
      break;
    case IFLA_LINKINFO:
      read_kind(attribute, link);
      break;
    case IFLA_PROP_LIST:
      link.alternative_names = alternative_names(attribute);
      break;
    default:
      break;
  }
}

bool is_interface_name(const std::string& name) {
  return !name.empty() && name.size() < IFNAMSIZ;
}

std::optional<Link> find(NetlinkSocket& netlink, NetlinkMessage& message,
                         const std::string& attempted) {
  mnl_attr_put_u32(message.header(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  const NetlinkAnswer answer = netlink.ask(message, attempted);
  if (answer.error_number == ENODEV) return std::nullopt;
  if (answer.error_number != 0) throw_refusal(answer, attempted);
  return answer.message() == nullptr ? std::nullopt : parse_link(*answer.message());
}

// The name, for the text of an error.
std::string name_of(NetlinkSocket& netlink, unsigned index) {
  const std::optional<Link> link = find_link(netlink, index);
  return link ? link->name : fmt::format("interface {} (gone)", index);
}

// Sends a change of one interface; `what` names it in an error: "set the MTU of tun0".
void change(NetlinkSocket& netlink, NetlinkMessage& message, unsigned index,
            std::string_view what) {
  const NetlinkAnswer answer = netlink.ask(message, what);
  if (answer.error_number != 0)
    throw_refusal(answer, fmt::format("{} of {}", what, name_of(netlink, index)));
}

void put_index(NetlinkMessage& message, unsigned index) {
  ifinfomsg& info = message.put_header<ifinfomsg>();
  info.ifi_family = AF_UNSPEC;
  info.ifi_index = static_cast<int>(index);
}

NetlinkAnswer ask_alternative_name(NetlinkSocket& netlink, std::uint16_t type, unsigned index,
                                   const std::string& name) {
  NetlinkMessage message(type, 0);
  put_index(message, index);
  nlattr* properties = mnl_attr_nest_start(message.header(), IFLA_PROP_LIST);
  mnl_attr_put_strz(message.header(), IFLA_ALT_IFNAME, name.c_str());
  mnl_attr_nest_end(message.header(), properties);
  return netlink.ask(message, "change the names of an interface");
}

}  // namespace

std::optional<Link> parse_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(ifinfomsg)) return std::nullopt;
  const auto& info = *static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  if (info.ifi_family != AF_UNSPEC) return std::nullopt;  // a bridge's view of its port

  Link link;
  link.index = static_cast<unsigned>(info.ifi_index);
  link.up = (info.ifi_flags & IFF_UP) != 0;
  link.lower_up = (info.ifi_flags & IFF_LOWER_UP) != 0;
  link.loopback = (info.ifi_flags & IFF_LOOPBACK) != 0;
  for (const nlattr* attribute : Attributes(message, sizeof(ifinfomsg)))
    read_attribute(attribute, info, link);
  if (link.name.empty()) return std::nullopt;
  return link;
}

std::optional<Link> find_link(NetlinkSocket& netlink, const std::string& name) {
  if (!is_interface_name(name)) return std::nullopt;
  NetlinkMessage message(RTM_GETLINK, 0);
  put_index(message, 0);
  mnl_attr_put_strz(message.header(), IFLA_IFNAME, name.c_str());
  return find(netlink, message, fmt::format("look up interface {}", name));
}

std::optional<Link> find_link(NetlinkSocket& netlink, unsigned index) {
  if (index == 0) return std::nullopt;
  NetlinkMessage message(RTM_GETLINK, 0);
  put_index(message, index);
  return find(netlink, message, fmt::format("look up interface {}", index));
}

Link get_link(NetlinkSocket& netlink, const std::string& name) {
  std::optional<Link> link = find_link(netlink, name);
  if (!link) throw Error(ErrorKind::kFailed, "there is no interface {}", name);
  return *std::move(link);
}

Link get_link(NetlinkSocket& netlink, unsigned index) {
  std::optional<Link> link = find_link(netlink, index);
  if (!link) throw Error(ErrorKind::kFailed, "there is no interface with index {}", index);
  return *std::move(link);
}

std::vector<Link> list_links(NetlinkSocket& netlink) {
  std::vector<Link> links;
  NetlinkMessage message(RTM_GETLINK, 0);
  put_index(message, 0);
  mnl_attr_put_u32(message.header(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  netlink.dump(
      message, "list the interfaces", [&] { links.clear(); },
      [&](const nlmsghdr& part) {
        if (std::optional<Link> link = parse_link(part)) links.push_back(*std::move(link));
      });
  return links;
}

void set_link_up(NetlinkSocket& netlink, unsigned index, bool up) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  ifinfomsg& info = message.put_header<ifinfomsg>();
  info.ifi_index = static_cast<int>(index);
  info.ifi_change = IFF_UP;
  info.ifi_flags = up ? IFF_UP : 0;
  change(netlink, message, index, up ? "set the up state" : "set the down state");
}

void set_link_mtu(NetlinkSocket& netlink, unsigned index, unsigned mtu) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  put_index(message, index);
  mnl_attr_put_u32(message.header(), IFLA_MTU, mtu);
  change(netlink, message, index, fmt::format("set the MTU {}", mtu));
}

void set_link_mac(NetlinkSocket& netlink, unsigned index, const MacAddress& mac) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  put_index(message, index);
  mnl_attr_put(message.header(), IFLA_ADDRESS, mac.bytes.size(), mac.bytes.data());
  change(netlink, message, index, fmt::format("set the MAC address {}", mac.to_string()));
}

void set_link_name(NetlinkSocket& netlink, unsigned index, const std::string& name) {
  if (!is_interface_name(name))
    throw Error(ErrorKind::kInvalidArguments, "\"{}\" is no interface name", name);
  NetlinkMessage message(RTM_NEWLINK, 0);
  put_index(message, index);
  mnl_attr_put_strz(message.header(), IFLA_IFNAME, name.c_str());
  const NetlinkAnswer answer = netlink.ask(message, "rename an interface");
  if (answer.error_number == EEXIST)
    throw Error(ErrorKind::kInterfaceExists, "interface {} exists already", name);
  if (answer.error_number != 0)
    throw_refusal(answer, fmt::format("rename {} to {}", name_of(netlink, index), name));
}

void delete_link(NetlinkSocket& netlink, unsigned index) {
  NetlinkMessage message(RTM_DELLINK, 0);
  put_index(message, index);
  const NetlinkAnswer answer = netlink.ask(message, "delete an interface");
  if (answer.error_number != 0)
    throw_refusal(answer, fmt::format("delete {}", name_of(netlink, index)));
}

void add_alternative_name(NetlinkSocket& netlink, unsigned index, const std::string& name) {
  const NetlinkAnswer answer = ask_alternative_name(netlink, RTM_NEWLINKPROP, index, name);
  if (answer.error_number == 0) return;
  const Link link = get_link(netlink, index);
  const std::vector<std::string>& names = link.alternative_names;
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  throw_refusal(answer, fmt::format("add the name {} to {}", name, link.name));
}

void remove_alternative_name(NetlinkSocket& netlink, unsigned index, const std::string& name) {
  const NetlinkAnswer answer = ask_alternative_name(netlink, RTM_DELLINKPROP, index, name);
  // ENOENT: nobody has the name. EINVAL: another interface has it.
  if (answer.error_number != 0 && answer.error_number != ENOENT && answer.error_number != EINVAL)
    throw_refusal(answer, fmt::format("take the name {} from {}", name, name_of(netlink, index)));
}

void create_veth(NetlinkSocket& netlink, const std::string& name, const std::string& peer_name,
                 int peer_netns) {
  for (const std::string& each : {name, peer_name}) {
    if (!is_interface_name(each))
      throw Error(ErrorKind::kInvalidArguments, "\"{}\" is no interface name", each);
  }
  NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  put_index(message, 0);
  nlmsghdr* header = message.header();
  mnl_attr_put_strz(header, IFLA_IFNAME, name.c_str());
  nlattr* link_info = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
  nlattr* kind_part = mnl_attr_nest_start(header, IFLA_INFO_DATA);
  nlattr* peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
  mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg));
  mnl_attr_put_strz(header, IFLA_IFNAME, peer_name.c_str());
  mnl_attr_put_u32(header, IFLA_NET_NS_FD, static_cast<std::uint32_t>(peer_netns));
  mnl_attr_nest_end(header, peer);
  mnl_attr_nest_end(header, kind_part);
  mnl_attr_nest_end(header, link_info);

  const std::string attempted = fmt::format("create the veth pair {} and {}", name, peer_name);
  const NetlinkAnswer answer = netlink.ask(message, attempted);
  if (answer.error_number == EEXIST)
    throw Error(ErrorKind::kInterfaceExists, "{}: one of the names is taken", attempted);
  if (answer.error_number != 0) throw_refusal(answer, attempted);
}

}  // namespace vpntun::os
