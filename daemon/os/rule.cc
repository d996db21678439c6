#include "os/rule.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"

namespace vpntun::os {
namespace {

std::uint8_t family_number(Family family) {
  return family == Family::kIpv4 ? AF_INET : AF_INET6;
}

void build(NetlinkMessage& message, const Rule& rule) {
  fib_rule_hdr& info = message.put_header<fib_rule_hdr>();
  info.family = family_number(rule.family);
  info.action = rule.action == Rule::Action::kLookup ? FR_ACT_TO_TBL : FR_ACT_UNREACHABLE;
  if (rule.but_mark) info.flags = FIB_RULE_INVERT;
  nlmsghdr* header = message.header();
  mnl_attr_put_u32(header, FRA_PRIORITY, rule.priority);
  if (rule.mark != 0) mnl_attr_put_u32(header, FRA_FWMARK, rule.mark);
  if (rule.action == Rule::Action::kLookup) mnl_attr_put_u32(header, FRA_TABLE, rule.table);
  if (rule.suppress_prefix_length)
    mnl_attr_put_u32(header, FRA_SUPPRESS_PREFIXLEN, *rule.suppress_prefix_length);
  mnl_attr_put_u8(header, FRA_PROTOCOL, rule.protocol);
}

std::string describe(const Rule& rule) {
  std::string text =
      fmt::format("{}: {} packets", rule.priority, rule.family == Family::kIpv4 ? "IPv4" : "IPv6");
  if (rule.mark != 0)
    text += fmt::format(" {} mark {:#x}", rule.but_mark ? "without" : "with", rule.mark);
  return text + (rule.action == Rule::Action::kLookup
                     ? fmt::format(" look into table {}", rule.table)
                     : std::string(" are refused"));
}

Rule::Action action_of(std::uint8_t number) {
  if (number == FR_ACT_TO_TBL) return Rule::Action::kLookup;
  return number == FR_ACT_UNREACHABLE ? Rule::Action::kUnreachable : Rule::Action::kOther;
}

void read_attribute(const nlattr* attribute, Rule& rule) {
  const std::uint16_t type = mnl_attr_get_type(attribute);
  if (type == FRA_PROTOCOL) {
    if (mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0) rule.protocol = mnl_attr_get_u8(attribute);
    return;
  }
  if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0) return;
  const std::uint32_t value = mnl_attr_get_u32(attribute);
  switch (type) {
    case FRA_PRIORITY:
      rule.priority = value;
      break;
    case FRA_FWMARK:
      rule.mark = value;
      break;
    case FRA_TABLE:
      rule.table = value;
      break;
    case FRA_SUPPRESS_PREFIXLEN:
      if (static_cast<std::int32_t>(value) >= 0) rule.suppress_prefix_length = value;
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<Rule> parse_rule(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWRULE && message.nlmsg_type != RTM_DELRULE) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(fib_rule_hdr)) return std::nullopt;
  const auto& info = *static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(&message));
  if (info.family != AF_INET && info.family != AF_INET6) return std::nullopt;
  Rule rule;
  rule.family = info.family == AF_INET ? Family::kIpv4 : Family::kIpv6;
  rule.action = action_of(info.action);
  rule.but_mark = (info.flags & FIB_RULE_INVERT) != 0;
  rule.protocol = 0;
  rule.table = info.table;
  for (const nlattr* attribute : Attributes(message, sizeof(fib_rule_hdr)))
    read_attribute(attribute, rule);
  if (rule.action != Rule::Action::kLookup) rule.table = 0;
  return rule;
}

void add_rule(NetlinkSocket& netlink, const Rule& rule) {
  NetlinkMessage message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
  build(message, rule);
  const std::string attempted = fmt::format("add the routing rule {}", describe(rule));
  const NetlinkAnswer answer = netlink.ask(message, attempted);
  if (answer.error_number == EAFNOSUPPORT || answer.error_number == EOPNOTSUPP)
    throw Error(ErrorKind::kNotSupported, "{}: the kernel has no policy routing for this family",
                attempted);
  if (answer.error_number != 0 && answer.error_number != EEXIST) throw_refusal(answer, attempted);
}

bool remove_rule(NetlinkSocket& netlink, const Rule& rule) {
  NetlinkMessage message(RTM_DELRULE, 0);
  build(message, rule);
  const std::string attempted = fmt::format("remove the routing rule {}", describe(rule));
  const NetlinkAnswer answer = netlink.ask(message, attempted);
  if (answer.error_number == ENOENT || answer.error_number == EAFNOSUPPORT) return false;
  if (answer.error_number != 0) throw_refusal(answer, attempted);
  return true;
}

std::vector<Rule> list_rules(NetlinkSocket& netlink) {
  std::vector<Rule> rules;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    NetlinkMessage message(RTM_GETRULE, 0);
    message.put_header<fib_rule_hdr>().family = family_number(family);
    const std::size_t before = rules.size();
    try {
      netlink.dump(
          message, "list the routing rules", [&] { rules.resize(before); },
          [&](const nlmsghdr& part) {
            const std::optional<Rule> rule = parse_rule(part);
            if (rule && rule->family == family) rules.push_back(*rule);
          });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotSupported) throw;  // a kernel without this family
    }
  }
  return rules;
}

}  // namespace vpntun::os
