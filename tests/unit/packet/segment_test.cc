#include "packet/segment.h"

#include "traffic.h"

namespace vpntun::packet {
namespace {

std::vector<Bytes> cut(const Bytes& superpacket, const Offload& offload, Layer layer) {
  std::vector<Bytes> pieces;
  auto segments = Segments::of(superpacket, offload, layer);
  if (!segments) return pieces;
  for (std::size_t expected = segments->left(); expected > 0; --expected) {
    EXPECT_EQ(segments->left(), expected);
    Bytes& piece = pieces.emplace_back(segments->largest());
    piece.resize(segments->next(piece));
  }
  EXPECT_EQ(segments->left(), 0u);
  EXPECT_EQ(segments->next({}), 0u);
  return pieces;
}

std::vector<Bytes> cut(const Shape& shape, const Bytes& payload, std::size_t segment_size) {
  return cut(unfinished(shape, payload), offload_of(shape, segment_size), layer_of(shape));
}

// What the segments have to be, each built alone.
std::vector<Bytes> expected(const Shape& shape, const Bytes& payload, std::size_t segment_size) {
  std::vector<Bytes> pieces;
  std::size_t at = 0;
  do {
    Shape one = shape;
    const std::size_t length = std::min(segment_size, payload.size() - at);
    const bool last = at + length == payload.size();
    one.sequence += static_cast<std::uint32_t>(at);
    one.id = static_cast<std::uint16_t>(one.id + pieces.size());
    if (!last) one.flags &= static_cast<std::uint8_t>(~(TcpView::kFin | TcpView::kPsh));
    if (at != 0) one.flags &= static_cast<std::uint8_t>(~TcpView::kCwr);
    const auto begin = payload.begin() + static_cast<std::ptrdiff_t>(at);
    pieces.push_back(packet_of(one, Bytes(begin, begin + static_cast<std::ptrdiff_t>(length))));
    at += length;
  } while (at < payload.size());
  return pieces;
}

TEST(Segment, ThreeSegmentsOfTcp) {
  Shape shape;
  shape.flags = TcpView::kAck | TcpView::kPsh | TcpView::kFin | TcpView::kCwr | TcpView::kEce;
  shape.id = 0xffff;
  shape.sequence = 0xfffffffe;
  const std::vector<Bytes> pieces = cut(shape, text("evian-water"), 5);
  ASSERT_EQ(pieces.size(), 3u);
  const std::uint32_t sequences[] = {0xfffffffe, 3, 8};
  const std::uint16_t ids[] = {0xffff, 0, 1};
  const std::uint8_t flags[] = {TcpView::kAck | TcpView::kCwr | TcpView::kEce,
                                TcpView::kAck | TcpView::kEce,
                                TcpView::kAck | TcpView::kPsh | TcpView::kFin | TcpView::kEce};
  const char* payloads[] = {"evian", "-wate", "r"};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto ip = IpView::parse(pieces[i]);
    ASSERT_TRUE(ip);
    const auto tcp = TcpView::parse(ip->payload());
    ASSERT_TRUE(tcp);
    EXPECT_EQ(ip->id(), ids[i]);
    EXPECT_EQ(tcp->sequence(), sequences[i]);
    EXPECT_EQ(tcp->flags(), flags[i]);
    EXPECT_EQ(Bytes(tcp->payload().begin(), tcp->payload().end()), text(payloads[i]));
    EXPECT_EQ(internet_checksum(ip->header()), 0);
    EXPECT_EQ(transport_checksum(ip->source(), ip->destination(), 6, ip->payload()), 0);
  }
}

TEST(Segment, UdpSaysItsLengthInEveryDatagram) {
  Shape shape;
  shape.tcp = false;
  shape.v4 = false;
  const std::vector<Bytes> pieces = cut(shape, text("evian"), 2);
  ASSERT_EQ(pieces.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto ip = IpView::parse(pieces[i]);
    ASSERT_TRUE(ip);
    const auto udp = UdpView::parse(ip->payload());
    ASSERT_TRUE(udp);
    EXPECT_EQ(udp->length(), i == 2 ? 9 : 10);
    EXPECT_EQ(transport_checksum(ip->source(), ip->destination(), 17, ip->payload()), 0);
  }
}

TEST(Segment, AnySuperpacketIsCutAsItsSegmentsWouldBeBuilt) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 400; ++round) {
    const Shape shape = random_shape(chance);
    const std::size_t most = round % 20 == 0 ? 65535 - 120 - 60 : 5000;
    const Bytes payload = chance.bytes(chance.between(1, most));
    const std::size_t size =
        chance.between(std::max<std::size_t>(1, payload.size() / 200), payload.size() + 10);
    const auto pieces = cut(shape, payload, size);
    ASSERT_EQ(pieces, expected(shape, payload, size)) << "round " << round;
  }
}

