#include "os/netlink.h"

#include <linux/rtnetlink.h>

#include "kernel_test.h"

namespace vpntun::os {
namespace {

using NetlinkTest = KernelTest;
using ::testing::HasSubstr;

TEST_F(NetlinkTest, ARefusalNamesWhatWasAttemptedAndTheKernelsOwnReason) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  message.put_header<ifinfomsg>().ifi_index = static_cast<int>(loopback());
  mnl_attr_put_u32(message.header(), IFLA_MTU, 0xffffffff);
  const auto error = error_of([&] { netlink().request(message, "set the MTU of lo"); });
  EXPECT_THAT(error, IsError(ErrorKind::kFailed, "set the MTU of lo: Invalid argument"));
  EXPECT_THAT(error->what(), HasSubstr("mtu")) << "the extended acknowledgement is missing";
}

TEST_F(NetlinkTest, AnAnswerHoldsTheMessageAskedFor) {
  NetlinkMessage message(RTM_GETLINK, 0);
  message.put_header<ifinfomsg>().ifi_index = static_cast<int>(loopback());
  const NetlinkAnswer answer = netlink().ask(message, "look up lo");
  EXPECT_EQ(answer.error_number, 0);
  ASSERT_NE(answer.message(), nullptr);
  EXPECT_EQ(answer.message()->nlmsg_type, RTM_NEWLINK);
}

TEST_F(NetlinkTest, StaysInTheNamespaceItWasOpenedIn) {
  const Netns other = Netns::create_anonymous();
  create_veth(netlink(), "here", "there", other.fd());
  const NetnsScope scope(other);
  EXPECT_TRUE(find_link(netlink(), "here"));
  EXPECT_FALSE(find_link(netlink(), "there"));
}

TEST_F(NetlinkTest, LacksCapabilitySaysSo) {
  const unsigned index = loopback();
  EXPECT_TRUE(without_capabilities([&] {
    const auto error = error_of([&] { set_link_mtu(netlink(), index, 1400); });
    return error && error->kind() == ErrorKind::kAccessDenied &&
           std::string(error->what()).find("CAP_NET_ADMIN") != std::string::npos;
  }));
}

TEST_F(NetlinkTest, AttributesEndAtTheFirstThatDoesNotFit) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  message.put_header<ifinfomsg>();
  mnl_attr_put_u32(message.header(), IFLA_MTU, 1400);
  mnl_attr_put_u32(message.header(), IFLA_MASTER, 7);
  auto* second = reinterpret_cast<nlattr*>(reinterpret_cast<char*>(message.header()) +
                                           message.header()->nlmsg_len - 8);
  const auto count = [&] {
    std::size_t found = 0;
    for ([[maybe_unused]] const nlattr* each : Attributes(*message.header(), sizeof(ifinfomsg)))
      ++found;
    return found;
  };
  EXPECT_EQ(count(), 2u);
  second->nla_len = 9;
  EXPECT_EQ(count(), 1u);
  second->nla_len = 0;
  EXPECT_EQ(count(), 1u);
}

}  // namespace
}  // namespace vpntun::os
