#include "packet/coalesce.h"

#include <gmock/gmock.h>

#include <map>
#include <numeric>

#include "packet/segment.h"
#include "traffic.h"

namespace vpntun::packet {
namespace {

constexpr Coalescer::Mergeable kAll{.tcp4 = true, .tcp6 = true, .udp = true};

// The packets of a batch, what became of them, and the superpackets as they would be written.
struct Merged {
  std::vector<std::vector<std::size_t>> writes;  // indexes of packets
  std::vector<Bytes> bytes;                      // of each write
  std::vector<Offload> offloads;                 // of each write
};

Merged merged(Coalescer& coalescer, const std::vector<Bytes>& packets,
              const Coalescer::Mergeable& mergeable = kAll) {
  std::vector<Bytes> copies = packets;
  std::vector<Packet> batch(packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) batch[i].bytes = copies[i];
  Merged result;
  for (const Coalescer::Write& write : coalescer.coalesce(batch, mergeable)) {
    Bytes bytes(write.header.begin(), write.header.end());
    auto& indexes = result.writes.emplace_back();
    std::uint16_t index = write.first;
    for (std::size_t i = 0; i < write.count; ++i, index = coalescer.after(index)) {
      indexes.push_back(index);
      const auto piece = batch.at(index).bytes.subspan(write.header.size());
      bytes.insert(bytes.end(), piece.begin(), piece.end());
    }
    EXPECT_EQ(write.header.empty(), write.count == 1);
    result.bytes.push_back(bytes);
    result.offloads.push_back(write.offload);
  }
  EXPECT_EQ(copies, packets) << "no packet is changed";
  return result;
}

Merged merged(const std::vector<Bytes>& packets, Layer layer = Layer::kIp,
              const Coalescer::Mergeable& mergeable = kAll) {
  Coalescer coalescer(packets.size(), layer);
  return merged(coalescer, packets, mergeable);
}

using Writes = std::vector<std::vector<std::size_t>>;

// `lengths.size()` packets of one flow, each beginning where the one before ended.
std::vector<Bytes> stream(const Shape& shape, const std::vector<std::size_t>& lengths) {
  std::vector<Bytes> packets;
  Shape next = shape;
  for (const std::size_t length : lengths) {
    Bytes payload(length);
    std::iota(payload.begin(), payload.end(), static_cast<std::uint8_t>(packets.size() * 31));
    packets.push_back(packet_of(next, payload));
    next.sequence += static_cast<std::uint32_t>(length);
    ++next.id;
  }
  return packets;
}

// Two packets of 100 bytes of one flow; `change` is made to the shape of the second.
template <typename Change>
std::vector<Bytes> two(Shape shape, Change change) {
  Bytes first = packet_of(shape, Bytes(100, 1));
  shape.sequence += 100;
  ++shape.id;
  change(shape);
  return {first, packet_of(shape, Bytes(100, 2))};
}
template <typename Change>
bool merges(const Shape& shape, Change change) {
  return merged(two(shape, change), layer_of(shape)).writes.size() == 1;
}

Shape udp_shape() {
  Shape shape;
  shape.tcp = false;
  return shape;
}
Shape v6_shape() {
  Shape shape;
  shape.v4 = false;
  return shape;
}

TEST(Coalesce, NothingGivesNothing) {
  EXPECT_TRUE(merged({}).writes.empty());
}

TEST(Coalesce, ASinglePacketIsWrittenAsItIs) {
  const Bytes packet = packet_of(Shape{}, text("evian"));
  const Merged result = merged({packet});
  EXPECT_EQ(result.writes, (Writes{{0}}));
  EXPECT_EQ(result.bytes[0], packet);
  EXPECT_EQ(result.offloads[0].segmentation, Segmentation::kNone);
  EXPECT_FALSE(result.offloads[0].checksum_missing);
}

TEST(Coalesce, AStreamBecomesOneSuperpacket) {
  for (const bool v4 : {true, false})
    for (const bool tcp : {true, false})
      for (const bool ethernet : {true, false}) {
        Shape shape;
        shape.v4 = v4;
        shape.tcp = tcp;
        if (ethernet) shape.ethernet = ethernet_header(true);
        const auto packets = stream(shape, {100, 100, 100, 50});
        const Merged result = merged(packets, layer_of(shape));
        ASSERT_EQ(result.writes, (Writes{{0, 1, 2, 3}}));
        Bytes payload;
        for (const Bytes& packet : packets)
          payload.insert(payload.end(),
                         packet.begin() + static_cast<std::ptrdiff_t>(shape.headers()),
                         packet.end());
        EXPECT_EQ(result.bytes[0], unfinished(shape, payload));
        const Offload wanted = offload_of(shape, 100);
        EXPECT_EQ(result.offloads[0].segmentation, wanted.segmentation);
        EXPECT_EQ(result.offloads[0].segment_size, 100);
        EXPECT_TRUE(result.offloads[0].checksum_missing);
        EXPECT_EQ(result.offloads[0].checksum_start, wanted.checksum_start);
        EXPECT_EQ(result.offloads[0].checksum_offset, wanted.checksum_offset);
        EXPECT_EQ(result.offloads[0].header_length, wanted.header_length);
      }
}

TEST(Coalesce, AShorterPacketEndsIt) {
  EXPECT_EQ(merged(stream({}, {100, 100, 50, 50, 50})).writes, (Writes{{0, 1, 2}, {3, 4}}));
  EXPECT_EQ(merged(stream(udp_shape(), {100, 99, 100})).writes, (Writes{{0, 1}, {2}}));
}

TEST(Coalesce, ALongerPacketBeginsAnother) {
  EXPECT_EQ(merged(stream({}, {100, 101, 101})).writes, (Writes{{0}, {1, 2}}));
}

TEST(Coalesce, FlowsThatTakeTurnsAreToldApart) {
  Shape other = v6_shape();
  other.source_port = 7;
  const auto a = stream({}, {10, 10, 10});
  const auto b = stream(other, {20, 20, 20});
  const auto c = stream(udp_shape(), {30, 30, 30});
  EXPECT_EQ(merged({a[0], b[0], c[0], b[1], a[1], c[1], a[2], c[2], b[2]}).writes,
            (Writes{{0, 4, 6}, {1, 3, 8}, {2, 5, 7}}));
}

TEST(Coalesce, OnlyWhatTheInterfaceTakesIsMerged) {
  const auto tcp4 = stream({}, {10, 10});
  const auto tcp6 = stream(v6_shape(), {10, 10});
  const auto udp = stream(udp_shape(), {10, 10});
  const std::vector<Bytes> all = {tcp4[0], tcp4[1], tcp6[0], tcp6[1], udp[0], udp[1]};
  EXPECT_EQ(merged(all, Layer::kIp, {.tcp4 = true}).writes, (Writes{{0, 1}, {2}, {3}, {4}, {5}}));
  EXPECT_EQ(merged(all, Layer::kIp, {.tcp6 = true}).writes, (Writes{{0}, {1}, {2, 3}, {4}, {5}}));
  EXPECT_EQ(merged(all, Layer::kIp, {.udp = true}).writes, (Writes{{0}, {1}, {2}, {3}, {4, 5}}));
  EXPECT_EQ(merged(all, Layer::kIp, {}).writes.size(), 6u);
}

TEST(Coalesce, WhatASuperpacketHasOnlyOnceHasToBeEqual) {
  for (Shape shape : {Shape{}, v6_shape(), udp_shape()}) {
    EXPECT_TRUE(merges(shape, [](Shape&) {}));
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.ttl = 63; }));
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.traffic_class = 4; })) << "DSCP";
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.traffic_class = 3; })) << "ECN";
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.source_port = 1; }));
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.destination_port = 1; }));
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.source_host = 2; }));
    EXPECT_EQ(merges(shape, [](Shape& s) { s.dont_fragment = false; }), !shape.v4);
    EXPECT_EQ(merges(shape, [](Shape& s) { s.flow_label = 5; }), shape.v4);
    if (!shape.tcp) continue;
    EXPECT_FALSE(merges(shape, [](Shape& s) { ++s.acknowledgment; }));
    EXPECT_FALSE(merges(shape, [](Shape& s) { ++s.window; }));
    EXPECT_FALSE(merges(shape, [](Shape& s) { ++s.sequence; })) << "a gap";
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.sequence -= 100; })) << "the same again";
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.flags |= TcpView::kEce; }));
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.tcp_options = Bytes(4, 1); }));
    shape.tcp_options = hex("0101080a 00000001 00000002");  // time stamps
    EXPECT_TRUE(merges(shape, [](Shape&) {}));
    EXPECT_FALSE(merges(shape, [](Shape& s) { ++s.tcp_options[7]; }));
    shape.flags |= TcpView::kEce;
    EXPECT_TRUE(merges(shape, [](Shape&) {}));
    shape.ethernet = ethernet_header(true);
    EXPECT_TRUE(merges(shape, [](Shape&) {}));
    EXPECT_FALSE(merges(shape, [](Shape& s) { ++s.ethernet[5]; })) << "destination";
    EXPECT_FALSE(merges(shape, [](Shape& s) { ++s.ethernet[15]; })) << "VLAN";
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.ethernet = ethernet_header(false); }));
  }
}

