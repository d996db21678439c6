#include "packet/icmp.h"

#include "base/wire.h"
#include "bytes.h"
#include "packet/build.h"
#include "packet/checksum.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

IpFields v4(std::string_view source = "192.168.53.99",
            std::string_view destination = "192.168.60.101") {
  return {.source = ip(source), .destination = ip(destination), .dont_fragment = true};
}

IpFields v6(std::string_view source = "fd00::1", std::string_view destination = "fd00::2") {
  return {.source = ip(source), .destination = ip(destination)};
}

Bytes too_big(const Bytes& offending, std::uint32_t mtu) {
  Bytes out(kMaxTooBig, 0xee);
  out.resize(build_too_big(offending, mtu, out));
  return out;
}

TEST(TooBig, Ipv4AnswerIsWellFormed) {
  const Bytes offending = build_udp(v4(), 1000, 2000, Bytes(1400, 0x61));
  const Bytes answer = too_big(offending, 1280);
  const auto view = IpView::parse(answer);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->source(), ip("192.168.60.101"));
  EXPECT_EQ(view->destination(), ip("192.168.53.99"));
  EXPECT_EQ(view->protocol(), kProtocolIcmp);
  EXPECT_EQ(view->ttl(), 64);
  EXPECT_EQ(internet_checksum(view->header()), 0);
  EXPECT_EQ(internet_checksum(view->payload()), 0);
  const auto icmp = IcmpView::parse(view->payload());
  ASSERT_TRUE(icmp);
  EXPECT_EQ(icmp->type(), 3);
  EXPECT_EQ(icmp->code(), 4);
  EXPECT_EQ(icmp->rest(), 1280u);
}

TEST(TooBig, Ipv4AnswerQuotesWithin576Bytes) {
  const Bytes offending = build_udp(v4(), 1000, 2000, Bytes(1400, 0x61));
  const Bytes answer = too_big(offending, 1280);
  EXPECT_EQ(answer.size(), 576u);
  EXPECT_TRUE(std::equal(answer.begin() + 28, answer.end(), offending.begin()));
}

TEST(TooBig, ShortPacketIsQuotedWhole) {
  const Bytes offending = build_udp(v4(), 1000, 2000, text("hello"));
  const Bytes answer = too_big(offending, 20);
  ASSERT_EQ(answer.size(), 28 + offending.size());
  EXPECT_TRUE(std::equal(answer.begin() + 28, answer.end(), offending.begin()));
}

TEST(TooBig, Ipv4MtuFieldSaturates) {
  const Bytes answer = too_big(build_udp(v4(), 1, 2, {}), 100000);
  ASSERT_FALSE(answer.empty());
  EXPECT_EQ(load_be<std::uint16_t>(&answer[26]), 65535);
}

TEST(TooBig, Ipv6AnswerIsWellFormed) {
  const Bytes offending = build_udp(v6(), 1000, 2000, Bytes(1452, 0x61));
  const Bytes answer = too_big(offending, 1420);
  EXPECT_EQ(answer.size(), 1280u);
  const auto view = IpView::parse(answer);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->source(), ip("fd00::2"));
  EXPECT_EQ(view->destination(), ip("fd00::1"));
  EXPECT_EQ(view->protocol(), kProtocolIcmpv6);
  EXPECT_EQ(transport_checksum(view->source(), view->destination(), 58, view->payload()), 0);
  const auto icmp = IcmpView::parse(view->payload());
  ASSERT_TRUE(icmp);
  EXPECT_EQ(icmp->type(), 2);
  EXPECT_EQ(icmp->code(), 0);
  EXPECT_EQ(icmp->rest(), 1420u);
  EXPECT_TRUE(std::equal(answer.begin() + 48, answer.end(), offending.begin()));
}

TEST(TooBig, AnswersQueries) {
  EXPECT_FALSE(too_big(build_echo(v4(), {}, Bytes(1400)), 1300).empty());
  EXPECT_FALSE(too_big(build_echo(v6(), {}, Bytes(1400)), 1300).empty());
}

TEST(TooBig, NeverAnswersAnIcmpError) {
  for (const std::uint8_t type : hex("03 04 05 0b 0c"))
    EXPECT_TRUE(too_big(build_ip(v4(), kProtocolIcmp, Bytes(600, type)), 500).empty()) << +type;
  for (const std::uint8_t type : hex("01 02 03 04 89"))
    EXPECT_TRUE(too_big(build_ip(v6(), kProtocolIcmpv6, Bytes(1400, type)), 1300).empty()) << +type;
  // Nor an ICMP packet that does not say its type.
  EXPECT_TRUE(too_big(build_ip(v4(), kProtocolIcmp, {}), 10).empty());
}

TEST(TooBig, NeverAnswersItsOwnAnswer) {
  EXPECT_TRUE(too_big(too_big(build_udp(v4(), 1, 2, Bytes(1400)), 1300), 500).empty());
  EXPECT_TRUE(too_big(too_big(build_udp(v6(), 1, 2, Bytes(1400)), 1300), 500).empty());
}

