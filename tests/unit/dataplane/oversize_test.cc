// Packets larger than the path: fragmented or answered, and counted.
#include "dataplane/oversize.h"

#include <gtest/gtest.h>

#include "packet/ethernet.h"
#include "packet/ip_view.h"
#include "simulated.h"

namespace vpntun::dataplane {
namespace {

using packet::EthernetView;
using packet::IcmpView;
using packet::IpView;

struct OversizeTun : ::testing::Test {
  OversizeTun() {
    sim.peers({configured("v4", "10.0.2.8:9090", {"10.1.0.0/16", "fd01::/16"}),
               configured("v6", "[fd99::8]:9090", {"10.2.0.0/16"})});
    sim.outside.path_mtu = 1400;
  }
  Simulation sim{false};
};

TEST(InnerMtu, TakesOffEveryHeader) {
  EXPECT_EQ(inner_mtu(1500, endpoint("10.0.2.8:1"), 0), 1472u);
  EXPECT_EQ(inner_mtu(1500, endpoint("[fd99::8]:1"), 0), 1452u);
  EXPECT_EQ(inner_mtu(1500, endpoint("10.0.2.8:1"), 14), 1458u);
  EXPECT_EQ(inner_mtu(0, endpoint("10.0.2.8:1"), 0), 1252u);
  EXPECT_EQ(inner_mtu(20, endpoint("10.0.2.8:1"), 0), 0u);
}

TEST_F(OversizeTun, DontFragmentIsAnsweredWithTheInnerMtu) {
  sim.from_inside(ip_packet("10.0.0.1", "10.1.0.1", 1450, true));
  EXPECT_EQ(sim.drops(DropReason::kTooBig), 1u);
  EXPECT_EQ(sim.all_drops(), 1u);
  EXPECT_TRUE(sim.outside.sent.empty());
  ASSERT_EQ(sim.inside.written.size(), 1u);
  const auto ip = IpView::parse(sim.inside.written[0]);
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->destination(), address("10.0.0.1"));
  const auto icmp = IcmpView::parse(ip->payload());
  ASSERT_TRUE(icmp);
  EXPECT_EQ(icmp->type(), 3);
  EXPECT_EQ(icmp->code(), 4);
  EXPECT_EQ(icmp->rest() & 0xffff, 1400u - 28u);
}

TEST_F(OversizeTun, Ipv6IsAnsweredWithPacketTooBig) {
  sim.from_inside(ip_packet("fd00::1", "fd01::1", 1450));
  EXPECT_EQ(sim.drops(DropReason::kTooBig), 1u);
  ASSERT_EQ(sim.inside.written.size(), 1u);
  const auto ip = IpView::parse(sim.inside.written[0]);
  const auto icmp = IcmpView::parse(ip->payload());
  EXPECT_EQ(icmp->type(), 2);
  EXPECT_EQ(icmp->rest(), 1372u);
}

TEST_F(OversizeTun, Ipv6OfItsLeastMtuPassesInADatagramThatIsCut) {
  sim.outside.path_mtu = 1300;
  sim.from_inside(ip_packet("fd00::1", "fd01::1", 1233));
  EXPECT_EQ(sim.drops(DropReason::kTooBig), 1u);
  EXPECT_TRUE(sim.outside.sent.empty());
  const Bytes least = ip_packet("fd00::1", "fd01::1", 1232);  // 1280 bytes with its headers
  sim.from_inside(least);
  ASSERT_EQ(sim.outside.sent.size(), 1u);
  EXPECT_EQ(sim.outside.sent[0].bytes, least);
  EXPECT_TRUE(sim.outside.sent[0].may_be_cut);
  EXPECT_EQ(sim.all_drops(), 1u);
  sim.from_inside(ip_packet("fd00::1", "fd01::1", 1200));
  ASSERT_EQ(sim.outside.sent.size(), 2u);
  EXPECT_FALSE(sim.outside.sent[1].may_be_cut);
}

TEST_F(OversizeTun, Ipv6IsNeverToldLessThanItsMinimum) {
  sim.outside.path_mtu = 1280;
  sim.from_inside(ip_packet("fd00::1", "fd01::1", 1450));
  ASSERT_EQ(sim.inside.written.size(), 1u);
  EXPECT_EQ(IcmpView::parse(IpView::parse(sim.inside.written[0])->payload())->rest(), 1280u);
}

TEST_F(OversizeTun, FragmentableIpv4IsCutSoThatEachPieceFits) {
  const Bytes packet = ip_packet("10.0.0.1", "10.1.0.1", 4000);
  sim.from_inside(packet);
  EXPECT_EQ(sim.all_drops(), 0u);
  ASSERT_GE(sim.outside.sent.size(), 3u);
  Bytes payload;
  for (const Datagram& datagram : sim.outside.sent) {
    EXPECT_LE(datagram.bytes.size() + 28, 1400u);
    const auto ip = IpView::parse(datagram.bytes);
    ASSERT_TRUE(ip);
    EXPECT_EQ(ip->fragment_offset(), payload.size());
    payload.insert(payload.end(), ip->payload().begin(), ip->payload().end());
  }
  EXPECT_EQ(payload, Bytes(packet.begin() + 20, packet.end()));
  EXPECT_EQ(sim.traffic_of(0).tx_packets, sim.outside.sent.size());
}

TEST_F(OversizeTun, LargestPacketIsCutIntoManyPieces) {
  sim.outside.path_mtu = 500;
  sim.from_inside(ip_packet("10.0.0.1", "10.1.0.1", 65000));
  EXPECT_EQ(sim.all_drops(), 0u);
  EXPECT_GT(sim.outside.sent.size(), packet::kBatchSize);
}

TEST_F(OversizeTun, OuterIpv6TakesItsLongerHeader) {
  sim.from_inside(ip_packet("10.0.0.1", "10.2.0.1", 1450, true));
  ASSERT_EQ(sim.inside.written.size(), 1u);
  EXPECT_EQ(IcmpView::parse(IpView::parse(sim.inside.written[0])->payload())->rest() & 0xffff,
            1400u - 48u);
}

TEST_F(OversizeTun, UnknownPathIsTakenFor1280) {
  sim.outside.tell_path_mtu = false;
  sim.from_inside(ip_packet("10.0.0.1", "10.1.0.1", 1450, true));
  ASSERT_EQ(sim.inside.written.size(), 1u);
  EXPECT_EQ(IcmpView::parse(IpView::parse(sim.inside.written[0])->payload())->rest() & 0xffff,
            1252u);
}

TEST_F(OversizeTun, PiecesThatStillDoNotFitAreDropped) {
  sim.outside.tell_path_mtu = false;
  sim.outside.path_mtu = 1000;
  sim.from_inside(ip_packet("10.0.0.1", "10.1.0.1", 1500));
  EXPECT_EQ(sim.drops(DropReason::kTooBig), 1u);  // the full-size piece
  EXPECT_EQ(sim.outside.sent.size() + sim.all_drops(), 2u);
}

TEST_F(OversizeTun, PiecesThatFindTheQueueFullAreDropped) {
  sim.outside.room = 1;
  sim.from_inside(ip_packet("10.0.0.1", "10.1.0.1", 2400));
  EXPECT_EQ(sim.outside.sent.size(), 1u);
  EXPECT_EQ(sim.drops(DropReason::kQueueFull), 1u);
}

TEST_F(OversizeTun, IcmpErrorsAreNotAnswered) {
  Bytes error(1450, 0);
  error[0] = 3;
  packet::IpFields ip{address("10.0.0.1"), address("10.1.0.1"), 64, 0, 0, true};
  sim.from_inside(packet::build_ip(ip, packet::kProtocolIcmp, error));
  EXPECT_EQ(sim.drops(DropReason::kTooBig), 1u);
  EXPECT_TRUE(sim.inside.written.empty());
}

TEST(OversizeTap, FrameIsAnsweredOrCutInsideItsEthernetHeader) {
  Simulation sim{true};
  sim.peers({configured("p", "10.0.2.8:9090")});
  sim.outside.path_mtu = 1400;
  sim.from_inside(frame("02:00:00:00:00:01", "02:00:00:00:00:02",
                        ip_packet("10.9.0.1", "10.9.0.2", 1450, true)));
  EXPECT_EQ(sim.drops(DropReason::kTooBig), 1u);
  ASSERT_EQ(sim.inside.written.size(), 1u);
  const auto answer = EthernetView::parse(sim.inside.written[0]);
  EXPECT_EQ(answer->destination(), mac("02:00:00:00:00:01"));
  EXPECT_EQ(IcmpView::parse(IpView::parse(answer->payload())->payload())->rest() & 0xffff,
            1400u - 28u - 14u);

  sim.from_inside(
      frame("02:00:00:00:00:01", "02:00:00:00:00:02", ip_packet("10.9.0.1", "10.9.0.2", 2000)));
  ASSERT_EQ(sim.outside.sent.size(), 2u);
  for (const Datagram& datagram : sim.outside.sent) {
    EXPECT_EQ(EthernetView::parse(datagram.bytes)->source(), mac("02:00:00:00:00:01"));
    EXPECT_TRUE(IpView::parse(packet::ip_of_frame(datagram.bytes))->is_fragment());
  }

  sim.from_inside(packet::build_frame(mac("02:00:00:00:00:02"), mac("02:00:00:00:00:01"), 0x88b5,
                                      Bytes(1450, 1)));
  EXPECT_EQ(sim.drops(DropReason::kTooBig), 2u);  // not IP: nobody to tell
  EXPECT_EQ(sim.inside.written.size(), 1u);
}

}  // namespace
}  // namespace vpntun::dataplane
