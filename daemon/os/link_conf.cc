// The IP settings of an interface by message. Of IPv4: IFLA_AF_SPEC / AF_INET / IFLA_INET_CONF, an
// array of u32 in which setting N (linux/ip.h) has place N - 1 when read and attribute type N when
// set.
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"
#include "os/link.h"

namespace vpntun::os {
namespace {

const nlattr* nested(const nlattr* outer, std::uint16_t type) {
  for (const nlattr* attribute : Attributes(outer)) {
    if (mnl_attr_get_type(attribute) == type) return attribute;
  }
  return nullptr;
}

std::optional<std::uint32_t> parse_setting(const nlmsghdr& message, std::size_t setting) {
  for (const nlattr* attribute : Attributes(message, sizeof(ifinfomsg))) {
    if (mnl_attr_get_type(attribute) != IFLA_AF_SPEC) continue;
    const nlattr* inet = nested(attribute, AF_INET);
    const nlattr* conf = inet == nullptr ? nullptr : nested(inet, IFLA_INET_CONF);
    if (conf == nullptr || mnl_attr_get_payload_len(conf) < setting * sizeof(std::uint32_t))
      return std::nullopt;
    return static_cast<const std::uint32_t*>(mnl_attr_get_payload(conf))[setting - 1];
  }
  return std::nullopt;
}

std::uint32_t get_setting(NetlinkSocket& netlink, unsigned index, std::uint16_t setting,
                          std::string_view name) {
  const std::string attempted = fmt::format("read {} of interface {}", name, index);
  NetlinkMessage message(RTM_GETLINK, 0);
  message.put_header<ifinfomsg>().ifi_index = static_cast<int>(index);
  const NetlinkAnswer answer = netlink.ask(message, attempted);
  if (answer.error_number != 0) throw_refusal(answer, attempted);
  const nlmsghdr* reply = answer.message();
  const std::optional<std::uint32_t> value =
      reply == nullptr ? std::nullopt : parse_setting(*reply, setting);
  if (!value) throw Error(ErrorKind::kNotSupported, "{}: the kernel does not tell", attempted);
  return *value;
}

void set_setting(NetlinkSocket& netlink, unsigned index, std::uint16_t setting, std::uint32_t value,
                 std::string_view name) {
  NetlinkMessage message(RTM_SETLINK, 0);
  message.put_header<ifinfomsg>().ifi_index = static_cast<int>(index);
  nlmsghdr* header = message.header();
  nlattr* spec = mnl_attr_nest_start(header, IFLA_AF_SPEC);
  nlattr* inet = mnl_attr_nest_start(header, AF_INET);
  nlattr* conf = mnl_attr_nest_start(header, IFLA_INET_CONF);
  mnl_attr_put_u32(header, setting, value);
  mnl_attr_nest_end(header, conf);
  mnl_attr_nest_end(header, inet);
  mnl_attr_nest_end(header, spec);
  netlink.request(message, fmt::format("set {} of interface {} to {}", name, index, value));
}

}  // namespace

bool forwarding_v4(NetlinkSocket& netlink, unsigned index) {
  return get_setting(netlink, index, IPV4_DEVCONF_FORWARDING, "IPv4 forwarding") != 0;
}

void set_forwarding_v4(NetlinkSocket& netlink, unsigned index, bool on) {
  set_setting(netlink, index, IPV4_DEVCONF_FORWARDING, on ? 1 : 0, "IPv4 forwarding");
}

void set_promote_secondaries_v4(NetlinkSocket& netlink, unsigned index, bool on) {
  set_setting(netlink, index, IPV4_DEVCONF_PROMOTE_SECONDARIES, on ? 1 : 0, "promote_secondaries");
}

unsigned rp_filter_v4(NetlinkSocket& netlink, unsigned index) {
  return get_setting(netlink, index, IPV4_DEVCONF_RP_FILTER, "rp_filter");
}

void set_rp_filter_v4(NetlinkSocket& netlink, unsigned index, unsigned mode) {
  set_setting(netlink, index, IPV4_DEVCONF_RP_FILTER, mode, "rp_filter");
}

bool src_valid_mark_v4(NetlinkSocket& netlink, unsigned index) {
  return get_setting(netlink, index, IPV4_DEVCONF_SRC_VMARK, "src_valid_mark") != 0;
}

void set_src_valid_mark_v4(NetlinkSocket& netlink, unsigned index, bool on) {
  set_setting(netlink, index, IPV4_DEVCONF_SRC_VMARK, on ? 1 : 0, "src_valid_mark");
}

void set_no_link_local_v6(NetlinkSocket& netlink, unsigned index) {
  const std::string attempted = fmt::format("keep interface {} without link-local address", index);
  NetlinkMessage message(RTM_SETLINK, 0);
  message.put_header<ifinfomsg>().ifi_index = static_cast<int>(index);
  nlmsghdr* header = message.header();
  nlattr* spec = mnl_attr_nest_start(header, IFLA_AF_SPEC);
  nlattr* inet = mnl_attr_nest_start(header, AF_INET6);
  mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  mnl_attr_nest_end(header, inet);
  mnl_attr_nest_end(header, spec);
  const NetlinkAnswer answer = netlink.ask(message, attempted);
  if (answer.error_number != 0 && answer.error_number != EAFNOSUPPORT)
    throw_refusal(answer, attempted);
}

}  // namespace vpntun::os