TEST(TooBig, ErrorBehindExtensionHeadersIsSeen) {
  Bytes payload = hex("3a00 0104 00000000 0200 0000");
  payload.resize(1400);
  EXPECT_TRUE(too_big(build_ip(v6(), 60, payload), 1300).empty());
}

TEST(TooBig, AnswersOnlyTheFirstFragment) {
  Bytes packet = build_udp(v4(), 1, 2, Bytes(1400));
  store_be(&packet[6], std::uint16_t{0x2000});
  EXPECT_FALSE(too_big(packet, 1300).empty());
  store_be(&packet[6], std::uint16_t{0x2001});
  EXPECT_TRUE(too_big(packet, 1300).empty());
  store_be(&packet[6], std::uint16_t{0x0001});
  EXPECT_TRUE(too_big(packet, 1300).empty());
}

TEST(TooBig, NeverAnswersFromOrToMoreThanOneHost) {
  const Bytes payload(1400);
  for (const char* odd :
       {"0.0.0.0", "255.255.255.255", "224.0.0.1", "239.1.2.3", "240.0.0.1", "127.0.0.1"}) {
    EXPECT_TRUE(too_big(build_udp(v4(odd), 1, 2, payload), 1300).empty()) << odd;
    EXPECT_TRUE(too_big(build_udp(v4("10.0.0.1", odd), 1, 2, payload), 1300).empty()) << odd;
  }
  for (const char* odd : {"::", "ff02::1", "::1"}) {
    EXPECT_TRUE(too_big(build_udp(v6(odd), 1, 2, payload), 1300).empty()) << odd;
    EXPECT_TRUE(too_big(build_udp(v6("fd00::1", odd), 1, 2, payload), 1300).empty()) << odd;
  }
}

TEST(TooBig, NeverAnswersABrokenPacket) {
  EXPECT_TRUE(too_big(text("evian"), 4).empty());
  EXPECT_TRUE(too_big({}, 4).empty());
  Bytes cut = build_udp(v4(), 1, 2, Bytes(1400));
  cut.pop_back();
  EXPECT_TRUE(too_big(cut, 1300).empty());
}

TEST(TooBig, TooLittleRoomIsLeftUntouched) {
  const Bytes offending = build_udp(v4(), 1, 2, Bytes(1400));
  Bytes out(575, 0xee);
  EXPECT_EQ(build_too_big(offending, 1300, out), 0u);
  EXPECT_EQ(out, Bytes(575, 0xee));
}

TEST(TooBigFrame, GoesBackToTheSender) {
  const MacAddress a{{2, 0, 0, 0, 0, 1}};
  const MacAddress b{{2, 0, 0, 0, 0, 2}};
  const Bytes frame = build_frame(b, a, kEtherIpv4, build_udp(v4(), 1, 2, Bytes(1400)));
  Bytes out(kMaxTooBigFrame);
  out.resize(build_too_big_frame(frame, 1300, out));
  const auto view = EthernetView::parse(out);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->destination(), a);
  EXPECT_EQ(view->source(), b);
  EXPECT_EQ(view->ethertype(), kEtherIpv4);
  const auto answer = IpView::parse(view->payload());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->destination(), ip("192.168.53.99"));
}

TEST(TooBigFrame, KeepsTheVlanTagAndFits) {
  Bytes frame = hex("020000000002 020000000001 8100 0005 86dd");
  const Bytes packet = build_udp(v6(), 1, 2, Bytes(1452));
  frame.insert(frame.end(), packet.begin(), packet.end());
  Bytes out(kMaxTooBigFrame);
  EXPECT_EQ(build_too_big_frame(frame, 1300, out), kMaxTooBigFrame);
  EXPECT_EQ(EthernetView::parse(out)->vlan(), 5);
}

TEST(TooBigFrame, NeverAnswersGroupsOrOtherTypes) {
  const MacAddress a{{2, 0, 0, 0, 0, 1}};
  const MacAddress group{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  const Bytes packet = build_udp(v4(), 1, 2, Bytes(1400));
  Bytes out(kMaxTooBigFrame);
  EXPECT_EQ(build_too_big_frame(build_frame(group, a, kEtherIpv4, packet), 1300, out), 0u);
  EXPECT_EQ(build_too_big_frame(build_frame(a, group, kEtherIpv4, packet), 1300, out), 0u);
  EXPECT_EQ(build_too_big_frame(build_frame(a, a, kEtherArp, packet), 1300, out), 0u);
  EXPECT_EQ(build_too_big_frame(hex("0200"), 1300, out), 0u);
  Bytes small(13);
  EXPECT_EQ(build_too_big_frame(build_frame(a, a, kEtherIpv4, packet), 1300, small), 0u);
}

}  // namespace
}  // namespace vpntun::packet
