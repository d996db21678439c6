// Strings as values, and the reason when they are none.
#include "config/value_text.h"

#include <gtest/gtest.h>

namespace vpntun::config {
namespace {

std::string why_no_network(std::string_view text) {
  const auto parsed = parse_network(text);
  return parsed.value ? "" : parsed.why.detail;
}

std::string why_no_endpoint(std::string_view text) {
  const auto parsed = parse_endpoint(text);
  return parsed.value ? "" : parsed.why.detail;
}

TEST(Network, says_which_part_is_wrong) {
  EXPECT_EQ(why_no_network("10.8.0.0/24"), "");
  EXPECT_EQ(why_no_network("10.8.0.1"), "");
  EXPECT_EQ(why_no_network("10.8.0.300/32"), "octet 4 is 300, the maximum is 255");
  EXPECT_EQ(why_no_network("10.08.0.0/24"), "octet 2 has a leading zero");
  EXPECT_EQ(why_no_network("10.8.0/24"), "it has 3 octets, an IPv4 address has 4");
  EXPECT_EQ(why_no_network("10..0.0/24"), "octet 2 is empty");
  EXPECT_EQ(why_no_network("10.8.0.0/33"), "the prefix length is 33, the maximum is 32");
  EXPECT_EQ(why_no_network("10.8.0.0/"), "the prefix length \"\" is not a number");
  EXPECT_EQ(why_no_network("10.8.0.0/-1"), "the prefix length \"-1\" is not a number");
  EXPECT_EQ(why_no_network("10.8.0.0/024"), "the prefix length has a leading zero");
  EXPECT_EQ(why_no_network("10.8.0.0/24/8"), "the prefix length \"24/8\" is not a number");
  EXPECT_EQ(why_no_network(""), "the address is empty");
  EXPECT_EQ(why_no_network(" 10.8.0.0/24"), "it has white space in it");
  EXPECT_EQ(why_no_network("fd00::1::2/64"), "\"::\" stands in it twice");
  EXPECT_EQ(why_no_network("fd00:::1/64"), "it has three colons in a row");
  EXPECT_EQ(why_no_network("fd00::12345/64"), "group \"12345\" has more than 4 digits");
  EXPECT_EQ(why_no_network("fd00::xyz/64"), "\"xyz\" is not a hexadecimal group");
  EXPECT_EQ(why_no_network("1:2:3/64"), "it has 3 groups, an IPv6 address has 8");
  EXPECT_EQ(why_no_network("fe80::1%eth0/64"), "it has a zone, which cannot be used here");
  EXPECT_EQ(why_no_network("fd00::/129"), "the prefix length is 129, the maximum is 128");
  EXPECT_EQ(why_no_network("example.org/24"),
            "\"example.org\" is neither an IPv4 nor an IPv6 address");
}

TEST(Network, offers_the_length_for_a_netmask) {
  EXPECT_EQ(parse_network("10.8.0.0/255.255.255.0").why.help, "write \"10.8.0.0/24\"");
  EXPECT_EQ(parse_network("10.8.0.0/255.0.255.0").why.help, "");
}

TEST(InterfaceAddress, is_of_one_host_with_a_length) {
  EXPECT_TRUE(parse_interface_address("192.168.53.99/24").value);
  EXPECT_TRUE(parse_interface_address("fd53::1/128").value);
  for (const char* text :
       {"192.168.53.99", "0.0.0.0/24", "224.0.0.1/24", "::/64", "ff02::1/64", "10.0.0.1/0", "x"})
    EXPECT_FALSE(parse_interface_address(text).value) << text;
}

TEST(EndpointText, takes_addresses_and_names) {
  const auto v4 = parse_endpoint("10.0.2.8:9090");
  EXPECT_EQ(v4.value, (EndpointSpec{"10.0.2.8", 9090, IpAddress::parse("10.0.2.8")}));
  const auto v6 = parse_endpoint("[fd00::8]:1");
  EXPECT_EQ(v6.value, (EndpointSpec{"fd00::8", 1, IpAddress::parse("fd00::8")}));
  const auto name = parse_endpoint("vpn_1.example.org.:65535");
  EXPECT_EQ(name.value, (EndpointSpec{"vpn_1.example.org.", 65535, std::nullopt}));
}

TEST(EndpointText, says_which_part_is_wrong) {
  EXPECT_EQ(why_no_endpoint(""), "it is empty");
  EXPECT_EQ(why_no_endpoint("10.0.2.8"), "the port is missing");
  EXPECT_EQ(why_no_endpoint("[fd00::8]"), "the port is missing");
  EXPECT_EQ(why_no_endpoint("[fd00::8"), "the bracket is not closed");
  EXPECT_EQ(why_no_endpoint("fd00::8"), "an IPv6 address needs brackets, and the port is missing");
  EXPECT_EQ(why_no_endpoint("fd00:0:0:0:0:0:0:8:9090"), "an IPv6 address needs brackets");
  EXPECT_EQ(why_no_endpoint("[10.0.2.8]:9090"), "brackets are for IPv6 addresses only");
  EXPECT_EQ(why_no_endpoint("[fd00::x]:9090"), "\"x\" is not a hexadecimal group");
  EXPECT_EQ(why_no_endpoint("udp://10.0.2.8:9090"), "an endpoint has no scheme \"udp://\"");
  EXPECT_EQ(why_no_endpoint("10.0.2.300:9090"), "octet 4 is 300, the maximum is 255");
  EXPECT_EQ(why_no_endpoint(":9090"), "the host is missing");
  EXPECT_EQ(why_no_endpoint("host:"), "the port is empty");
  EXPECT_EQ(why_no_endpoint("host:http"), "the port \"http\" is not a number");
  EXPECT_EQ(why_no_endpoint("host:0"), "port 0 cannot be sent to");
  EXPECT_EQ(why_no_endpoint("host:70000"), "the port is 70000, the maximum is 65535");
  EXPECT_EQ(why_no_endpoint("host:99999999999999999999"),
            "the port is 999999999999, the maximum is 65535");
  EXPECT_EQ(why_no_endpoint("host:080"), "the port has a leading zero");
  EXPECT_EQ(why_no_endpoint("ho st:1"), "it has white space in it");
  EXPECT_EQ(why_no_endpoint("b\xc3\xbcro:1"), "\"\xc3\xbc\" cannot stand in a host name");
  EXPECT_EQ(why_no_endpoint("-a.example:1"), "a label of the host name begins or ends with \"-\"");
  EXPECT_EQ(why_no_endpoint("a..example:1"), "the host name has an empty label");
  EXPECT_EQ(why_no_endpoint("0.0.0.0:1"), "the unspecified address is no destination");
  EXPECT_EQ(why_no_endpoint("224.0.0.1:1"), "a multicast address is no single host");
  EXPECT_EQ(why_no_endpoint("255.255.255.255:1"), "a broadcast address is no single host");
  EXPECT_EQ(why_no_endpoint("[fe80::1]:1"),
            "a link-local address says nothing without its interface");
}

TEST(InterfaceName, follows_the_kernel) {
  for (const char* name : {"tun0", "zhang%d", "%d", "a.b-c_d@e", "123456789012345"})
    EXPECT_EQ(why_no_interface_name(name, true), "") << name;
  for (const char* name : {"", "1234567890123456", "a/b", "a:b", "a b", ".", "..", "a%d%d", "a%s",
                           "a%", "%%d", "a\x01", "\xc3\xbc", "all", "default"})
    EXPECT_NE(why_no_interface_name(name, true), "") << name;
  EXPECT_NE(why_no_interface_name("eth%d", false), "");
}

TEST(NetnsName, is_a_file_name) {
  EXPECT_EQ(why_no_netns_name("office 1"), "");
  for (const std::string& name : {std::string(), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string("a\n"), std::string(256, 'a')})
    EXPECT_NE(why_no_netns_name(name), "") << name;
}

TEST(Mac, is_of_one_interface) {
  EXPECT_TRUE(parse_mac("02:00:00:00:53:63").value);
  for (const char* text : {"01:00:5e:00:00:01", "00:00:00:00:00:00", "02-00-00-00-53-63", "02:00",
                           "", "0g:00:00:00:53:63"})
    EXPECT_FALSE(parse_mac(text).value) << text;
}

}  // namespace
}  // namespace vpntun::config
