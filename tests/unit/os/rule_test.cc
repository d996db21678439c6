#include "os/rule.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "kernel_test.h"

namespace vpntun::os {
namespace {

using RuleTest = KernelTest;
using ::testing::Contains;
using ::testing::Not;

Rule but_mark(Family family, std::uint32_t priority, std::uint32_t mark) {
  Rule rule;
  rule.family = family;
  rule.priority = priority;
  rule.mark = mark;
  rule.but_mark = true;
  return rule;
}

TEST_F(RuleTest, RulesAreListedAsAdded) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    Rule main = but_mark(family, 32700, 52117);
    main.table = kMainTable;
    main.suppress_prefix_length = 0;
    Rule own = but_mark(family, 32701, 52117);
    own.table = 52117;
    Rule refused = but_mark(family, 32702, 52117);
    refused.action = Rule::Action::kUnreachable;
    Rule all;
    all.family = family;
    all.priority = 32703;
    all.table = 7;
    for (const Rule& rule : {main, own, refused, all}) {
      add_rule(netlink(), rule);
      EXPECT_THAT(list_rules(netlink()), Contains(rule)) << rule.priority;
      add_rule(netlink(), rule);
      EXPECT_TRUE(remove_rule(netlink(), rule));
      EXPECT_THAT(list_rules(netlink()), Not(Contains(rule))) << "one that is there stays one";
      EXPECT_FALSE(remove_rule(netlink(), rule));
    }
  }
}

TEST_F(RuleTest, TheKernelsOwnAreNotOurs) {
  const std::vector<Rule> rules = list_rules(netlink());
  EXPECT_GE(rules.size(), 5u) << "local, main and default; IPv6 has no default";
  for (const Rule& rule : rules) EXPECT_NE(rule.protocol, kRuleProtocol);
}

TEST_F(RuleTest, LacksCapabilitySaysSo) {
  EXPECT_TRUE(without_capabilities([] {
    NetlinkSocket netlink;
    const auto error = error_of([&] { add_rule(netlink, but_mark(Family::kIpv4, 1, 2)); });
    return error && error->kind() == ErrorKind::kAccessDenied &&
           std::string(error->what()).find("add the routing rule 1: IPv4") != std::string::npos;
  }));
}

TEST(RuleMessageTest, MalformedOrForeignMessagesAreRefused) {
  NetlinkMessage message(RTM_NEWRULE, 0);
  EXPECT_FALSE(parse_rule(*message.header()));
  message.put_header<fib_rule_hdr>().family = AF_BRIDGE;
  EXPECT_FALSE(parse_rule(*message.header()));
  NetlinkMessage other(RTM_NEWROUTE, 0);
  other.put_header<fib_rule_hdr>().family = AF_INET;
  EXPECT_FALSE(parse_rule(*other.header()));
}

TEST(RuleMessageTest, AttributesOfAWrongSizeDoNotCount) {
  NetlinkMessage message(RTM_NEWRULE, 0);
  message.put_header<fib_rule_hdr>().family = AF_INET;
  mnl_attr_put_u8(message.header(), FRA_FWMARK, 7);
  mnl_attr_put_u32(message.header(), FRA_SUPPRESS_PREFIXLEN, 0xffffffff);
  const auto rule = parse_rule(*message.header());
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->mark, 0u);
  EXPECT_FALSE(rule->suppress_prefix_length) << "the kernel's word for none";
}

}  // namespace
}  // namespace vpntun::os
