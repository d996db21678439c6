// What the handshakes of WireGuard peers say about them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "session/health.h"
#include "values.h"

namespace vpntun::session {
namespace {

using namespace std::chrono_literals;
using dataplane::Handshakes;
using testing::HasSubstr;

constexpr Instant kNow{100000s};

Handshakes done(Duration ago) {
  return {.last = kNow - ago};
}
Handshakes tried(unsigned attempts, Instant last = {}) {
  return {.last = last, .attempts = attempts, .under_way = true};
}

PeerFacts peer_with(const Handshakes& handshakes, const std::string& name = "office") {
  PeerFacts peer;
  peer.name = name;
  peer.endpoint = endpoint("198.51.100.7:51820");
  peer.encrypted = true;
  peer.handshakes = handshakes;
  return peer;
}

Judgement judged(const Handshakes& handshakes) {
  return assess_peer(peer_with(handshakes), {}, kNow);
}

// Tried again and again, the last time now, and this is what ICMP said so long ago.
PeerFacts refused_peer(packet::Obstacle obstacle, Duration ago = 0s) {
  PeerFacts peer = peer_with(tried(3));
  peer.handshakes.tried = kNow;
  peer.refused = {.what = {*peer.endpoint, obstacle, peer.endpoint->address, false},
                  .when = kNow - ago};
  return peer;
}

TEST(PeerState, HasTheWordsOfTheInterface) {
  EXPECT_EQ(to_string(PeerState::kNever), "never");
  EXPECT_EQ(to_string(PeerState::kConnecting), "connecting");
  EXPECT_EQ(to_string(PeerState::kFresh), "fresh");
  EXPECT_EQ(to_string(PeerState::kStale), "stale");
}

TEST(PeerState, FollowsTheLifeOfASession) {
  EXPECT_EQ(state_of({}, kNow), PeerState::kNever);
  EXPECT_EQ(state_of(tried(1), kNow), PeerState::kConnecting);
  EXPECT_EQ(state_of(done(0s), kNow), PeerState::kFresh);
  EXPECT_EQ(state_of(done(kSessionTime - 1ns), kNow), PeerState::kFresh);
  EXPECT_EQ(state_of(done(kSessionTime), kNow), PeerState::kStale);
  EXPECT_EQ(state_of(tried(1, kNow - kSessionTime), kNow), PeerState::kConnecting);
}

TEST(PeerState, IsNeverAgainWhenAllAttemptsWereGivenUp) {
  EXPECT_EQ(state_of({.attempts = 18, .under_way = false}, kNow), PeerState::kNever);
}

TEST(PeerState, IsFreshThroughARenewalThatIsAnsweredAtOnce) {
  EXPECT_EQ(state_of(tried(1, kNow - 120s), kNow), PeerState::kFresh);
}

TEST(PeerState, IsConnectingWhenARenewalIsNotAnsweredAlthoughTheSessionStillHolds) {
  const Handshakes handshakes = tried(2, kNow - 125s);
  EXPECT_EQ(state_of(handshakes, kNow), PeerState::kConnecting);
  EXPECT_TRUE(has_session(handshakes, kNow));
}

TEST(PeerState, HasNoSessionBeforeTheFirstHandshakeAndAfterItsTime) {
  EXPECT_FALSE(has_session({}, kNow));
  EXPECT_FALSE(has_session(tried(1), kNow));
  EXPECT_TRUE(has_session(done(179s), kNow));
  EXPECT_FALSE(has_session(done(180s), kNow));
}

TEST(HandshakeHealth, IsHealthyWhileFresh) {
  const Judgement judgement = judged(done(10s));
  EXPECT_EQ(judgement.health, Health::kHealthy);
  EXPECT_EQ(judgement.reason, Reason{});
}

TEST(HandshakeHealth, KnowsNothingOfAPeerThatNoPacketWasFor) {
  const Judgement judgement = judged({});
  EXPECT_EQ(judgement.health, Health::kUnknown);
  EXPECT_EQ(judgement.reason.code, "no-handshake");
}

TEST(HandshakeHealth, KnowsNothingDuringTheFirstAttempt) {
  const Judgement judgement = judged(tried(1));
  EXPECT_EQ(judgement.health, Health::kUnknown);
  EXPECT_EQ(judgement.reason.code, "connecting");
}

TEST(HandshakeHealth, FailsWhenAttemptsAreNotAnsweredAndSaysHowMany) {
  const Judgement judgement = judged(tried(4));
  EXPECT_EQ(judgement.health, Health::kFailing);
  EXPECT_EQ(judgement.reason.code, "no-answer");
  EXPECT_THAT(judgement.reason.text, HasSubstr("no answer to 3 handshakes with peer office"));
  EXPECT_THAT(judged(tried(2)).reason.text, HasSubstr("to 1 handshake with"));
}

TEST(HandshakeHealth, GoesOnFailingWhenTheAttemptsWereGivenUp) {
  const Judgement judgement = judged({.attempts = 18, .under_way = false});
  EXPECT_EQ(judgement.health, Health::kFailing);
  EXPECT_EQ(judgement.reason.code, "no-answer");
  EXPECT_THAT(judgement.reason.text, HasSubstr("18 handshakes"));
  EXPECT_EQ(judged({.last = kNow - 400s, .attempts = 18}).reason.code, "no-answer");
}

TEST(HandshakeHealth, FailsWhenARenewalIsNotAnswered) {
  EXPECT_EQ(judged(tried(2, kNow - 130s)).reason.code, "no-answer");
}

TEST(HandshakeHealth, FailsWithKeysThatDoNotFit) {
  Handshakes handshakes = tried(1);
  handshakes.answer_refused = kNow - 1s;
  const Judgement judgement = judged(handshakes);
  EXPECT_EQ(judgement.health, Health::kFailing);
  EXPECT_EQ(judgement.reason.code, "wrong-key");
  EXPECT_THAT(judgement.reason.text, HasSubstr("preshared key"));
}

TEST(HandshakeHealth, AnAnswerRefusedBeforeTheLastSuccessIsForgotten) {
  Handshakes handshakes = tried(1, kNow - 200s);
  handshakes.answer_refused = kNow - 300s;
  EXPECT_EQ(judged(handshakes).reason.code, "connecting");
}

TEST(HandshakeHealth, IsUnknownWhenNobodyHasAnythingToSay) {
  const Judgement judgement = judged(done(250s));
  EXPECT_EQ(judgement.health, Health::kUnknown);
  EXPECT_EQ(judgement.reason.code, "idle");
  EXPECT_THAT(judgement.reason.text, HasSubstr("250 s ago"));
}

TEST(HandshakeHealth, CountsNoPacketsThatWentUnanswered) {
  PeerFacts peer = peer_with(done(10s));
  peer.exchange.unanswered = 50;
  peer.exchange.unanswered_since = kNow - 60s;
  EXPECT_EQ(assess_peer(peer, {}, kNow).health, Health::kHealthy);
}

TEST(HandshakeHealth, ComesAfterWhatIsKnownOfTheEndpoint) {
  PeerFacts peer = peer_with({});
  peer.endpoint.reset();
  EXPECT_EQ(assess_peer(peer, {}, kNow).reason.code, "waiting");
  peer.name_state = NameState::kFailed;
  EXPECT_EQ(assess_peer(peer, {}, kNow).reason.code, "unresolved");
  peer = peer_with(tried(3));
  peer.endpoint_through_tunnel = true;
  EXPECT_EQ(assess_peer(peer, {}, kNow).reason.code, "endpoint-through-tunnel");
}

TEST(HandshakeHealth, FailsWithWhatIcmpSaysAndByWhomButNoAddress) {
  PeerFacts peer = refused_peer(packet::Obstacle::kPort);
  const Judgement judgement = assess_peer(peer, {}, kNow);
  EXPECT_EQ(judgement.health, Health::kFailing);
  EXPECT_EQ(judgement.reason.code, "refused");
  EXPECT_EQ(judgement.reason.text,
            "datagrams to peer office are refused: nothing listens on the port of its endpoint, "
            "says the host there (ICMP)");
  peer.refused->what.obstacle = packet::Obstacle::kNetwork;
  peer.refused->what.said_by = endpoint("198.51.100.1:1").address;
  EXPECT_EQ(assess_peer(peer, {}, kNow).reason.text,
            "datagrams to peer office are refused: no route leads to the address of its endpoint, "
            "says a router (ICMP)");
  peer.refused->what.said_here = true;
  EXPECT_THAT(assess_peer(peer, {}, kNow).reason.text, HasSubstr("says this host"));
}

TEST(HandshakeHealth, BelievesIcmpFromTheFirstAttemptOn) {
  PeerFacts peer = refused_peer(packet::Obstacle::kProhibited);
  peer.handshakes.attempts = 1;
  EXPECT_EQ(assess_peer(peer, {}, kNow).reason.code, "refused");
  peer.handshakes.attempts = 0;
  peer.handshakes.under_way = false;
  EXPECT_EQ(assess_peer(peer, {}, kNow).reason.code, "no-handshake") << "nothing was tried";
}

TEST(HandshakeHealth, ForgetsIcmpThatLaterAttemptsDidNotMeet) {
  EXPECT_EQ(assess_peer(refused_peer(packet::Obstacle::kPort, kRefusalTime), {}, kNow).reason.code,
            "refused");
  EXPECT_EQ(
      assess_peer(refused_peer(packet::Obstacle::kPort, kRefusalTime + 1s), {}, kNow).reason.code,
      "no-answer");
  PeerFacts given_up = refused_peer(packet::Obstacle::kPort, 1h);
  given_up.handshakes.tried = kNow - 1h;
  given_up.handshakes.under_way = false;
  EXPECT_EQ(assess_peer(given_up, {}, kNow).reason.code, "refused")
      << "it is the last that is known";
}

TEST(HandshakeHealth, BelievesNoIcmpAboutAnotherEndpointOrFromBeforeAnAnswer) {
  PeerFacts peer = refused_peer(packet::Obstacle::kPort);
  peer.endpoint = endpoint("198.51.100.8:51820");
  EXPECT_EQ(assess_peer(peer, {}, kNow).reason.code, "no-answer");
  peer = refused_peer(packet::Obstacle::kPort, 5s);
  peer.handshakes.last = kNow - 4s;
  peer.handshakes.attempts = 0;
  EXPECT_EQ(assess_peer(peer, {}, kNow).health, Health::kHealthy);
}

TEST(HandshakeHealth, AFreshPeerIsHealthyWhateverIcmpSays) {
  PeerFacts peer = refused_peer(packet::Obstacle::kPort);
  peer.handshakes = done(20s);
  EXPECT_EQ(assess_peer(peer, {}, kNow).health, Health::kHealthy);
  peer.handshakes.attempts = 1;  // a renewal
  peer.handshakes.tried = kNow;
  EXPECT_EQ(assess_peer(peer, {}, kNow).health, Health::kHealthy);
}

TEST(HandshakeHealth, FailsWhenThePeersClockIsBehind) {
  Handshakes handshakes{.last = kNow - 300s, .clock_behind = kNow - 100s};
  EXPECT_EQ(judged(handshakes).health, Health::kFailing);
  EXPECT_EQ(judged(handshakes).reason.code, "clock");
  EXPECT_THAT(judged(handshakes).reason.text, HasSubstr("the clock of peer office is behind"));
  handshakes.last = kNow - 50s;
  EXPECT_EQ(judged(handshakes).health, Health::kHealthy) << "it was, before the last handshake";
}

TEST(HandshakeHealth, ThePeersClockIsNoReasonForItsSilence) {
  Handshakes handshakes = tried(3);
  handshakes.clock_behind = kNow - 10s;
  EXPECT_EQ(judged(handshakes).reason.code, "clock") << "it is not silent";
  handshakes.clock_behind = kNow - kTheirTurn;
  EXPECT_EQ(judged(handshakes).reason.code, "no-answer");
}

TEST(HandshakeHealth, SuspectsOurClockWhenNobodyAnswers) {
  Facts tunnel;
  const PeerFacts peer = peer_with(tried(3));
  tunnel.own_clock = OwnClock::kUnsynchronised;
  EXPECT_EQ(assess_peer(peer, tunnel, kNow).reason.code, "no-answer");
  EXPECT_THAT(assess_peer(peer, tunnel, kNow).reason.text, HasSubstr("(it is not synchronised)"));
  tunnel.own_clock = OwnClock::kBehind;
  EXPECT_EQ(assess_peer(peer, tunnel, kNow).reason.code, "clock");
  EXPECT_THAT(assess_peer(peer, tunnel, kNow).reason.text,
              HasSubstr("no answer to 2 handshakes with peer office, and our clock is behind"));
  EXPECT_EQ(assess_peer(peer_with(done(10s)), tunnel, kNow).health, Health::kHealthy);
}

TEST(HandshakeHealth, OneSilentPeerOfSeveralDegradesTheTunnel) {
  Facts facts;
  facts.peers = {peer_with(done(10s), "phone"), peer_with(tried(5), "branch")};
  const Assessment assessment = assess(facts, kNow);
  EXPECT_EQ(assessment.health, Health::kDegraded);
  EXPECT_THAT(assessment.reason().text, HasSubstr("branch"));
}

}  // namespace
}  // namespace vpntun::session