TEST(Coalesce, TheSequenceGoesOnPastItsEnd) {
  Shape shape;
  shape.sequence = 0xffffffff - 50;
  shape.id = 0xffff;
  EXPECT_TRUE(merges(shape, [](Shape&) {}));
}

TEST(Coalesce, TheIdentificationCountsOrIsFixedWhereNobodyMayCut) {
  Shape shape;
  shape.id = 9;
  for (const bool dont_fragment : {true, false}) {
    shape.dont_fragment = dont_fragment;
    EXPECT_TRUE(merges(shape, [](Shape&) {}));
    EXPECT_EQ(merges(shape, [](Shape& s) { s.id = 9; }), dont_fragment);
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.id = 8; }));
    EXPECT_FALSE(merges(shape, [](Shape& s) { s.id = 11; }));
  }
  // As it began, so it goes on.
  shape.dont_fragment = true;
  auto packets = stream(shape, {100, 100, 100});
  Shape third = shape;
  third.id = 10;
  third.sequence += 200;
  packets[2] = packet_of(third, Bytes(100));
  EXPECT_EQ(merged(packets).writes, (Writes{{0, 1}, {2}}));
}

TEST(Coalesce, FinAndPshEndASuperpacketAndStayInIt) {
  for (const std::uint8_t flag : {TcpView::kPsh, TcpView::kFin}) {
    Shape shape;
    auto packets = stream(shape, {100, 100, 100, 100});
    shape.sequence += 100;
    shape.id += 1;
    shape.flags |= flag;
    packets[1] = packet_of(shape, Bytes(100));
    const Merged result = merged(packets);
    EXPECT_EQ(result.writes, (Writes{{0, 1}, {2, 3}}));
    EXPECT_EQ(result.bytes[0][33], shape.flags);
    EXPECT_EQ(result.bytes[1][33], TcpView::kAck);
    EXPECT_EQ(merged({packets[1], packets[2], packets[3]}).writes, (Writes{{0}, {1, 2}}));
  }
}

