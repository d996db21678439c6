#include "session/routing_mark.h"

#include <gtest/gtest.h>

#include <set>

#include "session/policy_routing.h"

namespace vpntun::session {
namespace {

TEST(RoutingMark, OfATunnelIsAlwaysTheSameAndInItsRange) {
  std::set<std::uint32_t> marks;
  for (const char* tunnel : {"lab", "home", "office", "a", "lab2"}) {
    const std::uint32_t mark = first_choice(tunnel);
    EXPECT_GE(mark, kFirstMark);
    EXPECT_LT(mark, kFirstMark + kMarks);
    EXPECT_EQ(mark, first_choice(tunnel));
    marks.insert(mark);
  }
  EXPECT_EQ(marks.size(), 5u);
  EXPECT_EQ(first_choice("lab"), 52244u) << "other versions have to find what this one left";
}

TEST(MarkClaim, IsReadAsItIsWritten) {
  for (const MarkClaim& claim :
       {MarkClaim{52117, "lab"}, MarkClaim{4294967295, "a-b.c_d"}, MarkClaim{1, "7"}})
    EXPECT_EQ(parse_claim(name_of(claim)), claim) << name_of(claim);
}

TEST(MarkClaim, IsNoOtherName) {
  for (const char* name : {"", "eth0", "vpntun-mark-", "vpntun-mark-lab", "vpntun-mark-7",
                           "vpntun-mark-7-", "vpntun-mark-0-lab", "vpntun-mark-4294967296-lab",
                           "vpntun-mark--7-lab", "vpntun-forwarding-7-lab"})
    EXPECT_FALSE(parse_claim(name)) << name;
}

TEST(PolicyRules, AreNoneWhereTheHostDecides) {
  EXPECT_TRUE(rules_for(Unrouted::kAsTheHost, Unrouted::kAsTheHost, 7).empty());
}

TEST(PolicyRules, AskTheMainTableWithoutItsDefaultRouteFirst) {
  const std::vector<os::Rule> rules = rules_for(Unrouted::kTunnel, Unrouted::kAsTheHost, 7);
  ASSERT_EQ(rules.size(), 2u);
  for (const os::Rule& rule : rules) {
    EXPECT_EQ(rule.family, Family::kIpv4);
    EXPECT_EQ(rule.mark, 7u);
    EXPECT_TRUE(rule.but_mark) << "the tunnel's own datagrams go where they went before";
    EXPECT_EQ(rule.action, os::Rule::Action::kLookup);
  }
  EXPECT_LT(rules[0].priority, rules[1].priority);
  EXPECT_EQ(rules[0].table, os::kMainTable);
  EXPECT_EQ(rules[0].suppress_prefix_length, 0u);
  EXPECT_EQ(rules[1].table, 7u);
  EXPECT_FALSE(rules[1].suppress_prefix_length);
}

TEST(PolicyRules, RefuseAFamilyAtTheSamePlace) {
  const std::vector<os::Rule> rules = rules_for(Unrouted::kTunnel, Unrouted::kRefused, 7);
  ASSERT_EQ(rules.size(), 4u);
  EXPECT_EQ(rules[3].family, Family::kIpv6);
  EXPECT_EQ(rules[3].action, os::Rule::Action::kUnreachable);
  EXPECT_EQ(rules[3].priority, rules[1].priority);
  EXPECT_TRUE(rules[3].but_mark);
}

}  // namespace
}  // namespace vpntun::session
