#include "base/address.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace vpntun {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
IpPrefix prefix(std::string_view text) {
  return IpPrefix::parse(text).value();
}

TEST(IpAddress, TextIsCanonical) {
  for (const auto& [text, canonical] : {
           std::pair{"192.168.53.99", "192.168.53.99"},
           {"0.0.0.0", "0.0.0.0"},
           {"255.255.255.255", "255.255.255.255"},
           {"::", "::"},
           {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
           {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
           {"fe80::0001", "fe80::1"},
           {"::ffff:10.0.0.1", "::ffff:10.0.0.1"},
       })
    EXPECT_EQ(ip(text).to_string(), canonical);
}

TEST(IpAddress, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "1.2.3.-4",
                           "01.2.3.4",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "0x7f.0.0.1",
                           "127.1",
                           "1.2.3.4/24",
                           "1.2.3.4:80",
                           "[::1]",
                           "fe80::1%eth0",
                           "::1::",
                           ":::",
                           "12345::",
                           "g::",
                           "1:2:3:4:5:6:7:8:9",
                           "localhost",
                           "\xd9\xa1.2.3.4"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(IpAddress::parse(std::string(1'000'000, '1')));
}

TEST(IpAddress, FamilyBitsAndBytes) {
  EXPECT_TRUE(ip("10.0.0.1").is_v4());
  EXPECT_EQ(ip("10.0.0.1").bits(), 32u);
  EXPECT_EQ(ip("10.0.0.1").bytes().size(), 4u);
  EXPECT_EQ(ip("10.0.0.1").bytes()[0], 10);
  EXPECT_TRUE(ip("fd00::1").is_v6());
  EXPECT_EQ(ip("fd00::1").bits(), 128u);
  EXPECT_EQ(ip("fd00::1").bytes()[15], 1);
  EXPECT_TRUE(ip("::ffff:10.0.0.1").is_v6());
  EXPECT_NE(ip("::ffff:10.0.0.1"), ip("10.0.0.1"));
  EXPECT_NE(ip("::"), ip("0.0.0.0"));
  EXPECT_EQ(IpAddress(), ip("0.0.0.0"));
  EXPECT_LT(ip("10.0.0.9"), ip("10.0.0.10"));
}

TEST(IpAddress, Kinds) {
  EXPECT_TRUE(ip("0.0.0.0").is_unspecified());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_FALSE(ip("::1").is_unspecified());
  EXPECT_TRUE(ip("127.1.2.3").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("::2").is_loopback());
  EXPECT_FALSE(ip("1::1").is_loopback());
  EXPECT_TRUE(ip("224.0.0.1").is_multicast());
  EXPECT_TRUE(ip("239.255.255.255").is_multicast());
  EXPECT_FALSE(ip("240.0.0.0").is_multicast());
  EXPECT_TRUE(ip("ff02::1").is_multicast());
  EXPECT_TRUE(ip("169.254.0.1").is_link_local());
  EXPECT_TRUE(ip("fe80::1").is_link_local());
  EXPECT_TRUE(ip("febf::1").is_link_local());
  EXPECT_FALSE(ip("fec0::1").is_link_local());
}

TEST(IpAddress, PublicIsWhatTheInternetReaches) {
  for (const char* text :
       {"8.8.8.8", "1.0.0.1", "172.32.0.1", "172.15.255.255", "100.128.0.1", "192.167.1.1",
        "198.20.0.1", "223.255.255.255", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
        "2002:808:808::1", "2000::", "3fff:1000::1", "2001:db9::1", "3ffe::1"})
    EXPECT_TRUE(ip(text).is_public()) << text;
  for (const char* text :
       {"0.0.0.0",          "0.1.2.3",    "10.0.2.8",     "172.16.0.1",     "172.31.255.255",
        "192.168.60.1",     "100.64.0.1", "127.0.0.1",    "169.254.1.1",    "192.0.0.1",
        "192.0.2.1",        "198.18.0.1", "198.51.100.1", "203.0.113.1",    "224.0.0.1",
        "255.255.255.255",  "::",         "::1",          "fe80::1",        "fd00::1",
        "fc00::1",          "1fff::1",    "4000::1",      "::fffe:8.8.8.8", "64:ff9b:1::8.8.8.8",
        "239.1.1.1",        "ff02::1",    "2001:db8::1",  "3fff::1",        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1"})
    EXPECT_FALSE(ip(text).is_public()) << text;
}

TEST(IpPrefix, TextForms) {
  EXPECT_EQ(prefix("192.168.53.99/24").to_string(), "192.168.53.99/24");
  EXPECT_EQ(prefix("192.168.53.99").to_string(), "192.168.53.99/32");
  EXPECT_EQ(prefix("fd00::1").to_string(), "fd00::1/128");
  EXPECT_EQ(prefix("::/0").length, 0u);
  for (const char* text : {"", "/", "/24", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
                           "10.0.0.0/08", "10.0.0.0/8 ", "10.0.0.0/255.0.0.0", "fd00::/129",
                           "10.0.0.0/8/8", "10.0.0.0/99999999999999999999", "10.0.0.0/0x8"})
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
}

TEST(IpPrefix, NetworkClearsTheHostBits) {
  EXPECT_EQ(prefix("192.168.53.99/24").network(), prefix("192.168.53.0/24"));
  EXPECT_EQ(prefix("192.168.53.99/25").network(), prefix("192.168.53.0/25"));
  EXPECT_EQ(prefix("192.168.53.255/28").network(), prefix("192.168.53.240/28"));
  EXPECT_EQ(prefix("255.255.255.255/0").network(), prefix("0.0.0.0/0"));
  EXPECT_EQ(prefix("10.1.2.3/32").network(), prefix("10.1.2.3/32"));
  EXPECT_EQ(prefix("fd00:1:2:3:4::5/61").network(), prefix("fd00:1:2::/61"));
  EXPECT_TRUE(prefix("192.168.53.99/24").has_host_bits());
  EXPECT_FALSE(prefix("192.168.53.0/24").has_host_bits());
}

TEST(IpPrefix, Contains) {
  EXPECT_TRUE(prefix("192.168.53.99/24").contains(ip("192.168.53.1")));
  EXPECT_FALSE(prefix("192.168.53.99/24").contains(ip("192.168.60.101")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(ip("1.2.3.4")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(ip("::1")));
  EXPECT_TRUE(prefix("10.0.0.0/8").contains(prefix("10.1.0.0/16")));
  EXPECT_FALSE(prefix("10.1.0.0/16").contains(prefix("10.0.0.0/8")));
  EXPECT_TRUE(prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")));
  EXPECT_FALSE(prefix("10.1.0.0/16").overlaps(prefix("10.2.0.0/16")));
  EXPECT_FALSE(prefix("::/0").overlaps(prefix("0.0.0.0/0")));
}

// Bit by bit, as a reader would do it by hand.
bool same_leading_bits(const IpAddress& a, const IpAddress& b, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    if (((a.bytes()[i / 8] ^ b.bytes()[i / 8]) >> (7 - i % 8) & 1) != 0) return false;
  return true;
}

TEST(IpPrefix, ContainsEqualsComparingBitByBit) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 engine(seed);
  for (int round = 0; round < 20000; ++round) {
    std::array<std::uint8_t, 16> a{};
    for (auto& byte : a) byte = static_cast<std::uint8_t>(engine());
    auto b = a;
    b[engine() % 16] ^= static_cast<std::uint8_t>(1u << engine() % 8);
    const bool v4 = engine() % 2 == 0;
    const auto make = [v4](const auto& bytes) {
      return v4 ? IpAddress::v4(std::span<const std::uint8_t, 4>(bytes.data(), 4))
                : IpAddress::v6(bytes);
    };
    const auto length = static_cast<unsigned>(engine() % (v4 ? 33 : 129));
    ASSERT_EQ(IpPrefix({make(a), length}).contains(make(b)),
              same_leading_bits(make(a), make(b), length))
        << make(a).to_string() << "/" << length << " " << make(b).to_string();
    ASSERT_EQ(IpAddress::parse(make(a).to_string()), make(a));
  }
}

TEST(Endpoint, TextForms) {
  EXPECT_EQ(Endpoint::parse("10.0.2.8:9090"), (Endpoint{ip("10.0.2.8"), 9090, 0}));
  EXPECT_EQ(Endpoint::parse("[2001:db8::1]:9090"), (Endpoint{ip("2001:db8::1"), 9090, 0}));
  EXPECT_EQ(Endpoint::parse("10.0.2.8:65535")->to_string(), "10.0.2.8:65535");
  EXPECT_EQ(Endpoint::parse("[2001:DB8::1]:1")->to_string(), "[2001:db8::1]:1");
  EXPECT_EQ((Endpoint{ip("fe80::1"), 9090, 3}).to_string(), "[fe80::1%3]:9090");
  for (const char* text :
       {"", ":", "10.0.2.8", "10.0.2.8:", ":9090", "10.0.2.8:65536", "10.0.2.8:-1",
        "10.0.2.8:09090", "10.0.2.8: 9090", "2001:db8::1:9090", "[10.0.2.8]:9090", "[2001:db8::1]",
        "[2001:db8::1]9090", "[]:1", "server:9090"})
    EXPECT_FALSE(Endpoint::parse(text)) << text;
}

TEST(MacAddress, TextForms) {
  EXPECT_EQ(MacAddress::parse("02:00:00:00:0A:ff")->to_string(), "02:00:00:00:0a:ff");
  for (const char* text :
       {"", "02:00:00:00:00", "02:00:00:00:00:1", "02-00-00-00-00-01", "02:00:00:00:00:0g",
        "02:00:00:00:00:01:", "+2:00:00:00:00:01", " 2:00:00:00:00:01", "02:00:00:00:00:001"})
    EXPECT_FALSE(MacAddress::parse(text)) << text;
  EXPECT_TRUE(MacAddress::parse("ff:ff:ff:ff:ff:ff")->is_multicast());
  EXPECT_TRUE(MacAddress::parse("33:33:00:00:00:01")->is_multicast());
  EXPECT_FALSE(MacAddress::parse("02:00:00:00:00:01")->is_multicast());
}

}  // namespace
}  // namespace vpntun