TEST(Coalesce, SomePacketsAreNeverMerged) {
  for (const unsigned flag : {TcpView::kSyn, TcpView::kRst, TcpView::kUrg, TcpView::kCwr}) {
    Shape shape;
    shape.flags |= static_cast<std::uint8_t>(flag);
    EXPECT_FALSE(merges(shape, [](Shape&) {})) << flag;
    EXPECT_FALSE(merges(Shape{}, [&](Shape& s) { s.flags = shape.flags; })) << flag;
  }
  Shape without_ack;
  without_ack.flags = 0;
  EXPECT_FALSE(merges(without_ack, [](Shape&) {}));
  EXPECT_EQ(merged(stream({}, {100, 0, 100})).writes, (Writes{{0}, {1}, {2}}))
      << "an acknowledgment keeps its place among the data";
  EXPECT_EQ(merged(stream(udp_shape(), {0, 0})).writes.size(), 2u);
}

TEST(Coalesce, UdpWithoutAChecksumStaysAlone) {
  for (const bool v4 : {true, false}) {
    Shape shape = udp_shape();
    shape.v4 = v4;
    auto packets = stream(shape, {100, 100, 100});
    store_be(checksum_field(packets[1], shape), std::uint16_t{0});
    EXPECT_EQ(merged(packets).writes, (Writes{{0}, {1}, {2}}));
  }
}

TEST(Coalesce, UdpWhoseLengthDoesNotFitStaysAlone) {
  const Shape shape = udp_shape();
  auto packets = stream(shape, {100, 100});
  packets[1][shape.transport() + 5] -= 1;
  set_checksums(packets[1], shape);
  EXPECT_EQ(merged(packets).writes.size(), 2u);
}

TEST(Coalesce, AWrongChecksumIsPassedOnAsItIs) {
  for (const Shape& shape : {Shape{}, v6_shape(), udp_shape()})
    for (std::size_t wrong = 0; wrong < 4; ++wrong) {
      // Any byte that a checksum covers and nothing else looks at.
      std::vector<std::size_t> places = {shape.headers() + 3, shape.headers() + 99};
      if (shape.v4) places.push_back(11);
      for (const std::size_t place : places) {
        auto packets = stream(shape, {100, 100, 100, 100});
        packets[wrong][place] ^= 0x10;
        const Merged result = merged(packets);
        for (std::size_t i = 0; i < result.writes.size(); ++i) {
          if (std::ranges::find(result.writes[i], wrong) == result.writes[i].end()) continue;
          EXPECT_EQ(result.writes[i], std::vector{wrong});
          EXPECT_EQ(result.bytes[i], packets[wrong]);
          EXPECT_FALSE(result.offloads[i].checksum_missing);
        }
        const Writes expected[] = {
            {{0}, {1, 2, 3}}, {{0}, {1}, {2, 3}}, {{0, 1}, {2}, {3}}, {{0, 1, 2}, {3}}};
        EXPECT_EQ(result.writes, expected[wrong]);
      }
    }
}

