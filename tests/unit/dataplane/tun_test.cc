// The plain transport over TUN: who may speak for whom, where packets go, roaming, back-pressure,
// oversize.
#include <gtest/gtest.h>

#include "simulated.h"

namespace vpntun::dataplane {
namespace {

using packet::SendVerdict;
using Result = Outbound::Result;

class Tun : public ::testing::Test {
 protected:
  Tun() {
    sim.peers({configured("server", "10.0.2.8:9090", {"192.168.53.98/32", "192.168.60.0/24"}),
               learned("bob", {"192.168.53.2/32"}),
               learned("eve", {"192.168.53.3/32", "fd00::3/128"})});
  }
  void expect_only(DropReason reason, std::uint64_t packets = 1) {
    EXPECT_EQ(sim.drops(reason), packets) << code(reason);
    EXPECT_EQ(sim.all_drops(), packets);
  }
  Simulation sim{false};
};

TEST_F(Tun, PacketGoesToThePeerOfItsDestination) {
  const Bytes packet = ip_packet("192.168.53.99", "192.168.60.101");
  sim.from_inside(packet);
  ASSERT_EQ(sim.outside.sent.size(), 1u);
  EXPECT_EQ(sim.outside.sent[0].bytes, packet);
  EXPECT_EQ(sim.outside.sent[0].remote, endpoint("10.0.2.8:9090"));
  EXPECT_EQ(sim.traffic_of(0).tx_packets, 1u);
  EXPECT_EQ(sim.traffic_of(0).tx_bytes, packet.size());
  EXPECT_EQ(sim.tables.traffic.read().tx_bytes, packet.size());
  EXPECT_EQ(sim.all_drops(), 0u);
}

TEST_F(Tun, DatagramOfAPeerGoesInside) {
  const Bytes packet = ip_packet("192.168.60.101", "192.168.53.99");
  sim.from_outside(packet, "10.0.2.8:9090");
  ASSERT_EQ(sim.inside.written.size(), 1u);
  EXPECT_EQ(sim.inside.written[0], packet);
  EXPECT_EQ(sim.traffic_of(0).rx_bytes, packet.size());
  EXPECT_EQ(sim.traffic_of(0).last_rx, sim.tables.now);
  EXPECT_EQ(sim.all_drops(), 0u);
}

TEST_F(Tun, PacketForNobodyIsDropped) {
  sim.from_inside(ip_packet("192.168.53.99", "8.8.8.8"));
  expect_only(DropReason::kUnknownDestination);
  EXPECT_EQ(sim.last(DropReason::kUnknownDestination), "192.168.53.99 -> 8.8.8.8");
}

TEST_F(Tun, PacketForAPeerNotHeardOfIsDropped) {
  sim.from_inside(ip_packet("192.168.53.99", "192.168.53.2"));
  expect_only(DropReason::kNoEndpoint);
}

TEST_F(Tun, NoIpPacketIsMalformedOnBothSides) {
  const Bytes good = ip_packet("192.168.60.101", "192.168.53.99");
  Bytes longer = good;
  longer.push_back(0);
  std::uint64_t sent = 0;
  for (const Bytes& bad : {Bytes{}, Bytes{'e', 'v', 'i', 'a', 'n'}, longer,
                           Bytes(good.begin(), good.end() - 1), Bytes(20, 0x45)}) {
    sim.from_outside(bad, "10.0.2.8:9090");
    sim.from_inside(bad);
    sent += 2;
  }
  expect_only(DropReason::kMalformed, sent);
  EXPECT_TRUE(sim.inside.written.empty());
  EXPECT_TRUE(sim.outside.sent.empty());
}

TEST_F(Tun, PeerMustNotUseASourceThatIsNobodys) {
  sim.from_outside(ip_packet("192.168.1.20", "192.168.53.99"), "10.0.2.8:9090");
  expect_only(DropReason::kSourceNotAllowed);
  EXPECT_EQ(sim.last(DropReason::kSourceNotAllowed),
            "192.168.1.20 -> 192.168.53.99 from 10.0.2.8:9090");
}

TEST_F(Tun, StrangerIsUnknown) {
  sim.from_outside(ip_packet("192.168.1.20", "192.168.53.99"), "10.0.2.66:666");
  expect_only(DropReason::kUnknownSender);
}

TEST_F(Tun, ConfiguredPeerMustSendFromItsEndpoint) {
  sim.from_outside(ip_packet("192.168.60.101", "192.168.53.99"), "10.0.2.66:9090");
  sim.from_outside(ip_packet("192.168.60.101", "192.168.53.99"), "10.0.2.8:9091");
  expect_only(DropReason::kEndpointMismatch, 2);
  EXPECT_EQ(sim.endpoint_of(0), endpoint("10.0.2.8:9090"));
  EXPECT_TRUE(sim.tables.news.empty());
}

TEST_F(Tun, ConfiguredPeerWithoutAResolvedNameAcceptsNobody) {
  PeerConfig peer = configured("named", "10.0.2.8:1", {"10.1.0.0/16"});
  peer.endpoint.reset();
  sim.peers({peer});
  sim.from_outside(ip_packet("10.1.0.1", "10.2.0.1"), "10.0.2.8:1");
  expect_only(DropReason::kEndpointMismatch);
}

TEST_F(Tun, LearnedPeerIsFoundAndRoams) {
  const Bytes packet = ip_packet("192.168.53.2", "192.168.53.98");
  sim.from_outside(packet, "10.0.2.7:4000", "10.0.2.8");
  EXPECT_EQ(sim.endpoint_of(1), endpoint("10.0.2.7:4000"));
  EXPECT_EQ(sim.tables.news, std::vector<PeerIndex>{1});
  sim.from_outside(packet, "10.0.9.7:5000", "10.0.9.8");
  EXPECT_EQ(sim.endpoint_of(1), endpoint("10.0.9.7:5000"));
  EXPECT_EQ(sim.tables.peers[1].record->endpoint(), endpoint("10.0.9.7:5000"));

  sim.from_inside(ip_packet("192.168.53.98", "192.168.53.2"));
  ASSERT_EQ(sim.outside.sent.size(), 1u);
  EXPECT_EQ(sim.outside.sent[0].remote, endpoint("10.0.9.7:5000"));
  EXPECT_EQ(sim.outside.sent[0].local, address("10.0.9.8"));  // answers leave where it asked
  EXPECT_EQ(sim.inside.written.size(), 2u);
  EXPECT_EQ(sim.all_drops(), 0u);
}

TEST_F(Tun, MoveIsAnnouncedOnceUntilTheAnnouncementIsTaken) {
  const Bytes packet = ip_packet("192.168.53.2", "192.168.53.98");
  for (int port = 4000; port < 4100; ++port)
    sim.from_outside(packet, "10.0.2.7:" + std::to_string(port));
  EXPECT_EQ(sim.tables.news.size(), 1u);
  sim.tables.news.clear();
  sim.tables.peers[1].record->announced();
  sim.from_outside(packet, "10.0.2.7:5000");
  EXPECT_EQ(sim.tables.news.size(), 1u);
}

TEST_F(Tun, RefusedDatagramDoesNotMoveAnybody) {
  sim.from_outside(ip_packet("192.168.53.2", "192.168.53.98"), "10.0.2.7:4000");
  sim.from_outside(ip_packet("192.168.53.77", "192.168.53.98"), "10.0.2.66:1");
  sim.from_outside(Bytes{1, 2, 3}, "10.0.2.66:1");
  EXPECT_EQ(sim.endpoint_of(1), endpoint("10.0.2.7:4000"));
}

TEST_F(Tun, LearnedPeerDoesNotTakeOverAConfiguredEndpoint) {
  sim.from_outside(ip_packet("192.168.53.2", "192.168.53.98"), "10.0.2.8:9090");
  expect_only(DropReason::kSourceNotAllowed);
  EXPECT_EQ(sim.endpoint_of(1), std::nullopt);
}

TEST_F(Tun, PublicEndpointsAreRefusedUnlessAllowed) {
  for (const bool allowed : {false, true}) {
    Simulation open(false, allowed);
    open.peers(
        {configured("far", "8.8.8.8:9090", {"10.1.0.0/16"}), learned("bob", {"10.2.0.0/16"})});
    open.from_inside(ip_packet("10.3.0.1", "10.1.0.1"));
    open.from_outside(ip_packet("10.2.0.1", "10.3.0.1"), "1.1.1.1:53");
    EXPECT_EQ(open.drops(DropReason::kPublicPlaintext), allowed ? 0u : 2u);
    EXPECT_EQ(open.outside.sent.size(), allowed ? 1u : 0u);
    EXPECT_EQ(open.inside.written.size(), allowed ? 1u : 0u);
    EXPECT_EQ(open.endpoint_of(1).has_value(), allowed);
  }
}

TEST_F(Tun, OwnDatagramRoutedIntoTheTunnelIsALoop) {
  sim.peers({configured("server", "10.0.2.8:2000", {"0.0.0.0/0"})});
  sim.from_inside(ip_packet("10.0.2.7", "10.0.2.8"));  // UDP port 2000
  expect_only(DropReason::kLoop);
  sim.peers({configured("server", "10.0.2.8:2001", {"0.0.0.0/0"})});
  sim.from_inside(ip_packet("10.0.2.7", "10.0.2.8"));  // another port: somebody else's traffic
  expect_only(DropReason::kLoop);
  EXPECT_EQ(sim.outside.sent.size(), 1u);
}

TEST_F(Tun, WhatTheKernelRefusesIsCounted) {
  sim.outside.refuse = true;
  sim.from_inside(ip_packet("192.168.53.99", "192.168.60.101"));
  expect_only(DropReason::kSendRefused);
  EXPECT_EQ(sim.last(DropReason::kSendRefused), "192.168.53.99 -> 192.168.60.101 to 10.0.2.8:9090");
  EXPECT_EQ(sim.traffic_of(0).tx_packets, 0u);
}

TEST_F(Tun, WhatAQueueBehindTheSocketLosesIsNotTriedAgain) {
  sim.outside.lose = true;
  sim.from_inside(ip_packet("192.168.53.99", "192.168.60.101"));
  expect_only(DropReason::kQueueFull);
  sim.outside.lose = false;
  sim.from_inside(ip_packet("192.168.53.99", "192.168.60.101"));
  EXPECT_EQ(sim.outside.sent.size(), 1u);
}

TEST_F(Tun, WhatTheInterfaceRefusesIsCounted) {
  const Bytes packet = ip_packet("192.168.60.101", "192.168.53.99");
  sim.inside.verdict = SendVerdict::kRefused;
  sim.inside.error_number = EINVAL;
  sim.from_outside(packet, "10.0.2.8:9090");
  expect_only(DropReason::kInsideRefused);
  sim.inside.error_number = EIO;
  sim.from_outside(packet, "10.0.2.8:9090");
  EXPECT_EQ(sim.drops(DropReason::kInterfaceDown), 1u);
  sim.inside.verdict = SendVerdict::kWouldBlock;
  sim.from_outside(packet, "10.0.2.8:9090");
  EXPECT_EQ(sim.drops(DropReason::kQueueFull), 1u);
  EXPECT_EQ(sim.all_drops(), 3u);
}

TEST_F(Tun, FullOutsideStopsTheReadingAndLosesNothing) {
  sim.outside.room = 10;
  for (std::size_t i = 0; i < 200; ++i)
    sim.inside.waiting.push_back(ip_packet("192.168.53.99", "192.168.60.101", i));
  EXPECT_EQ(sim.outbound.run(1000), Result::kBlocked);
  const std::size_t reads = sim.inside.reads;
  EXPECT_EQ(reads, 1u);
  EXPECT_EQ(sim.outbound.run(1000), Result::kBlocked);
  EXPECT_EQ(sim.inside.reads, reads);
  sim.outside.room = 100;
  EXPECT_EQ(sim.outbound.run(1000), Result::kBlocked);
  sim.outside.room = SIZE_MAX;
  EXPECT_EQ(sim.outbound.run(1000), Result::kIdle);
  ASSERT_EQ(sim.outside.sent.size(), 200u);
  for (std::size_t i = 0; i < 200; ++i)
    EXPECT_EQ(sim.outside.sent[i].bytes, ip_packet("192.168.53.99", "192.168.60.101", i));
  EXPECT_EQ(sim.all_drops(), 0u);
  EXPECT_EQ(sim.traffic_of(0).tx_packets, 200u);
}

TEST_F(Tun, BudgetEndsATurn) {
  for (std::size_t i = 0; i < 500; ++i)
    sim.inside.waiting.push_back(ip_packet("192.168.53.99", "192.168.60.101"));
  EXPECT_EQ(sim.outbound.run(128), Result::kMore);
  EXPECT_EQ(sim.outside.sent.size(), 128u);
  for (std::size_t i = 0; i < 500; ++i)
    sim.outside.waiting.push_back(
        {ip_packet("192.168.60.1", "192.168.53.99"), endpoint("10.0.2.8:9090"), IpAddress{}});
  sim.inbound.run(128);
  EXPECT_EQ(sim.inside.written.size(), 128u);
}

TEST_F(Tun, InterfaceThatIsGoneIsToldAfterItsLastPackets) {
  sim.inside.waiting.push_back(ip_packet("192.168.53.99", "192.168.60.101"));
  sim.inside.gone = true;
  EXPECT_EQ(sim.outbound.run(1000), Result::kGone);
  EXPECT_EQ(sim.outside.sent.size(), 1u);
}

TEST_F(Tun, PacketsThatWaitFollowTheirPeerToItsNewIndex) {
  sim.outside.room = 1;
  for (int i = 0; i < 3; ++i)
    sim.inside.waiting.push_back(ip_packet("192.168.53.99", "192.168.60.101"));
  EXPECT_EQ(sim.outbound.run(1000), Result::kBlocked);
  const auto record = sim.tables.peers[0].record;
  const std::vector<std::shared_ptr<PeerRecord>> records{std::make_shared<PeerRecord>(), record};
  sim.replace({configured("new", "10.0.2.9:9090", {"10.7.0.0/16"}),
               configured("alice", "10.0.2.8:9090", {"192.168.60.0/24"})},
              records);
  sim.outside.room = SIZE_MAX;
  EXPECT_EQ(sim.outbound.run(1000), Result::kIdle);
  EXPECT_EQ(sim.outside.sent.size(), 3u);
  EXPECT_EQ(record->traffic.read().tx_packets, 3u);
}

TEST_F(Tun, PacketsThatWaitForAPeerThatGoesAreDropped) {
  sim.outside.room = 1;
  for (int i = 0; i < 3; ++i)
    sim.inside.waiting.push_back(ip_packet("192.168.53.99", "192.168.60.101"));
  EXPECT_EQ(sim.outbound.run(1000), Result::kBlocked);
  sim.replace({}, {});
  expect_only(DropReason::kQueueFull, 2);
  sim.outside.room = SIZE_MAX;
  EXPECT_EQ(sim.outbound.run(1000), Result::kIdle);
  EXPECT_EQ(sim.outside.sent.size(), 1u);
}

TEST_F(Tun, ChangedPeersKeepWhatTheyLearned) {
  sim.from_outside(ip_packet("192.168.53.2", "192.168.53.98"), "10.0.2.7:4000", "10.0.2.8");
  std::vector<PeerConfig> configs{learned("new", {"10.7.0.0/16"}), learned("bob", {"10.8.0.0/16"})};
  const std::vector<std::shared_ptr<PeerRecord>> records{std::make_shared<PeerRecord>(),
                                                         sim.tables.peers[1].record};
  sim.replace(configs, records);
  EXPECT_EQ(sim.endpoint_of(0), std::nullopt);
  EXPECT_EQ(sim.endpoint_of(1), endpoint("10.0.2.7:4000"));
  EXPECT_EQ(sim.traffic_of(1).rx_packets, 1u);
}

TEST_F(Tun, AChangeOfPeersLosesNoNewsOfTheirEndpoints) {
  sim.from_outside(ip_packet("192.168.53.2", "192.168.53.98"), "10.0.2.7:4000", "10.0.2.8");
  ASSERT_EQ(sim.tables.news, std::vector<PeerIndex>{1});
  sim.replace({learned("bob", {"192.168.53.2/32"})}, {sim.tables.peers[1].record});
  EXPECT_EQ(sim.tables.news, std::vector<PeerIndex>{0});
}

TEST_F(Tun, AConfiguredPeerThatStaysIsWrittenToFromTheSameAddress) {
  sim.from_outside(ip_packet("192.168.60.101", "192.168.53.99"), "10.0.2.8:9090", "10.0.2.7");
  sim.replace({configured("server", "10.0.2.8:9090", {"192.168.60.0/24"})},
              {sim.tables.peers[0].record});
  sim.from_inside(ip_packet("192.168.53.99", "192.168.60.101"));
  ASSERT_EQ(sim.outside.sent.size(), 1u);
  EXPECT_EQ(sim.outside.sent[0].local, address("10.0.2.7"));
}

}  // namespace
}  // namespace vpntun::dataplane
