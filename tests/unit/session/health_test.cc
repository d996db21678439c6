#include "session/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "values.h"

namespace vpntun::session {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr Instant kNow{100000s};

std::vector<std::string> codes(const Assessment& assessment) {
  std::vector<std::string> found;
  for (const Reason& finding : assessment.findings) found.push_back(finding.code);
  return found;
}

PeerFacts known_peer(const std::string& name = "server") {
  PeerFacts peer;
  peer.name = name;
  peer.endpoint = endpoint("10.0.2.8:9090");
  return peer;
}
PeerFacts answering_peer(const std::string& name = "server") {
  PeerFacts peer = known_peer(name);
  peer.exchange.last_rx = kNow - 1s;
  peer.exchange.last_tx = kNow - 1s;
  return peer;
}
PeerFacts silent_peer(Duration since, const std::string& name = "server") {
  PeerFacts peer = known_peer(name);
  peer.exchange.unanswered = 5;
  peer.exchange.unanswered_since = kNow - since;
  peer.exchange.last_tx = kNow;
  return peer;
}
PeerFacts unresolved_peer(NameState state, const std::string& failure = "") {
  PeerFacts peer;
  peer.name = "server";
  peer.name_state = state;
  peer.name_failure = failure;
  return peer;
}
Facts facts_with(std::vector<PeerFacts> peers) {
  Facts facts;
  facts.tunnel = "lab";
  facts.interface = "tun0";
  facts.peers = std::move(peers);
  return facts;
}

TEST(Assess, NamesTheWorstOfManyPeersAndEveryFaultOfTheHost) {
  std::vector<PeerFacts> peers(1000, unresolved_peer(NameState::kPending));
  peers[700] = silent_peer(1min);
  Facts facts = facts_with(peers);
  facts.masquerade_failure = "no";
  facts.changed_by_wg = true;
  const std::vector<std::string> found = codes(assess(facts, kNow));
  ASSERT_EQ(found.size(), kPeersFound + 2);
  EXPECT_EQ(found[0], "no-reply");
  EXPECT_EQ(found[1], "masquerade-failed");
  EXPECT_EQ(found.back(), "changed-by-wg");
  EXPECT_EQ(assess(facts, kNow).peers.size(), 1000u);
}

TEST(Exchange, CountsWhatWasSentSinceTheLastReply) {
  Exchange exchange = advanced({}, {0, 3, Instant{}, kNow});
  EXPECT_EQ(exchange.unanswered, 3u);
  EXPECT_EQ(exchange.unanswered_since, kNow);
  exchange = advanced(exchange, {0, 5, Instant{}, kNow + 1s});
  EXPECT_EQ(exchange.unanswered, 5u);
  EXPECT_EQ(exchange.unanswered_since, kNow) << "the waiting began with the first";
  exchange = advanced(exchange, {1, 5, kNow + 2s, kNow + 1s});
  EXPECT_EQ(exchange.unanswered, 0u);
  EXPECT_EQ(exchange.unanswered_since, Instant{});
}

TEST(Exchange, AKeepaliveIsAReplyThoughNoPacket) {
  const Exchange waiting = advanced({}, {0, 3, Instant{}, kNow});
  const Exchange replied = advanced(waiting, {0, 3, kNow + 10s, kNow});
  EXPECT_EQ(replied.unanswered, 0u);
  EXPECT_EQ(replied.unanswered_since, Instant{});
}

TEST(Exchange, AnAnswerOfOursWaitsForNothing) {
  // The last reply of a server to a client that then falls silent, seen at the next look only.
  const Exchange heard = advanced({}, {1, 0, kNow, Instant{}});
  const Exchange replied = advanced(heard, {1, 1, kNow, kNow + 1ms});
  EXPECT_EQ(replied.unanswered_since, Instant{});
  EXPECT_EQ(replied.unanswered, 0u);
}

TEST(Exchange, PacketsWellAfterTheLastReplyWait) {
  const Exchange heard = advanced({}, {1, 1, kNow, kNow});
  const Exchange waiting = advanced(heard, {1, 2, kNow, kNow + 3s});
  EXPECT_EQ(waiting.unanswered_since, kNow + 3s);
}

TEST(Exchange, StaysTheSameWhenNothingMoves) {
  const Exchange waiting = advanced({}, {0, 3, Instant{}, kNow});
  const Exchange later = advanced(waiting, {0, 3, Instant{}, kNow});
  EXPECT_EQ(later.unanswered, 3u);
  EXPECT_EQ(later.unanswered_since, kNow);
}

TEST(Health, IsUnknownBeforeAnyTraffic) {
  const Assessment assessment = assess(facts_with({known_peer()}), kNow);
  EXPECT_EQ(assessment.health, Health::kUnknown);
  EXPECT_EQ(assessment.reason().code, "no-traffic");
}

TEST(Health, IsUnknownWhileALearnedPeerHasNotSpoken) {
  PeerFacts peer;
  peer.name = "u";
  const Assessment assessment = assess(facts_with({peer}), kNow);
  EXPECT_EQ(assessment.health, Health::kUnknown);
  EXPECT_EQ(assessment.reason().code, "waiting");
}

TEST(Health, IsUnknownWithoutPeers) {
  const Assessment assessment = assess(facts_with({}), kNow);
  EXPECT_EQ(assessment.health, Health::kUnknown);
  EXPECT_EQ(assessment.reason(), Reason{});
}

TEST(Health, IsHealthyWhenThePeerAnswers) {
  const Assessment assessment = assess(facts_with({answering_peer()}), kNow);
  EXPECT_EQ(assessment.health, Health::kHealthy);
  EXPECT_THAT(assessment.findings, IsEmpty());
  EXPECT_EQ(assessment.peers.at(0).reason, Reason{});
}

TEST(Health, StaysHealthyWhileNothingIsSentAfterTheLastReply) {
  PeerFacts peer = answering_peer();
  peer.exchange.last_rx = kNow - 24h;
  EXPECT_EQ(assess(facts_with({peer}), kNow).health, Health::kHealthy);
}

TEST(Health, FailsWhenPacketsGoOutAndNoneComeBack) {
  const Assessment assessment = assess(facts_with({silent_peer(42s)}), kNow);
  EXPECT_EQ(assessment.health, Health::kFailing);
  EXPECT_EQ(assessment.reason().code, "no-reply");
  EXPECT_THAT(assessment.reason().text, HasSubstr("packets go out, none come back (42 s)"));
  EXPECT_THAT(assessment.reason().text, HasSubstr("peer server is running"));
  EXPECT_THAT(assessment.reason().text, Not(HasSubstr("10.0.2.8")))
      << "the sentence is for everybody, the endpoint is not";
}

TEST(Health, FailsAlsoWhenThePeerAnsweredBefore) {
  PeerFacts peer = silent_peer(11s);
  peer.exchange.last_rx = kNow - 12s;
  EXPECT_EQ(assess(facts_with({peer}), kNow).health, Health::kFailing);
}

TEST(Health, FailsAtOnceWhenIcmpRefusesWhatIsSent) {
  PeerFacts peer = silent_peer(1s);
  peer.refused = {.what = {*peer.endpoint, packet::Obstacle::kHost, {}, true}, .when = kNow - 1s};
  const Assessment assessment = assess(facts_with({peer}), kNow);
  EXPECT_EQ(assessment.health, Health::kFailing);
  EXPECT_EQ(assessment.reason().code, "refused");
  EXPECT_EQ(assessment.reason().text,
            "datagrams to peer server are refused: no host answers at the address of its endpoint, "
            "says this host (ICMP)");
  peer.exchange.last_rx = kNow;
  EXPECT_EQ(assess(facts_with({peer}), kNow).health, Health::kHealthy) << "it was heard since";
  peer = answering_peer();
  peer.refused = {.what = {*peer.endpoint, packet::Obstacle::kPort, {}, false}, .when = kNow};
  EXPECT_EQ(assess(facts_with({peer}), kNow).health, Health::kHealthy) << "nothing waits";
}

TEST(Health, GivesTheReplyTenSeconds) {
  EXPECT_EQ(assess(facts_with({silent_peer(9s)}), kNow).health, Health::kUnknown);
  EXPECT_EQ(assess(facts_with({silent_peer(10s)}), kNow).health, Health::kFailing);
}

TEST(Health, ASinglePacketMayNeedNoReply) {
  PeerFacts peer = silent_peer(42s);
  peer.exchange.unanswered = 1;
  EXPECT_EQ(assess(facts_with({peer}), kNow).health, Health::kUnknown);
}

TEST(Health, TheChatterOfAnIdleEthernetSegmentIsNoFailure) {
  Facts facts = facts_with({silent_peer(60s)});
  facts.frames = true;
  facts.peers[0].exchange.unanswered = 12;  // router solicitations over a minute
  EXPECT_EQ(assess(facts, kNow).health, Health::kUnknown);
  facts.peers[0].exchange.unanswered = 60;  // a ping that asks who-has every second
  EXPECT_EQ(assess(facts, kNow).health, Health::kFailing);
}

TEST(Health, IsDegradedWhenOnlySomePeersAreSilent) {
  const Assessment assessment =
      assess(facts_with({answering_peer("a"), silent_peer(20s, "b")}), kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_THAT(codes(assessment), ElementsAre("no-reply"));
  EXPECT_EQ(assessment.peers[0].health, Health::kHealthy);
  EXPECT_EQ(assessment.peers[1].health, Health::kFailing);
}

TEST(Health, APeerThatWasNeverUsedDoesNotSpoilTheOthers) {
  EXPECT_EQ(assess(facts_with({answering_peer("a"), known_peer("b")}), kNow).health,
            Health::kHealthy);
}

TEST(Health, IsUnknownWhileANameIsBeingResolved) {
  const Assessment assessment = assess(facts_with({unresolved_peer(NameState::kPending)}), kNow);
  EXPECT_EQ(assessment.health, Health::kUnknown);
  EXPECT_EQ(assessment.reason().code, "resolving");
}

TEST(Health, FailsWhenNoNameCanBeResolvedAndIsDegradedWhenSomeCan) {
  const PeerFacts peer = unresolved_peer(NameState::kFailed, "Name or service not known");
  const Assessment alone = assess(facts_with({peer}), kNow);
  EXPECT_EQ(alone.health, Health::kFailing);
  EXPECT_EQ(alone.reason().code, "unresolved");
  EXPECT_THAT(alone.reason().text, HasSubstr("Name or service not known"));
  EXPECT_EQ(assess(facts_with({peer, answering_peer()}), kNow).health, Health::kDegraded);
}

TEST(Health, SaysThatAPublicAddressIsNotUsedUnencrypted) {
  const Assessment assessment =
      assess(facts_with({unresolved_peer(NameState::kPublicPlaintext, "8.8.8.8")}), kNow);
  EXPECT_EQ(assessment.health, Health::kFailing);
  EXPECT_EQ(assessment.reason().code, "public-plaintext");
  EXPECT_THAT(assessment.reason().text, HasSubstr("allow-public-plaintext = true"));
}

TEST(Health, AResolvedPeerIsJudgedByItsTraffic) {
  PeerFacts peer = answering_peer();
  peer.name_state = NameState::kResolved;
  EXPECT_EQ(assess(facts_with({peer}), kNow).health, Health::kHealthy);
}

TEST(Health, FailsWhenTheWayToThePeerLeadsIntoTheTunnel) {
  PeerFacts peer = known_peer();
  peer.endpoint_through_tunnel = true;
  const Assessment assessment = assess(facts_with({peer}), kNow);
  EXPECT_EQ(assessment.health, Health::kFailing);
  EXPECT_EQ(assessment.reason().code, "endpoint-through-tunnel");
}

TEST(Health, FailsWhenTheInterfaceWasSetDown) {
  Facts facts = facts_with({answering_peer()});
  facts.drift.interface_down = true;
  facts.drift.routes = prefixes({"10.0.0.0/8"});
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kFailing);
  EXPECT_THAT(codes(assessment), ElementsAre("interface-down"));
  EXPECT_THAT(assessment.reason().text, HasSubstr("tun0"));
  EXPECT_THAT(assessment.reason().text, HasSubstr("vpnctl restart lab"));
}

TEST(Health, IsDegradedWhenAnAddressWasRemoved) {
  Facts facts = facts_with({answering_peer()});
  facts.drift.addresses = prefixes({"192.168.53.99/24"});
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_EQ(assessment.reason().code, "address-missing");
  EXPECT_THAT(assessment.reason().text, HasSubstr("192.168.53.99/24"));
}

TEST(Health, IsDegradedWhenARouteWasRemoved) {
  Facts facts = facts_with({answering_peer()});
  facts.drift.routes = prefixes({"192.168.60.0/24"});
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_EQ(assessment.reason().code, "route-missing");
  EXPECT_THAT(assessment.reason().text, HasSubstr("192.168.60.0/24"));
}

TEST(Health, IsDegradedWhenForwardingWasSwitchedOff) {
  Facts facts = facts_with({answering_peer()});
  facts.forwarding_off = {"eth1", "tun0"};
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_EQ(assessment.reason().code, "forwarding-off");
  EXPECT_THAT(assessment.reason().text, HasSubstr("eth1, tun0"));
}

TEST(Health, IsDegradedWhenTheHostDoesNotForwardIpv6) {
  Facts facts = facts_with({answering_peer()});
  facts.forwarding_v6_off = true;
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_EQ(assessment.reason().code, "ipv6-forwarding-off");
  EXPECT_THAT(assessment.reason().text, HasSubstr("net.ipv6.conf.all.forwarding=1"));
}

TEST(Health, IsDegradedWhenMasqueradingCouldNotBeSetUp) {
  Facts facts = facts_with({answering_peer()});
  facts.masquerade_failure = "no NAT in this kernel";
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_EQ(assessment.reason().code, "masquerade-failed");
}

TEST(Health, IsDegradedWithoutTheControlSocketThatWasAskedFor) {
  Facts facts = facts_with({answering_peer()});
  facts.control_failure = "another process listens there";
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_EQ(assessment.reason().code, "control-socket-failed");
  EXPECT_THAT(assessment.reason().text, HasSubstr("another process listens there"));
}

TEST(Health, SaysLastThatWgChangedTheTunnelWhichIsNoFault) {
  Facts facts = facts_with({answering_peer()});
  facts.changed_by_wg = true;
  Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kHealthy);
  EXPECT_EQ(assessment.reason().code, "changed-by-wg");
  EXPECT_THAT(assessment.reason().text, HasSubstr("`vpnctl reload "));
  facts.peers.emplace_back().name = "waiting";
  assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.reason().code, "waiting");
  EXPECT_EQ(assessment.findings.back().code, "changed-by-wg");
}

TEST(Health, IsDegradedWhileTheResolverDoesNotKnow) {
  Facts facts = facts_with({answering_peer()});
  facts.dns_failure = "systemd-resolved does not run";
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_EQ(assessment.reason().code, "dns-unavailable");
  EXPECT_EQ(assessment.reason().text, "systemd-resolved does not run");
}

TEST(Health, PutsTheWorstFirstAndNamesItAsTheReason) {
  Facts facts = facts_with({known_peer("idle"), silent_peer(20s, "silent")});
  facts.forwarding_off = {"tun0"};
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kFailing);
  EXPECT_THAT(codes(assessment), ElementsAre("no-reply", "forwarding-off", "no-traffic"));
  EXPECT_EQ(assessment.reason().code, "no-reply");
}

}  // namespace
}  // namespace vpntun::session
