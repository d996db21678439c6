#include "os/address.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/unique_fd.h"
#include "kernel_test.h"
#include "os/tun.h"

namespace vpntun::os {
namespace {

using AddressTest = KernelTest;
using ::testing::Contains;
using ::testing::Not;

TEST_F(AddressTest, HostBitsAndPrefixLengthAreKept) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  const InterfaceAddress wanted{tun.index(), prefix("192.168.53.99/24")};
  add_address(netlink(), wanted.index, wanted.prefix);
  EXPECT_THAT(list_addresses(netlink()), Contains(wanted));
  EXPECT_EQ(find_owner(netlink(), ip("192.168.53.99")), wanted);
  EXPECT_EQ(find_owner(netlink(), ip("192.168.53.1")), std::nullopt);
  remove_address(netlink(), wanted.index, wanted.prefix);
  EXPECT_THAT(list_addresses(netlink()), Not(Contains(wanted)));
}

TEST_F(AddressTest, Ipv6IsUsableAtOnce) {
  const Tun tap = Tun::open("tap0", TunKind::kTap);
  set_link_up(netlink(), tap.index(), true);
  add_address(netlink(), tap.index(), prefix("2001:db8::7/64"));
  EXPECT_EQ(find_owner(netlink(), ip("2001:db8::7")),
            (InterfaceAddress{tap.index(), prefix("2001:db8::7/64")}));
  const UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM, 0));
  sockaddr_in6 local{};
  local.sin6_family = AF_INET6;
  std::copy_n(ip("2001:db8::7").bytes().begin(), 16, local.sin6_addr.s6_addr);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&local), sizeof(local)), 0)
      << "the address is still tentative";
}

TEST_F(AddressTest, AnAddressTheInterfaceHasIsInUse) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  for (const char* text : {"10.1.2.3/24", "2001:db8::1/64"}) {
    add_address(netlink(), tun.index(), prefix(text));
    EXPECT_THAT(error_of([&] { add_address(netlink(), tun.index(), prefix(text)); }),
                IsError(ErrorKind::kAddressInUse, text));
  }
}

TEST_F(AddressTest, SeveralAddressesOfBothFamilies) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  for (const char* text :
       {"10.1.2.3/24", "10.1.2.4/24", "10.2.0.1/32", "fd00::1/64", "fd00::2/128"})
    add_address(netlink(), tun.index(), prefix(text));
  for (const char* text :
       {"10.1.2.3/24", "10.1.2.4/24", "10.2.0.1/32", "fd00::1/64", "fd00::2/128"})
    EXPECT_THAT(list_addresses(netlink()), Contains(InterfaceAddress{tun.index(), prefix(text)}));
}

TEST_F(AddressTest, RemovingWhatIsNotThereIsAnError) {
  EXPECT_THAT(error_of([&] { remove_address(netlink(), loopback(), prefix("10.1.2.3/24")); }),
              IsError(ErrorKind::kFailed, "remove address 10.1.2.3/24"));
}

TEST(AddressMessageTest, ThePointToPointPeerIsNotOurAddress) {
  NetlinkMessage message(RTM_NEWADDR, 0);
  ifaddrmsg& info = message.put_header<ifaddrmsg>();
  info.ifa_family = AF_INET;
  info.ifa_prefixlen = 32;
  info.ifa_index = 5;
  message.put_address(IFA_ADDRESS, ip("10.0.0.2"));
  message.put_address(IFA_LOCAL, ip("10.0.0.1"));
  EXPECT_EQ(parse_address(*message.header()), (InterfaceAddress{5, prefix("10.0.0.1/32")}));
}

TEST(AddressMessageTest, MalformedMessagesAreRefused) {
  NetlinkMessage short_one(RTM_NEWADDR, 0);
  EXPECT_FALSE(parse_address(*short_one.header()));
  NetlinkMessage wrong_length(RTM_NEWADDR, 0);
  ifaddrmsg& info = wrong_length.put_header<ifaddrmsg>();
  info.ifa_family = AF_INET;
  info.ifa_prefixlen = 33;
  wrong_length.put_address(IFA_LOCAL, ip("10.0.0.1"));
  EXPECT_FALSE(parse_address(*wrong_length.header()));
  info.ifa_prefixlen = 24;
  EXPECT_TRUE(parse_address(*wrong_length.header()));
  info.ifa_family = AF_INET6;
  EXPECT_FALSE(parse_address(*wrong_length.header()));
}

}  // namespace
}  // namespace vpntun::os