TEST(Segment, AChecksumThatIsThereIsMadeAnewForEverySegment) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 100; ++round) {
    const Shape shape = random_shape(chance);
    const Bytes payload = chance.bytes(chance.between(1, 3000));
    Offload offload = offload_of(shape, 700);
    offload.checksum_missing = false;
    offload.checksum_start = offload.checksum_offset = 0;
    ASSERT_EQ(cut(packet_of(shape, payload), offload, layer_of(shape)),
              expected(shape, payload, 700));
  }
}

TEST(Segment, AUdpChecksumIsNeverZero) {
  Shape shape;
  shape.tcp = false;
  // Whatever the rest sums up to, one of all 16-bit payloads makes it zero.
  int ones = 0;
  for (unsigned value = 0; value < 0x10000; ++value) {
    Bytes payload(2);
    store_be(payload.data(), static_cast<std::uint16_t>(value));
    const Bytes piece = cut(shape, payload, 2).at(0);
    const auto checksum = load_be<std::uint16_t>(&piece[26]);
    ASSERT_NE(checksum, 0);
    ones += checksum == 0xffff;
  }
  EXPECT_EQ(ones, 1);
}

TEST(Segment, ASuperpacketWithoutPayloadIsOnePacket) {
  EXPECT_EQ(cut(Shape{}, {}, 100), expected(Shape{}, {}, 100));
}

TEST(Segment, WhatTheOffloadSaysHasToBeThere) {
  const Shape shape;
  const Bytes good = unfinished(shape, Bytes(100));
  const auto refused = [&](const Bytes& bytes, const auto& change) {
    Offload offload = offload_of(shape, 10);
    change(offload);
    return !Segments::of(bytes, offload, Layer::kIp).has_value();
  };
  EXPECT_FALSE(refused(good, [](Offload&) {}));
  EXPECT_FALSE(refused(good, [](Offload& o) { o.header_length = 9999; })) << "only a hint";
  EXPECT_TRUE(refused(good, [](Offload& o) { o.segment_size = 0; }));
  EXPECT_TRUE(refused(good, [](Offload& o) { o.segmentation = Segmentation::kNone; }));
  EXPECT_TRUE(refused(good, [](Offload& o) { o.segmentation = Segmentation::kTcp6; }));
  EXPECT_TRUE(refused(good, [](Offload& o) { o.segmentation = Segmentation::kUdp; }));
  EXPECT_TRUE(refused(good, [](Offload& o) { o.checksum_start = 24; }));
  EXPECT_TRUE(refused(good, [](Offload& o) { o.checksum_start = 65535; }));
  EXPECT_TRUE(refused(good, [](Offload& o) { o.checksum_offset = 6; }));

  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    return refused(bytes, [](Offload&) {});
  };
  EXPECT_TRUE(with(0, 0x55)) << "version 5";
  EXPECT_TRUE(with(0, 0x4f)) << "header length";
  EXPECT_TRUE(with(3, 1)) << "total length";
  EXPECT_TRUE(with(6, 0x20)) << "more fragments";
  EXPECT_TRUE(with(7, 1)) << "fragment offset";
  EXPECT_TRUE(with(9, 17)) << "protocol: the length of UDP does not fit";
  EXPECT_TRUE(with(9, 47)) << "protocol";
  EXPECT_TRUE(with(32, 0x40)) << "TCP header too short";
  EXPECT_TRUE(with(20 + 12, 0xf0) == false) << "options are any bytes";
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_TRUE(refused(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)),
                        [](Offload&) {}))
        << length;
}

