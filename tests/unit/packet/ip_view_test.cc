#include "packet/ip_view.h"

#include "base/wire.h"
#include "bytes.h"

namespace vpntun::packet {
namespace {

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// An IPv6 packet fd00::1 -> fd00::2 whose payload begins with the header `next`.
Bytes ipv6(std::uint8_t next, const Bytes& payload) {
  Bytes packet =
      hex("6000 0000 0000 00 40 fd000000000000000000000000000001 fd000000000000000000000000000002");
  store_be(&packet[4], static_cast<std::uint16_t>(payload.size()));
  packet[6] = next;
  return joined({packet, payload});
}

IpDefect defect_of(const Bytes& bytes) {
  IpDefect defect = IpDefect::kNone;
  const auto view = IpView::parse(bytes, defect);
  EXPECT_EQ(view.has_value(), defect == IpDefect::kNone);
  return defect;
}

TEST(IpView, ReadsAnIpv4Packet) {
  const Bytes packet = lab_ping();
  const auto view = IpView::parse(packet);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->family(), Family::kIpv4);
  EXPECT_EQ(view->source(), ip("192.168.53.99"));
  EXPECT_EQ(view->destination(), ip("192.168.60.101"));
  EXPECT_EQ(view->protocol(), kProtocolIcmp);
  EXPECT_EQ(view->ttl(), 64);
  EXPECT_EQ(view->traffic_class(), 0);
  EXPECT_EQ(view->header_length(), 20u);
  EXPECT_EQ(view->payload().size(), 64u);
  EXPECT_EQ(view->payload().data(), packet.data() + 20);
  EXPECT_EQ(view->id(), 0x1c46u);
  EXPECT_TRUE(view->dont_fragment());
  EXPECT_FALSE(view->is_fragment());
}

TEST(IpView, ReadsIpv4Options) {
  const auto packet = hex("4601 001c 0001 0000 0711 0000 0a000001 0a000002 94040000 01020304");
  const auto view = IpView::parse(packet);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->header_length(), 24u);
  EXPECT_EQ(view->traffic_class(), 1);
  EXPECT_EQ(view->ttl(), 7);
  EXPECT_EQ(Bytes(view->payload().begin(), view->payload().end()), hex("01020304"));
}

TEST(IpView, ReadsIpv4Fragments) {
  const auto first = hex("4500 001c 0007 2000 4011 0000 0a000001 0a000002 0102030405060708");
  auto view = IpView::parse(first);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->is_fragment());
  EXPECT_FALSE(view->is_later_fragment());
  EXPECT_TRUE(view->more_fragments());
  EXPECT_FALSE(view->dont_fragment());
  const auto last = hex("4500 001c 0007 00b9 4011 0000 0a000001 0a000002 0102030405060708");
  view = IpView::parse(last);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->is_later_fragment());
  EXPECT_EQ(view->fragment_offset(), 1480u);
  EXPECT_FALSE(view->more_fragments());
}

TEST(IpView, ReadsAnIpv6Packet) {
  Bytes packet = ipv6(kProtocolUdp, hex("0001 0002 0008 0000"));
  packet[0] = 0x6a;
  packet[1] = 0xb0;
  const auto view = IpView::parse(packet);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->family(), Family::kIpv6);
  EXPECT_EQ(view->source(), ip("fd00::1"));
  EXPECT_EQ(view->destination(), ip("fd00::2"));
  EXPECT_EQ(view->protocol(), kProtocolUdp);
  EXPECT_EQ(view->ttl(), 64);
  EXPECT_EQ(view->traffic_class(), 0xab);
  EXPECT_EQ(view->header_length(), 40u);
  EXPECT_TRUE(view->dont_fragment());
  EXPECT_FALSE(view->is_fragment());
}

TEST(IpView, WalksIpv6ExtensionHeaders) {
  // hop-by-hop, destination options (16 bytes), authentication (12 bytes + 4), then TCP.
  const auto packet = ipv6(0, hex("3c00 0104 00000000"
                                  "3301 010c 000000000000000000000000"
                                  "0602 0000 00000001 00000001 11223344"
                                  "aabbccdd"));
  const auto view = IpView::parse(packet);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->protocol(), kProtocolTcp);
  EXPECT_EQ(view->header_length(), 40u + 8 + 16 + 16);
  EXPECT_EQ(view->payload().size(), 4u);
}

TEST(IpView, ReadsIpv6Fragments) {
  const auto first = ipv6(44, hex("1100 0001 0000abcd 0001 0002 0008 0000"));
  auto view = IpView::parse(first);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->protocol(), kProtocolUdp);
  EXPECT_EQ(view->id(), 0xabcdu);
  EXPECT_TRUE(view->is_fragment());
  EXPECT_FALSE(view->is_later_fragment());
  // The next header of a later fragment says what was cut, not what follows: it is not walked.
  const auto later = ipv6(44, hex("3c00 0588 0000abcd ffff ffff ffff ffff"));
  view = IpView::parse(later);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->is_later_fragment());
  EXPECT_EQ(view->fragment_offset(), 0x588u);
  EXPECT_EQ(view->header_length(), 48u);
}