TEST(Coalesce, NothingPassesAPacketThatMayBeOfItsFlow) {
  Shape options = Shape{};
  options.ip_options = Bytes(4, 1);
  Shape extended = v6_shape();
  extended.extensions = hex("06 00 01 04 00000000");
  Bytes fragment = packet_of({}, Bytes(100));
  fragment[6] = 0x20;
  const auto packets = stream({}, {100, 100, 100});
  for (const Bytes& between :
       {packet_of(options, Bytes(9)), packet_of(extended, Bytes(9)), fragment, text("evian")})
    EXPECT_EQ(merged({packets[0], packets[1], between, packets[2]}).writes,
              (Writes{{0, 1}, {2}, {3}}));
}

TEST(Coalesce, OtherProtocolsDoNotDisturb) {
  const auto packets = stream({}, {100, 100});
  EXPECT_EQ(merged({packets[0], lab_ping(), packets[1], lab_ping()}).writes,
            (Writes{{0, 2}, {1}, {3}}));
  Shape frame;
  frame.ethernet = ethernet_header(false);
  const auto frames = stream(frame, {100, 100});
  Bytes arp = ethernet_header(false);
  store_be(&arp[12], std::uint16_t{kEtherArp});
  EXPECT_EQ(merged({frames[0], arp, Bytes(5), frames[1]}, Layer::kEthernet).writes,
            (Writes{{0, 3}, {1}, {2}}));
}

TEST(Coalesce, PaddedFramesStayAlone) {
  Shape shape;
  shape.ethernet = ethernet_header(false);
  auto frames = stream(shape, {4, 4});
  for (Bytes& frame : frames) frame.resize(60);
  EXPECT_EQ(merged(frames, Layer::kEthernet).writes.size(), 2u);
}

TEST(Coalesce, ASuperpacketIsAnIpPacketInLengthAndPieces) {
  const auto large = merged(stream({}, std::vector<std::size_t>(60, 1400)));
  EXPECT_EQ(large.writes[0].size(), 65535u / 1400);
  for (const Bytes& bytes : large.bytes) EXPECT_LE(bytes.size(), Coalescer::kMaxSuperpacket);
  const auto jumbo = merged(stream(v6_shape(), {32738, 32738}));
  EXPECT_EQ(jumbo.writes.size(), 2u) << "one byte too many";
  EXPECT_EQ(merged(stream(v6_shape(), {32738, 32737})).bytes[0].size(), 65535u);

  const std::vector<std::size_t> small(300, 10);
  for (const auto& write : merged(stream({}, small)).writes)
    EXPECT_LE(write.size(), Coalescer::kMaxPieces);
  EXPECT_EQ(merged(stream({}, small)).writes.size(), 3u);
  EXPECT_EQ(merged(stream(udp_shape(), small)).writes.size(), 5u);
}

TEST(Coalesce, ManyFlowsAtOnceAreServed) {
  std::vector<Bytes> packets;
  for (int round = 0; round < 2; ++round)
    for (std::uint16_t port = 0; port < 256; ++port) {
      Shape shape;
      shape.source_port = port;
      packets.push_back(stream(shape, {10, 10})[static_cast<std::size_t>(round)]);
    }
  // A few may find no place among the others.
  EXPECT_LE(merged(packets).writes.size(), 270u);
}

TEST(Coalesce, AnotherBatchKnowsNothingOfTheFirst) {
  Coalescer coalescer(4, Layer::kIp);
  const auto packets = stream({}, {100, 100, 100, 100});
  EXPECT_EQ(merged(coalescer, {packets[0], packets[1]}).writes, (Writes{{0, 1}}));
  EXPECT_EQ(merged(coalescer, {packets[2], packets[3]}).writes, (Writes{{0, 1}}));
  EXPECT_EQ(merged(coalescer, {packets[1], packets[3], lab_ping()}).writes,
            (Writes{{0}, {1}, {2}}));
}

}  // namespace
}  // namespace vpntun::packet