TEST(Segment, OnlyAFrameWithIpOfItsTypeIsCut) {
  Shape shape;
  shape.ethernet = ethernet_header(true);
  const Bytes good = unfinished(shape, Bytes(100));
  const Offload offload = offload_of(shape, 10);
  EXPECT_TRUE(Segments::of(good, offload, Layer::kEthernet));
  Bytes service = good;
  store_be(&service[12], std::uint16_t{0x88a8});
  EXPECT_TRUE(Segments::of(service, offload, Layer::kEthernet)) << "the tag of 802.1ad";
  Bytes other_type = good;
  store_be(&other_type[16], std::uint16_t{kEtherIpv6});
  EXPECT_FALSE(Segments::of(other_type, offload, Layer::kEthernet));
  Bytes two_tags = good;
  store_be(&two_tags[16], std::uint16_t{kEtherVlan});
  EXPECT_FALSE(Segments::of(two_tags, offload, Layer::kEthernet));
  Bytes padded = good;
  padded.push_back(0);
  EXPECT_FALSE(Segments::of(padded, offload, Layer::kEthernet));
}

TEST(CompleteChecksum, WritesWhatThePacketWouldHaveHad) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 500; ++round) {
    const Shape shape = random_shape(chance);
    const Bytes payload = chance.bytes(chance.between(0, 300));
    Bytes packet = unfinished(shape, payload);
    ASSERT_TRUE(complete_checksum(packet, offload_of(shape, 0), layer_of(shape)));
    Bytes whole = packet_of(shape, payload);
    std::uint8_t* field = checksum_field(whole, shape);
    if (load_be<std::uint16_t>(field) == 0) store_be(field, std::uint16_t{0xffff});
    ASSERT_EQ(packet, whole);
  }
}

TEST(CompleteChecksum, LeavesAlonePacketsThatHaveOne) {
  Bytes packet = packet_of(Shape{}, text("evian"));
  const Bytes before = packet;
  EXPECT_TRUE(complete_checksum(packet, {}, Layer::kIp));
  EXPECT_EQ(packet, before);
}

TEST(CompleteChecksum, ServesAnyProtocolBehindItsHeader) {
  Bytes packet = packet_of(Shape{}, Bytes(20));
  packet[9] = 136;  // UDP-Lite
  const Offload offload{.checksum_missing = true, .checksum_start = 20, .checksum_offset = 6};
  const std::uint16_t sum = internet_checksum(std::span(packet).subspan(20));
  ASSERT_TRUE(complete_checksum(packet, offload, Layer::kIp));
  EXPECT_EQ(load_be<std::uint16_t>(&packet[26]), sum);
}

TEST(CompleteChecksum, NeverWritesIntoAnotherField) {
  Shape shape;
  for (const bool ethernet : {false, true}) {
    shape.ethernet = ethernet ? ethernet_header(false) : Bytes{};
    const Bytes before = unfinished(shape, text("evian"));
    Bytes packet = before;
    for (std::size_t start = 0; start <= packet.size() + 2; ++start)
      for (std::size_t offset = 0; offset <= packet.size(); ++offset) {
        if (start == shape.transport() && offset == 16) continue;
        const Offload offload{.checksum_missing = true,
                              .checksum_start = static_cast<std::uint16_t>(start),
                              .checksum_offset = static_cast<std::uint16_t>(offset)};
        ASSERT_FALSE(complete_checksum(packet, offload, layer_of(shape)));
      }
    const Offload far{.checksum_missing = true, .checksum_start = 65535, .checksum_offset = 65535};
    EXPECT_FALSE(complete_checksum(packet, far, layer_of(shape)));
    EXPECT_EQ(packet, before);
  }
  Bytes frame(60);  // of no IP
  EXPECT_FALSE(complete_checksum(
      frame, {.checksum_missing = true, .checksum_start = 13, .checksum_offset = 2},
      Layer::kEthernet));
  Bytes broken = hex("47 00 0014");
  EXPECT_FALSE(complete_checksum(
      broken, {.checksum_missing = true, .checksum_start = 1, .checksum_offset = 1}, Layer::kIp));
}

}  // namespace
}  // namespace vpntun::packet
