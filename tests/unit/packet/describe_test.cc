#include "packet/describe.h"

#include <algorithm>

#include "base/wire.h"
#include "bytes.h"
#include "packet/build.h"
#include "packet/ethernet.h"
#include "packet/fragment.h"
#include "packet/icmp.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

const IpFields kLab{.source = IpAddress::v4(192, 168, 53, 99),
                    .destination = IpAddress::v4(192, 168, 60, 101)};

IpFields v6() {
  return {.source = ip("fd00::1"), .destination = ip("fd00::2")};
}

std::string icmp4(const Bytes& message) {
  return describe(
      build_ip({.source = ip("10.0.0.1"), .destination = ip("10.0.0.2")}, kProtocolIcmp, message));
}

std::string icmp6(const Bytes& message) {
  return describe(build_ip(v6(), kProtocolIcmpv6, message));
}

TEST(Describe, Echo) {
  EXPECT_EQ(describe(lab_ping()),
            "192.168.53.99 --> 192.168.60.101 ICMP echo request id 77 seq 1 ttl 64");
  IpFields back{.source = kLab.destination, .destination = kLab.source, .ttl = 63};
  EXPECT_EQ(describe(build_echo(back, {.reply = true, .id = 77, .sequence = 1}, {})),
            "192.168.60.101 --> 192.168.53.99 ICMP echo reply id 77 seq 1 ttl 63");
  EXPECT_EQ(describe(build_echo(v6(), {.id = 9, .sequence = 2}, {})),
            "fd00::1 --> fd00::2 ICMPv6 echo request id 9 seq 2 ttl 64");
}

TEST(Describe, Tcp) {
  const Bytes segment = hex("9cb0 0017 00000001 00000002 5012 fff0 0000 0000 6c6f67696e");
  EXPECT_EQ(describe(build_ip(kLab, kProtocolTcp, segment)),
            "192.168.53.99:40112 --> 192.168.60.101:23 TCP SYN,ACK len 5");
  Bytes bare = hex("9cb0 0017 00000001 00000002 5000 fff0 0000 0000");
  EXPECT_EQ(describe(build_ip(v6(), kProtocolTcp, bare)),
            "[fd00::1]:40112 --> [fd00::2]:23 TCP no flags len 0");
  bare[13] = 0xff;
  EXPECT_EQ(describe(build_ip(kLab, kProtocolTcp, bare)),
            "192.168.53.99:40112 --> 192.168.60.101:23 TCP SYN,FIN,RST,PSH,ACK,URG,ECE,CWR len 0");
}

TEST(Describe, Udp) {
  EXPECT_EQ(describe(build_udp(kLab, 40000, 9090, Bytes(84))),
            "192.168.53.99:40000 --> 192.168.60.101:9090 UDP len 84");
  Bytes lies = build_udp(kLab, 1, 2, Bytes(4));
  store_be(&lies[24], std::uint16_t{5000});
  EXPECT_EQ(describe(lies),
            "192.168.53.99:1 --> 192.168.60.101:2 UDP len 4, its length field says 5000");
}

TEST(Describe, OtherProtocols) {
  EXPECT_EQ(describe(build_ip(kLab, 47, Bytes(8))),
            "192.168.53.99 --> 192.168.60.101 GRE len 8 ttl 64");
  EXPECT_EQ(describe(build_ip(kLab, 253, {})),
            "192.168.53.99 --> 192.168.60.101 protocol 253 len 0 ttl 64");
}

TEST(Describe, TransportHeaderThatIsCutOff) {
  EXPECT_EQ(describe(build_ip(kLab, kProtocolTcp, Bytes(19))),
            "192.168.53.99 --> 192.168.60.101 TCP header cut off after 19 bytes");
  EXPECT_EQ(describe(build_ip(kLab, kProtocolUdp, Bytes(7))),
            "192.168.53.99 --> 192.168.60.101 UDP header cut off after 7 bytes");
  EXPECT_EQ(describe(build_ip(kLab, kProtocolIcmp, Bytes(3))),
            "192.168.53.99 --> 192.168.60.101 ICMP header cut off after 3 bytes");
}

