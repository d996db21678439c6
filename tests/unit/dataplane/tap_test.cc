// The plain transport over TAP: a learning switch between the inside and the peers.
#include <gtest/gtest.h>

#include <set>

#include "simulated.h"

namespace vpntun::dataplane {
namespace {

const std::string kHost = "02:00:00:00:00:99";  // inside
const std::string kAnn = "02:00:00:00:00:01";   // behind peer 0
const std::string kBob = "02:00:00:00:00:02";   // behind peer 1
const std::string kEveryone = "ff:ff:ff:ff:ff:ff";
const std::string kAt0 = "10.0.2.1:9090";
const std::string kAt1 = "10.0.2.2:9090";
const std::string kAt2 = "10.0.2.3:9090";

struct Tap : ::testing::Test {
  Tap() { sim.peers({configured("a", kAt0), configured("b", kAt1), configured("c", kAt2)}); }
  std::multiset<Endpoint> sent_to() const {
    std::multiset<Endpoint> remotes;
    for (const Datagram& datagram : sim.outside.sent) remotes.insert(datagram.remote);
    return remotes;
  }
  void expect_only(DropReason reason, std::uint64_t packets = 1) {
    EXPECT_EQ(sim.drops(reason), packets) << code(reason);
    EXPECT_EQ(sim.all_drops(), packets);
  }
  Simulation sim{true};
};

TEST_F(Tap, UnknownDestinationIsFloodedToAllPeersWithAnEndpoint) {
  sim.from_inside(frame(kHost, kAnn));
  EXPECT_EQ(sent_to(), (std::multiset{endpoint(kAt0), endpoint(kAt1), endpoint(kAt2)}));
  EXPECT_EQ(sim.all_drops(), 0u);
}

TEST_F(Tap, BroadcastIsFlooded) {
  sim.from_outside(frame(kAnn, kHost), kAt0);
  sim.outside.sent.clear();
  sim.from_inside(frame(kHost, kEveryone));
  EXPECT_EQ(sim.outside.sent.size(), 3u);
}

TEST_F(Tap, KnownDestinationGoesToItsPeerOnly) {
  sim.from_outside(frame(kAnn, kHost), kAt0);
  sim.outside.sent.clear();
  const Bytes answer = frame(kHost, kAnn);
  sim.from_inside(answer);
  ASSERT_EQ(sim.outside.sent.size(), 1u);
  EXPECT_EQ(sim.outside.sent[0].remote, endpoint(kAt0));
  EXPECT_EQ(sim.outside.sent[0].bytes, answer);
  EXPECT_EQ(sim.traffic_of(0).tx_packets, 1u);
}

TEST_F(Tap, WhatWasLearnedAges) {
  sim.from_outside(frame(kAnn, kHost), kAt0);
  sim.outside.sent.clear();
  sim.wait(MacTable::kAgeing);
  sim.from_inside(frame(kHost, kAnn));
  EXPECT_EQ(sim.outside.sent.size(), 3u);
}

TEST_F(Tap, FrameBetweenPeersDoesNotPassThroughTheInside) {
  sim.from_outside(frame(kBob, kEveryone), kAt1);
  sim.inside.written.clear();
  sim.outside.sent.clear();
  const Bytes message = frame(kAnn, kBob);
  sim.from_outside(message, kAt0);
  ASSERT_EQ(sim.outside.sent.size(), 1u);
  EXPECT_EQ(sim.outside.sent[0].remote, endpoint(kAt1));
  EXPECT_EQ(sim.outside.sent[0].bytes, message);
  EXPECT_TRUE(sim.inside.written.empty());
  EXPECT_EQ(sim.traffic_of(0).rx_packets, 1u);
  EXPECT_EQ(sim.traffic_of(1).tx_packets, 1u);
}

TEST_F(Tap, FloodedFrameOfAPeerGoesInsideAndToTheOthersNeverBack) {
  sim.from_outside(frame(kAnn, kEveryone), kAt0);
  EXPECT_EQ(sim.inside.written.size(), 1u);
  EXPECT_EQ(sent_to(), (std::multiset{endpoint(kAt1), endpoint(kAt2)}));
}

TEST_F(Tap, FrameForTheInsideStaysThere) {
  sim.from_inside(frame(kHost, kEveryone));
  sim.outside.sent.clear();
  sim.from_outside(frame(kAnn, kHost), kAt0);
  EXPECT_EQ(sim.inside.written.size(), 1u);
  EXPECT_TRUE(sim.outside.sent.empty());
}

TEST_F(Tap, FrameThatWouldGoBackIsALoop) {
  sim.from_outside(frame(kAnn, kEveryone), kAt0);
  sim.from_outside(frame("02:00:00:00:00:11", kAnn), kAt0);
  expect_only(DropReason::kLoop);
  sim.from_inside(frame(kHost, kEveryone));
  sim.from_inside(frame("02:00:00:00:00:98", kHost));
  expect_only(DropReason::kLoop, 2);
}

TEST_F(Tap, PeerCannotPoseAsTheInside) {
  sim.from_inside(frame(kHost, kEveryone));
  sim.inside.written.clear();
  sim.from_outside(frame(kHost, kEveryone), kAt0);
  expect_only(DropReason::kLoop);
  EXPECT_TRUE(sim.inside.written.empty());
  EXPECT_EQ(sim.tables.macs.find(mac(kHost), sim.tables.now), kInside);
}

TEST_F(Tap, StationMovesBetweenPeers) {
  sim.from_outside(frame(kAnn, kEveryone), kAt0);
  sim.from_outside(frame(kAnn, kEveryone), kAt1);
  sim.outside.sent.clear();
  sim.from_inside(frame(kHost, kAnn));
  EXPECT_EQ(sent_to(), std::multiset{endpoint(kAt1)});
}

TEST_F(Tap, StrangerWithAnUnknownAddressIsRefused) {
  sim.from_outside(frame(kAnn, kHost), "10.0.2.66:1");
  expect_only(DropReason::kUnknownSender);
  EXPECT_EQ(sim.tables.macs.size(), 0u);
}

TEST_F(Tap, StrangerCannotTakeOverAConfiguredPeersStation) {
  sim.from_outside(frame(kAnn, kEveryone), kAt0);
  sim.from_outside(frame(kAnn, kHost), "10.0.2.66:1");
  expect_only(DropReason::kEndpointMismatch);
  EXPECT_EQ(sim.endpoint_of(0), endpoint(kAt0));
}

TEST_F(Tap, LearnedPeersAreTakenInOrderThenRoamByTheirStations) {
  sim.peers({learned("a"), learned("b")});
  sim.from_outside(frame(kAnn, kEveryone), "10.0.2.7:1");
  EXPECT_EQ(sim.endpoint_of(0), endpoint("10.0.2.7:1"));
  sim.from_outside(frame(kBob, kEveryone), "10.0.2.7:2");
  EXPECT_EQ(sim.endpoint_of(1), endpoint("10.0.2.7:2"));
  sim.from_outside(frame(kAnn, kEveryone), "10.0.2.7:3");  // Ann's peer has moved
  EXPECT_EQ(sim.endpoint_of(0), endpoint("10.0.2.7:3"));
  EXPECT_EQ(sim.all_drops(), 0u);
  sim.from_outside(frame("02:00:00:00:00:33", kEveryone), "10.0.2.7:4");  // nobody is free
  expect_only(DropReason::kUnknownSender);
}

TEST_F(Tap, SilentLearnedPeerMayBeReplaced) {
  sim.peers({learned("a"), learned("b")});
  sim.from_outside(frame(kAnn, kEveryone), "10.0.2.7:1");
  sim.from_outside(frame(kBob, kEveryone), "10.0.2.7:2");
  const std::string stranger = "02:00:00:00:00:33";
  sim.wait(Plain::kSilent - Duration(1));
  sim.from_outside(frame(kBob, kEveryone), "10.0.2.7:2");
  sim.from_outside(frame(stranger, kEveryone), "10.0.2.7:3");
  expect_only(DropReason::kUnknownSender);
  sim.wait(Duration(1));
  sim.from_outside(frame(stranger, kEveryone), "10.0.2.7:3");
  expect_only(DropReason::kUnknownSender);
  EXPECT_EQ(sim.endpoint_of(0), endpoint("10.0.2.7:3"));
  EXPECT_EQ(sim.endpoint_of(1), endpoint("10.0.2.7:2"));
}

TEST_F(Tap, TheOnlyLearnedPeerIsFoundAgainSoonAfterARestart) {
  sim.peers({configured("b", kAt1), learned("a")});
  sim.from_outside(frame(kAnn, kEveryone), "10.0.2.7:1");
  sim.wait(Plain::kRestart - Duration(1));
  sim.from_outside(frame("02:00:00:00:00:33", kEveryone), "10.0.2.7:2");
  expect_only(DropReason::kUnknownSender);
  sim.wait(Duration(1));
  sim.from_outside(frame("02:00:00:00:00:33", kEveryone), "10.0.2.7:2");
  expect_only(DropReason::kUnknownSender);
  EXPECT_EQ(sim.endpoint_of(1), endpoint("10.0.2.7:2"));
}

TEST_F(Tap, FramesWithoutAHeaderOrFromAGroupAreMalformed) {
  sim.from_outside(Bytes(13, 2), kAt0);
  sim.from_outside(frame("01:00:5e:00:00:01", kHost), kAt0);
  sim.from_inside(Bytes(13, 2));
  expect_only(DropReason::kMalformed, 3);
}

TEST_F(Tap, FloodingToNobodyIsADrop) {
  sim.peers({learned("a")});
  sim.from_inside(frame(kHost, kEveryone));
  expect_only(DropReason::kNoEndpoint);
}

TEST_F(Tap, FloodIsGoneOnWithWhenTheOutsideIsWritableAgain) {
  std::vector<PeerConfig> many;
  for (int i = 0; i < 150; ++i)
    many.push_back(configured("p" + std::to_string(i), "10.0.3." + std::to_string(i) + ":1"));
  sim.peers(many);
  sim.outside.room = 70;
  sim.inside.waiting = {frame(kHost, kEveryone), frame(kHost, kAnn)};
  EXPECT_EQ(sim.outbound.run(100), Outbound::Result::kBlocked);
  sim.outside.room = SIZE_MAX;
  EXPECT_EQ(sim.outbound.run(100), Outbound::Result::kIdle);
  EXPECT_EQ(sim.outside.sent.size(), 300u);
  const std::multiset<Endpoint> remotes = sent_to();
  EXPECT_EQ(std::set<Endpoint>(remotes.begin(), remotes.end()).size(), 150u);
  EXPECT_EQ(sim.all_drops(), 0u);
}

TEST_F(Tap, ForwardThatFindsTheOutsideFullIsDropped) {
  sim.outside.room = 1;
  sim.from_outside(frame(kAnn, kEveryone), kAt0);
  EXPECT_EQ(sim.inside.written.size(), 1u);
  EXPECT_EQ(sim.outside.sent.size(), 1u);
  expect_only(DropReason::kQueueFull);
}

}  // namespace
}  // namespace vpntun::dataplane