TEST(IpView, AtomicFragmentIsWhole) {
  const auto packet = ipv6(44, hex("1100 0000 00000001 0001 0002 0008 0000"));
  const auto view = IpView::parse(packet);
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->is_fragment());
}

TEST(IpView, UpperLayerOfABrokenChainIsNone) {
  EXPECT_EQ(IpView::parse(ipv6(0, hex("06ff 0000 00000000")))->protocol(), kProtocolNone);
  EXPECT_EQ(IpView::parse(ipv6(43, hex("0600")))->protocol(), kProtocolNone);
  EXPECT_EQ(IpView::parse(ipv6(60, {}))->protocol(), kProtocolNone);
}

TEST(IpView, ChainOfExtensionHeadersIsBounded) {
  Bytes chain;
  for (std::size_t i = 0; i < IpView::kMaxExtensionHeaders; ++i) {
    const Bytes header = hex("3c00 0104 00000000");
    chain.insert(chain.end(), header.begin(), header.end());
  }
  chain[chain.size() - 8] = kProtocolTcp;
  EXPECT_EQ(IpView::parse(ipv6(60, chain))->protocol(), kProtocolTcp);
  Bytes longer = hex("3c00 0104 00000000");
  longer.insert(longer.end(), chain.begin(), chain.end());
  EXPECT_EQ(IpView::parse(ipv6(60, longer))->protocol(), kProtocolNone);
}

TEST(IpView, RefusesWhatIsNoPacket) {
  EXPECT_EQ(defect_of({}), IpDefect::kEmpty);
  EXPECT_EQ(defect_of(hex("55")), IpDefect::kVersion);
  EXPECT_EQ(defect_of(Bytes(100, 0)), IpDefect::kVersion);
  EXPECT_EQ(defect_of(text("evian")), IpDefect::kHeaderMissing);
  EXPECT_EQ(defect_of(text("Evian")), IpDefect::kHeaderMissing);
}

TEST(IpView, EveryCutOfAPacketIsADefect) {
  for (const Bytes& whole : {lab_ping(), ipv6(kProtocolUdp, hex("0001 0002 0008 0000"))}) {
    const std::size_t header = whole[0] >> 4 == 4 ? 20 : 40;
    for (std::size_t length = 1; length < whole.size(); ++length) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_EQ(defect_of(cut), length < header ? IpDefect::kHeaderMissing : IpDefect::kTruncated)
          << length;
    }
  }
}

TEST(IpView, BytesBehindThePacketAreADefect) {
  Bytes v4 = lab_ping();
  v4.push_back(0);
  EXPECT_EQ(defect_of(v4), IpDefect::kTrailing);
  Bytes v6 = ipv6(kProtocolNone, {});
  EXPECT_EQ(defect_of(v6), IpDefect::kNone);
  v6.push_back(0);
  EXPECT_EQ(defect_of(v6), IpDefect::kTrailing);
}

TEST(IpView, HeaderLengthMustBeWithinThePacket) {
  for (int words = 0; words < 5; ++words) {
    Bytes packet = lab_ping();
    packet[0] = static_cast<std::uint8_t>(0x40 | words);
    EXPECT_EQ(defect_of(packet), IpDefect::kHeaderLength) << words;
  }
  Bytes packet = lab_ping();
  store_be(&packet[2], std::uint16_t{19});
  EXPECT_EQ(defect_of(packet), IpDefect::kHeaderLength);
  packet[0] = 0x4f;  // 60 bytes of header in a packet of 59
  store_be(&packet[2], std::uint16_t{59});
  EXPECT_EQ(defect_of(packet), IpDefect::kHeaderLength);
}

TEST(IpView, RefusesJumbograms) {
  Bytes packet = ipv6(0, hex("3b00 c204 00010000"));
  store_be(&packet[4], std::uint16_t{0});
  EXPECT_EQ(defect_of(packet), IpDefect::kJumbogram);
}

TEST(IpView, QuotedPacketMayBeCutOrPadded) {
  const Bytes whole = lab_ping();
  const auto cut = IpView::parse_quoted(std::span(whole).first(28));
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->destination(), ip("192.168.60.101"));
  EXPECT_EQ(cut->payload().size(), 8u);
  Bytes longer = whole;  // RFC 4884 fills a quote up with zeros
  longer.resize(128);
  const auto padded = IpView::parse_quoted(longer);
  ASSERT_TRUE(padded);
  EXPECT_EQ(padded->bytes().size(), whole.size());
  EXPECT_FALSE(IpView::parse_quoted(std::span(whole).first(19)));
}