TEST(Describe, TooBigErrorsNameTheMtuAndThePacket) {
  Bytes out(kMaxTooBig);
  out.resize(build_too_big(build_udp(kLab, 40000, 9090, Bytes(1400)), 1372, out));
  EXPECT_EQ(describe(out),
            "192.168.60.101 --> 192.168.53.99 ICMP fragmentation needed, next-hop mtu 1372 ttl 64, "
            "about 192.168.53.99:40000 --> 192.168.60.101:9090 UDP");
  out.resize(kMaxTooBig);
  out.resize(build_too_big(build_echo(v6(), {}, Bytes(1400)), 1352, out));
  EXPECT_EQ(describe(out),
            "fd00::2 --> fd00::1 ICMPv6 packet too big, next-hop mtu 1352 ttl 64, "
            "about fd00::1 --> fd00::2 ICMPv6");
}

TEST(Describe, IcmpErrorsHaveTheirMeaning) {
  EXPECT_EQ(icmp4(hex("0301 0000 00000000")), "10.0.0.1 --> 10.0.0.2 ICMP host unreachable ttl 64");
  EXPECT_EQ(icmp4(hex("030d 0000 00000000")),
            "10.0.0.1 --> 10.0.0.2 ICMP administratively prohibited ttl 64");
  EXPECT_EQ(icmp4(hex("0363 0000 00000000")),
            "10.0.0.1 --> 10.0.0.2 ICMP destination unreachable, code 99 ttl 64");
  EXPECT_EQ(icmp4(hex("0b00 0000 00000000")),
            "10.0.0.1 --> 10.0.0.2 ICMP time exceeded in transit ttl 64");
  EXPECT_EQ(icmp4(hex("0501 0000 0a000009")),
            "10.0.0.1 --> 10.0.0.2 ICMP redirect to 10.0.0.9 ttl 64");
  EXPECT_EQ(icmp4(hex("6302 0000 00000000")), "10.0.0.1 --> 10.0.0.2 ICMP type 99 code 2 ttl 64");
  EXPECT_EQ(icmp6(hex("0100 0000 00000000")),
            "fd00::1 --> fd00::2 ICMPv6 no route to destination ttl 64");
  EXPECT_EQ(icmp6(hex("0301 0000 00000000")),
            "fd00::1 --> fd00::2 ICMPv6 time exceeded in reassembly ttl 64");
}

TEST(Describe, QuoteOfAnErrorMayBeAnything) {
  EXPECT_EQ(
      icmp4(hex("0303 0000 00000000 4500001c000000004011000001020304050607080001000200080000")),
      "10.0.0.1 --> 10.0.0.2 ICMP port unreachable ttl 64, about 1.2.3.4:1 --> 5.6.7.8:2 UDP");
  // Cut within the ports, and behind the first fragment: no ports.
  EXPECT_EQ(icmp4(hex("0303 0000 00000000 4500001c0000000040110000010203040506070800010002")),
            "10.0.0.1 --> 10.0.0.2 ICMP port unreachable ttl 64, about 1.2.3.4 --> 5.6.7.8 UDP");
  EXPECT_EQ(
      icmp4(hex("0303 0000 00000000 4500001c000000b94011000001020304050607080001000200080000")),
      "10.0.0.1 --> 10.0.0.2 ICMP port unreachable ttl 64, about 1.2.3.4 --> 5.6.7.8 UDP");
  EXPECT_EQ(icmp4(hex("0303 0000 00000000 6576 69616e")),
            "10.0.0.1 --> 10.0.0.2 ICMP port unreachable ttl 64");
}

TEST(Describe, NeighbourDiscovery) {
  EXPECT_EQ(icmp6(hex("8700 0000 00000000 fe800000000000000000000000000001")),
            "fd00::1 --> fd00::2 ICMPv6 neighbour solicitation who-has fe80::1 ttl 64");
  EXPECT_EQ(icmp6(hex("8800 0000 00000000 fe800000000000000000000000000001")),
            "fd00::1 --> fd00::2 ICMPv6 neighbour advertisement fe80::1 ttl 64");
  EXPECT_EQ(icmp6(hex("8700 0000 00000000 fe80")),
            "fd00::1 --> fd00::2 ICMPv6 neighbour solicitation (cut off) ttl 64");
  EXPECT_EQ(icmp6(hex("8500 0000 00000000")),
            "fd00::1 --> fd00::2 ICMPv6 router solicitation ttl 64");
  EXPECT_EQ(icmp6(hex("8600 0000 00000000")),
            "fd00::1 --> fd00::2 ICMPv6 router advertisement ttl 64");
}

