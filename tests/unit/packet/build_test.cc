#include "packet/build.h"

#include "base/error.h"
#include "bytes.h"
#include "packet/checksum.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

const IpFields kLab{.source = IpAddress::v4(192, 168, 53, 99),
                    .destination = IpAddress::v4(192, 168, 60, 101)};

IpFields v6() {
  return {.source = ip("fd00::1"), .destination = ip("fd00::2")};
}

TEST(Build, EchoIsByteForByteWhatAKernelSends) {
  IpFields fields = kLab;
  fields.id = 0x1c46;
  fields.dont_fragment = true;
  Bytes payload(56);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(build_echo(fields, {.id = 77, .sequence = 1}, payload), lab_ping());
}

TEST(Build, EchoReplyHasItsType) {
  EXPECT_EQ(build_echo(kLab, {.reply = true}, {})[20], 0);
  EXPECT_EQ(build_echo(v6(), {.reply = false}, {})[40], 128);
  EXPECT_EQ(build_echo(v6(), {.reply = true}, {})[40], 129);
}

TEST(Build, Ipv6EchoHasTheChecksumOfThePseudoHeader) {
  const Bytes packet = build_echo(v6(), {.id = 1, .sequence = 2}, text("odd"));
  const auto view = IpView::parse(packet);
  ASSERT_TRUE(view);
  EXPECT_EQ(transport_checksum(ip("fd00::1"), ip("fd00::2"), 58, view->payload()), 0);
}

TEST(Build, UdpHasPortsLengthAndChecksum) {
  for (const IpFields& fields : {kLab, v6()}) {
    const Bytes packet = build_udp(fields, 40000, 9090, text("hello"));
    const auto view = IpView::parse(packet);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->protocol(), kProtocolUdp);
    const auto udp = UdpView::parse(view->payload());
    ASSERT_TRUE(udp);
    EXPECT_EQ(udp->source_port(), 40000);
    EXPECT_EQ(udp->destination_port(), 9090);
    EXPECT_TRUE(udp->length_fits());
    EXPECT_EQ(transport_checksum(fields.source, fields.destination, 17, view->payload()), 0);
  }
}

TEST(Build, UdpChecksumIsNeverZeroOnTheWire) {
  // Zero means "none" (RFC 768): one of 65536 payloads computes to it.
  bool all_ones_seen = false;
  for (int i = 0; i < 65536 && !all_ones_seen; ++i) {
    const Bytes payload{static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
    const Bytes packet = build_udp(kLab, 1, 2, payload);
    ASSERT_FALSE(packet[26] == 0 && packet[27] == 0);
    all_ones_seen = packet[26] == 0xff && packet[27] == 0xff;
  }
  EXPECT_TRUE(all_ones_seen);
}

TEST(Build, FieldsOfTheHeaderAreSet) {
  IpFields fields = kLab;
  fields.ttl = 3;
  fields.traffic_class = 0xb8;
  fields.id = 4711;
  fields.dont_fragment = true;
  const Bytes packet = build_ip(fields, 99, text("x"));
  const auto view = IpView::parse(packet);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->ttl(), 3);
  EXPECT_EQ(view->traffic_class(), 0xb8);
  EXPECT_EQ(view->id(), 4711u);
  EXPECT_TRUE(view->dont_fragment());
  EXPECT_EQ(view->protocol(), 99);
  EXPECT_EQ(internet_checksum(view->header()), 0);

  IpFields six = v6();
  six.traffic_class = 0xb8;
  six.ttl = 1;
  const Bytes packet6 = build_ip(six, 99, {});
  EXPECT_EQ(IpView::parse(packet6)->traffic_class(), 0xb8);
  EXPECT_EQ(IpView::parse(packet6)->ttl(), 1);
}

TEST(Build, RefusesWhatIsNoPacket) {
  const IpFields mixed{.source = ip("10.0.0.1"), .destination = ip("fd00::1")};
  EXPECT_THROW(build_udp(mixed, 1, 2, {}), Error);
  EXPECT_THROW(build_echo(mixed, {}, {}), Error);
  EXPECT_THROW(build_ip(mixed, 6, {}), Error);
  EXPECT_EQ(build_udp(kLab, 1, 2, Bytes(65507)).size(), 65535u);
  EXPECT_THROW(build_udp(kLab, 1, 2, Bytes(65508)), Error);
  EXPECT_EQ(build_udp(v6(), 1, 2, Bytes(65527)).size(), 65575u);
  EXPECT_THROW(build_udp(v6(), 1, 2, Bytes(65528)), Error);
  EXPECT_THROW(build_arp_request({}, ip("fd00::1"), ip("10.0.0.1")), Error);
}

TEST(Build, ArpRequestIsTheKnownFrame) {
  const MacAddress mac{{2, 0, 0, 0, 0, 1}};
  EXPECT_EQ(build_arp_request(mac, ip("192.168.53.99"), ip("192.168.53.1")),
            hex("ffffffffffff 020000000001 0806"
                "0001 0800 06 04 0001 020000000001 c0a83563 000000000000 c0a83501"));
}

TEST(Build, ArpReplyGoesToTheAsker) {
  const MacAddress mac{{2, 0, 0, 0, 0, 1}};
  const MacAddress asker{{2, 0, 0, 0, 0, 2}};
  EXPECT_EQ(build_arp_reply(mac, ip("192.168.53.1"), asker, ip("192.168.53.99")),
            hex("020000000002 020000000001 0806"
                "0001 0800 06 04 0002 020000000001 c0a83501 020000000002 c0a83563"));
}

TEST(WrapUdp, StandsInFrontOfThePayload) {
  const Bytes inner = lab_ping();
  for (const auto& [source, destination] :
       {std::pair{"10.0.2.7:40000", "10.0.2.8:9090"}, {"[fd00::7]:40000", "[fd00::8]:9090"}}) {
    const auto from = Endpoint::parse(source).value();
    const auto to = Endpoint::parse(destination).value();
    const OuterHeaders headers = wrap_udp(from, to, inner);
    Bytes outer(headers.bytes().begin(), headers.bytes().end());
    outer.insert(outer.end(), inner.begin(), inner.end());
    const IpFields fields{.source = from.address, .destination = to.address};
    EXPECT_EQ(outer, build_udp(fields, 40000, 9090, inner));
  }
}

TEST(WrapUdp, UnknownLocalAddressTakesTheOtherFamily) {
  const OuterHeaders headers =
      wrap_udp(Endpoint{IpAddress(), 9090, 0}, Endpoint::parse("[fd00::8]:1").value(), {});
  const auto view = IpView::parse(headers.bytes());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->source(), IpAddress::unspecified(Family::kIpv6));
  EXPECT_EQ(headers.length, 48u);
}

TEST(WrapUdp, ImpossibleLengthSaturates) {
  const Bytes payload(70000);
  const auto endpoint = Endpoint::parse("10.0.2.7:1").value();
  const OuterHeaders headers = wrap_udp(endpoint, endpoint, payload);
  EXPECT_EQ(headers.bytes()[2], 0xff);
  EXPECT_EQ(headers.bytes()[3], 0xff);
}

}  // namespace
}  // namespace vpntun::packet
