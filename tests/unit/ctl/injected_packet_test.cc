#include "ctl/injected_packet.h"

#include <gtest/gtest.h>

#include "ctl/client.h"
#include "packet/describe.h"

namespace vpntun::ctl {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(ParseHex, SkipsWhatSeparatesBytes) {
  EXPECT_EQ(parse_hex("45 00\n:fF"), (Bytes{0x45, 0x00, 0xff}));
  EXPECT_EQ(parse_hex("4500ff"), (Bytes{0x45, 0x00, 0xff}));
  EXPECT_EQ(parse_hex(""), Bytes{});
}

TEST(ParseHex, RefusesHalfBytesAndOtherText) {
  for (const char* text : {"4", "4 5", "0x45", "45 0g", "45-00", "45 0\x1b"}) {
    try {
      parse_hex(text);
      ADD_FAILURE() << text;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.exit_code(), 2);
      EXPECT_EQ(std::string(failure.what()).find('\x1b'), std::string::npos);
    }
  }
}

TEST(BuildPacket, MakesFiveBytesOfEvian) {
  Options options;
  options.text = "evian";
  EXPECT_EQ(build_packet(options), (Bytes{'e', 'v', 'i', 'a', 'n'}));
}

TEST(BuildPacket, MakesEchoMessages) {
  Options options;
  options.icmp = {"1.2.3.4", "192.168.53.99"};
  options.ttl = 7;
  const std::string request = packet::describe(build_packet(options));
  EXPECT_NE(request.find("1.2.3.4 --> 192.168.53.99 ICMP echo request"), std::string::npos)
      << request;
  EXPECT_EQ(build_packet(options).at(8), 7);
  options.echo_reply = true;
  const std::string reply = packet::describe(build_packet(options));
  EXPECT_NE(reply.find("ICMP echo reply"), std::string::npos) << reply;
}

TEST(BuildPacket, MakesDatagramsOfBothFamilies) {
  Options options;
  options.payload = "hello";
  options.udp = {"1.2.3.4:5000", "192.168.53.99:6000"};
  const Bytes packet = build_packet(options);
  EXPECT_EQ(packet.size(), 20u + 8u + 5u);
  options.udp = {"[2001:db8::1]:5000", "[fd53::99]:6000"};
  EXPECT_EQ(build_packet(options).size(), 40u + 8u + 5u);
}

TEST(BuildPacket, RefusesPartsThatMakeNone) {
  Options options;
  options.icmp = {"1.2.3", "192.168.53.99"};
  EXPECT_THROW(build_packet(options), Failure);
  options.icmp = {"1.2.3.4", "fd53::99"};
  EXPECT_THROW(build_packet(options), Failure);
  options.icmp.clear();
  options.udp = {"1.2.3.4", "192.168.53.99:1"};
  EXPECT_THROW(build_packet(options), Failure);
}

TEST(CheckSources, WantsExactlyOne) {
  Options options;
  EXPECT_THROW(check_sources(options), Failure);
  options.text = "evian";
  EXPECT_NO_THROW(check_sources(options));
  options.from_stdin = true;
  EXPECT_THROW(check_sources(options), Failure);
  options.from_stdin = false;
  options.payload = "x";
  EXPECT_THROW(check_sources(options), Failure);
  options.payload.clear();
  options.echo_reply = true;
  EXPECT_THROW(check_sources(options), Failure);
}

TEST(CheckKind, RefusesIpPacketsForFrames) {
  Options options;
  options.icmp = {"1.2.3.4", "192.168.53.99"};
  EXPECT_NO_THROW(check_kind(options, "tun"));
  EXPECT_THROW(check_kind(options, "tap"), Failure);
  options.icmp.clear();
  options.hex = "00";
  EXPECT_NO_THROW(check_kind(options, "tap"));
}

}  // namespace
}  // namespace vpntun::ctl