TEST(Describe, Fragments) {
  IpFields fields = kLab;
  fields.id = 7;
  const Bytes packet = build_udp(fields, 1000, 2000, Bytes(1992));
  auto fragments = Ipv4Fragments::of(packet, 820);
  ASSERT_TRUE(fragments);
  std::vector<std::string> lines;
  while (const auto piece = fragments->next()) {
    Bytes bytes(piece->header.begin(), piece->header.end());
    bytes.insert(bytes.end(), piece->payload.begin(), piece->payload.end());
    lines.push_back(describe(bytes));
  }
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0],
            "192.168.53.99:1000 --> 192.168.60.101:2000 UDP len 792, first fragment id 7");
  EXPECT_EQ(lines[1],
            "192.168.53.99 --> 192.168.60.101 UDP fragment id 7 offset 800 len 800, more follow");
  EXPECT_EQ(lines[2],
            "192.168.53.99 --> 192.168.60.101 UDP fragment id 7 offset 1600 len 400, last");
}

TEST(Describe, BrokenPackets) {
  EXPECT_EQ(describe(text("evian")),
            "broken packet (5 bytes): version nibble 6 but 35 of 40 header bytes are missing: "
            "65 76 69 61 6e \"evian\"");
  EXPECT_EQ(describe({}), "broken packet (0 bytes): empty");
  EXPECT_EQ(describe(hex("00ff")),
            "broken packet (2 bytes): version nibble 0, neither 4 nor 6: 00 ff \"..\"");
  EXPECT_EQ(describe(hex("4f00")),
            "broken packet (2 bytes): version nibble 4 but 58 of 60 header bytes are missing: "
            "4f 00 \"O.\"");
  Bytes cut = lab_ping();
  cut.resize(60);
  EXPECT_EQ(describe(cut),
            "broken packet (60 bytes): cut off, its length field says 84 bytes: "
            "45 00 00 54 1c 46 40 00 40 01 2b 4a c0 a8 35 63 ... \"E..T.F@.@.+J..5c\" ...");
  Bytes longer = lab_ping();
  longer.push_back(0);
  EXPECT_TRUE(describe(longer).starts_with(
      "broken packet (85 bytes): its length field says only 84 bytes: 45 00"));
  longer[0] = 0x41;
  EXPECT_TRUE(describe(longer).starts_with(
      "broken packet (85 bytes): IPv4 header length 4 with total length 84: 41 00"));
}

TEST(Describe, Arp) {
  const MacAddress mac{{2, 0, 0, 0, 0, 1}};
  const MacAddress other{{2, 0, 0, 0, 0, 2}};
  EXPECT_EQ(
      describe(build_arp_request(mac, ip("192.168.53.99"), ip("192.168.53.1")), Layer::kEthernet),
      "ARP who-has 192.168.53.1 tell 192.168.53.99");
  EXPECT_EQ(describe(build_arp_reply(mac, ip("192.168.53.1"), other, ip("192.168.53.99")),
                     Layer::kEthernet),
            "ARP 192.168.53.1 is-at 02:00:00:00:00:01");
  EXPECT_EQ(describe(build_frame(other, mac, kEtherArp, hex("0001")), Layer::kEthernet),
            "02:00:00:00:00:01 --> 02:00:00:00:00:02 ARP, not for IPv4 or cut off");
}

TEST(Describe, Frames) {
  const MacAddress a{{2, 0, 0, 0, 0, 1}};
  const MacAddress b{{2, 0, 0, 0, 0, 2}};
  EXPECT_EQ(describe(build_frame(b, a, kEtherIpv4, lab_ping()), Layer::kEthernet),
            describe(lab_ping()));
  Bytes tagged = hex("020000000002 020000000001 8100 0005 0800");
  const Bytes ping = lab_ping();
  tagged.insert(tagged.end(), ping.begin(), ping.end());
  EXPECT_EQ(describe(tagged, Layer::kEthernet), "vlan 5 " + describe(ping));
  EXPECT_EQ(describe(build_frame(b, a, 0x88cc, Bytes(46)), Layer::kEthernet),
            "02:00:00:00:00:01 --> 02:00:00:00:00:02 ethertype 0x88cc len 46");
  EXPECT_EQ(describe(hex("0200"), Layer::kEthernet),
            "broken frame (2 bytes): the Ethernet header is cut off: 02 00");
  EXPECT_EQ(describe(build_frame(b, a, kEtherIpv4, {}), Layer::kEthernet),
            "broken packet (0 bytes): empty");
}