TEST(TcpView, ReadsASegment) {
  const auto segment = hex("9cb0 0017 00000001 00000002 6012 fff0 0000 0000 020405b4 6869");
  const auto tcp = TcpView::parse(segment);
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->source_port(), 40112);
  EXPECT_EQ(tcp->destination_port(), 23);
  EXPECT_EQ(tcp->sequence(), 1u);
  EXPECT_EQ(tcp->acknowledgment(), 2u);
  EXPECT_EQ(tcp->flags(), TcpView::kSyn | TcpView::kAck);
  EXPECT_EQ(tcp->window(), 0xfff0);
  EXPECT_EQ(tcp->header_length(), 24u);
  EXPECT_EQ(tcp->payload().size(), 2u);
}

TEST(TcpView, HeaderMustBeThere) {
  Bytes segment = hex("9cb0 0017 00000001 00000002 5012 fff0 0000 0000");
  EXPECT_TRUE(TcpView::parse(segment));
  EXPECT_FALSE(TcpView::parse(std::span(segment).first(19)));
  segment[12] = 0x40;
  EXPECT_FALSE(TcpView::parse(segment));
  segment[12] = 0x60;
  EXPECT_FALSE(TcpView::parse(segment));
}

TEST(UdpView, ReadsADatagram) {
  const auto datagram = hex("9cb0 2382 000a 0000 6869");
  const auto udp = UdpView::parse(datagram);
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->source_port(), 40112);
  EXPECT_EQ(udp->destination_port(), 9090);
  EXPECT_EQ(udp->length(), 10);
  EXPECT_TRUE(udp->length_fits());
  EXPECT_EQ(udp->payload().size(), 2u);
  EXPECT_FALSE(UdpView::parse(std::span(datagram).first(9))->length_fits());
  EXPECT_FALSE(UdpView::parse(std::span(datagram).first(7)));
}

TEST(IcmpView, ReadsAMessage) {
  const auto message = hex("0800 1234 004d 0001 6869");
  const auto icmp = IcmpView::parse(message);
  ASSERT_TRUE(icmp);
  EXPECT_EQ(icmp->type(), 8);
  EXPECT_EQ(icmp->code(), 0);
  EXPECT_EQ(icmp->id(), 77);
  EXPECT_EQ(icmp->sequence(), 1);
  EXPECT_EQ(icmp->rest(), 0x004d0001u);
  EXPECT_EQ(icmp->payload().size(), 2u);
  EXPECT_FALSE(IcmpView::parse(std::span(message).first(7)));
}

TEST(IcmpError, IsToldFromQueries) {
  for (const int type : {3, 4, 5, 11, 12})
    EXPECT_TRUE(is_icmp_error(Family::kIpv4, static_cast<std::uint8_t>(type))) << type;
  for (const int type : {0, 8, 9, 10, 13, 14})
    EXPECT_FALSE(is_icmp_error(Family::kIpv4, static_cast<std::uint8_t>(type))) << type;
  for (const int type : {0, 1, 2, 3, 4, 127, 137})
    EXPECT_TRUE(is_icmp_error(Family::kIpv6, static_cast<std::uint8_t>(type))) << type;
  for (const int type : {128, 129, 133, 134, 135, 136, 143})
    EXPECT_FALSE(is_icmp_error(Family::kIpv6, static_cast<std::uint8_t>(type))) << type;
}

// Whatever the bytes: a view stays within them (the sanitizers watch), and a whole packet's length
// is true.
TEST(IpView, StaysWithinRandomBytes) {
  Chance chance;
  PRINT_SEED(chance);
  int views = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = chance.bytes(chance.between(0, 120));
    if (!bytes.empty()) bytes[0] = static_cast<std::uint8_t>(chance.byte() % 2 == 0 ? 0x45 : 0x60);
    const bool v4 = !bytes.empty() && bytes[0] == 0x45;
    if (bytes.size() >= 40 && chance.byte() % 2 == 0)
      store_be(&bytes[v4 ? 2 : 4], static_cast<std::uint16_t>(bytes.size() - (v4 ? 0 : 40)));
    const Bytes exact(bytes);  // no spare capacity: reading past the end is seen
    for (const auto& view : {IpView::parse(exact), IpView::parse_quoted(exact)}) {
      if (!view) continue;
      ++views;
      ASSERT_LE(view->header_length(), view->bytes().size());
      ASSERT_EQ(view->header_length() + view->payload().size(), view->bytes().size());
      ASSERT_LE(view->bytes().size(), exact.size());
      ASSERT_EQ(view->source().family(), view->family());
      const auto tcp = TcpView::parse(view->payload());
      ASSERT_TRUE(!tcp || tcp->payload().size() + 20 <= view->payload().size());
    }
  }
  EXPECT_GT(views, 1000);
}

}  // namespace
}  // namespace vpntun::packet
