#include "os/udp_message.h"

#include <cstring>

#include "kernel_test.h"

namespace vpntun::os {
namespace {

TEST(UdpMessageTest, AnEndpointSurvivesTheWayThere) {
  sockaddr_storage address{};
  for (const char* text :
       {"10.0.2.7:9090", "255.255.255.255:1", "[2001:db8::1]:65535", "[::1]:9090"}) {
    ASSERT_EQ(encode_endpoint(endpoint(text), Family::kIpv6, address), sizeof(sockaddr_in6));
    EXPECT_EQ(endpoint_of(address), endpoint(text));
  }
  ASSERT_EQ(encode_endpoint(endpoint("10.0.2.7:9090"), Family::kIpv4, address),
            sizeof(sockaddr_in));
  EXPECT_EQ(endpoint_of(address), endpoint("10.0.2.7:9090"));
}

TEST(UdpMessageTest, Ipv4IsMappedForAnIpv6Socket) {
  sockaddr_storage address{};
  encode_endpoint(endpoint("10.0.2.7:9090"), Family::kIpv6, address);
  EXPECT_EQ(address.ss_family, AF_INET6);
  EXPECT_TRUE(IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<sockaddr_in6&>(address).sin6_addr));
}

TEST(UdpMessageTest, AnIpv4SocketCannotReachIpv6) {
  sockaddr_storage address{};
  EXPECT_EQ(encode_endpoint(endpoint("[2001:db8::1]:1"), Family::kIpv4, address), 0u);
}

TEST(UdpMessageTest, OnlyLinkLocalAddressesKeepTheirInterface) {
  sockaddr_storage address{};
  Endpoint link_local = endpoint("[fe80::1]:9090");
  link_local.scope_id = 7;
  encode_endpoint(link_local, Family::kIpv6, address);
  EXPECT_EQ(endpoint_of(address), link_local);
  Endpoint global = endpoint("[2001:db8::1]:9090");
  encode_endpoint(global, Family::kIpv6, address);
  reinterpret_cast<sockaddr_in6&>(address).sin6_scope_id = 7;
  EXPECT_EQ(endpoint_of(address), global);
}

}  // namespace
}  // namespace vpntun::os