TEST(DescribeFlow, NamesBothEnds) {
  EXPECT_EQ(describe_flow(lab_ping()), "192.168.53.99 -> 192.168.60.101");
  EXPECT_EQ(describe_flow(build_udp(v6(), 1, 2, {})), "fd00::1 -> fd00::2");
  Bytes cut = lab_ping();
  cut.resize(30);
  EXPECT_EQ(describe_flow(cut), "192.168.53.99 -> 192.168.60.101");
  EXPECT_EQ(describe_flow(text("evian")), "5 bytes");
  EXPECT_EQ(describe_flow({}), "0 bytes");
  const MacAddress a{{2, 0, 0, 0, 0, 1}};
  const MacAddress b{{2, 0, 0, 0, 0, 2}};
  EXPECT_EQ(describe_flow(build_frame(b, a, kEtherIpv4, lab_ping()), Layer::kEthernet),
            "192.168.53.99 -> 192.168.60.101");
  EXPECT_EQ(describe_flow(build_frame(b, a, 0x88cc, {}), Layer::kEthernet),
            "02:00:00:00:00:01 -> 02:00:00:00:00:02");
  EXPECT_EQ(describe_flow(text("evian"), Layer::kEthernet), "5 bytes");
}

TEST(HexDump, NamesTheParts) {
  IpFields fields = kLab;
  fields.id = 5;
  EXPECT_EQ(hex_dump(build_udp(fields, 40000, 9090, text("hello"))),
            "IPv4 header: 192.168.53.99 --> 192.168.60.101, id 5, ttl 64, UDP (20 bytes)\n"
            "  0000  45 00 00 21 00 05 00 00 40 11 87 ae c0 a8 35 63  E..!....@.....5c\n"
            "  0010  c0 a8 3c 65                                      ..<e\n"
            "UDP header: port 40000 --> 9090 (8 bytes)\n"
            "  0014  9c 40 23 82 00 0d 09 26                          .@#....&\n"
            "payload (5 bytes)\n"
            "  001c  68 65 6c 6c 6f                                   hello\n");
}

TEST(HexDump, ShowsBrokenPacketsWhole) {
  EXPECT_EQ(hex_dump(text("evian")),
            "broken packet: version nibble 6 but 35 of 40 header bytes are missing (5 bytes)\n"
            "  0000  65 76 69 61 6e                                   evian\n");
}

TEST(HexDump, NamesFramesAndArp) {
  const std::string dump =
      hex_dump(build_arp_request({{2, 0, 0, 0, 0, 1}}, ip("192.168.53.99"), ip("192.168.53.1")),
               Layer::kEthernet);
  EXPECT_TRUE(dump.starts_with(
      "Ethernet header: 02:00:00:00:00:01 --> ff:ff:ff:ff:ff:ff, type 0x0806 (14 bytes)\n"))
      << dump;
  EXPECT_NE(dump.find("ARP for IPv4 over Ethernet (28 bytes)\n"), std::string::npos) << dump;
}

TEST(HexDump, StopsAtTheMaximum) {
  const std::string dump = hex_dump(build_udp(kLab, 1, 2, Bytes(1000)), Layer::kIp, 64);
  EXPECT_TRUE(dump.ends_with("  ... 964 more bytes\n")) << dump;
  EXPECT_EQ(dump.find("0040"), std::string::npos) << dump;
}

// Whatever the bytes: one line of printable text, and a dump of which every line ends.
TEST(Describe, RandomBytesGiveOnePrintableLine) {
  Chance chance;
  PRINT_SEED(chance);
  constexpr std::uint8_t kProtocols[] = {1, 6, 17, 58, 44, 0, 60};
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = chance.bytes(chance.between(0, 140));
    if (bytes.size() >= 40 && chance.byte() % 4 != 0) {
      const bool v4 = chance.byte() % 2 == 0;
      bytes[0] = v4 ? 0x45 : 0x60;
      bytes[v4 ? 9 : 6] = kProtocols[chance.between(0, 6)];
      store_be(&bytes[v4 ? 2 : 4], static_cast<std::uint16_t>(bytes.size() - (v4 ? 0 : 40)));
      if (v4 && chance.byte() % 2 == 0) bytes[6] = bytes[7] = 0;
    }
    const Bytes exact(bytes);
    for (const Layer layer : {Layer::kIp, Layer::kEthernet}) {
      for (const std::string& line : {describe(exact, layer), describe_flow(exact, layer)}) {
        ASSERT_FALSE(line.empty());
        ASSERT_TRUE(std::ranges::all_of(line, [](char c) { return c >= 0x20 && c < 0x7f; }))
            << line;
      }
      ASSERT_EQ(hex_dump(exact, layer).empty(), false);
      ASSERT_EQ(hex_dump(exact, layer, 32).back(), '\n');
    }
  }
}

}  // namespace
}  // namespace vpntun::packet
