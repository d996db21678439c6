// Device: what it does when (paper, section 6). Time is virtual, and a device is only looked at
// when it asked to be.
#include <gtest/gtest.h>

#include <set>

#include "allocations.h"
#include "two_devices.h"

namespace vpntun::wg {
namespace {

using Kind = Arrival::Kind;

class DeviceTime : public testing::Test {
 protected:
  // When the messages of a type were sent by an end, since the start.
  std::vector<Duration> times(const End& from, MessageType type) const {
    std::vector<Duration> all;
    for (const Sent& one : wire.sent)
      if (one.from == &from && one.type == type) all.push_back(one.when - start);
    return all;
  }
  // Everything before this is forgotten.
  void begin() {
    wire.sent.clear();
    wire.a.events.clear();
    wire.b.events.clear();
    wire.wakeups = 0;
    start = wire.now;
  }
  void connected() {
    wire.connect();
    begin();
  }

  TwoDevices wire;
  Instant start = wire.now;
};

TEST_F(DeviceTime, TheInitiatorRenewsASessionThatItSendsWithAfter120Seconds) {
  connected();
  wire.wait(120s - 1ms);
  wire.say(wire.a, "not yet");
  EXPECT_TRUE(times(wire.a, MessageType::kInitiation).empty());
  wire.wait(1ms);
  wire.say(wire.a, "now");
  wire.settle();
  EXPECT_EQ(times(wire.a, MessageType::kInitiation), std::vector<Duration>{120s});
  EXPECT_EQ(wire.b.count(EventKind::kKeypairReady), 1u);
}

TEST_F(DeviceTime, TheResponderLeavesRenewingToTheInitiator) {
  connected();
  wire.wait(130s);
  EXPECT_TRUE(wire.say(wire.b, "x"));
  wire.wait(30s);  // a answers with a keepalive, and that renews
  EXPECT_TRUE(times(wire.b, MessageType::kInitiation).empty());
  EXPECT_EQ(times(wire.a, MessageType::kInitiation), std::vector<Duration>{140s});
}

TEST_F(DeviceTime, OnReceivingASessionIsRenewedInItsLastSeconds) {
  connected();
  wire.wait(165s - 1ms);
  wire.deliver(wire.a, wire.seal(wire.b, "x").value());
  EXPECT_TRUE(wire.outbox(wire.a).empty());
  wire.wait(1ms);
  wire.deliver(wire.a, wire.seal(wire.b, "x").value());
  wire.settle();
  EXPECT_EQ(times(wire.a, MessageType::kInitiation), std::vector<Duration>{165s});
}

TEST_F(DeviceTime, ASessionIsNotUsedFrom180SecondsOn) {
  connected();
  wire.wait(180s - 1ms);
  const auto in_time = wire.seal(wire.b, "in time");
  const auto late = wire.seal(wire.b, "late");
  ASSERT_TRUE(in_time && late);
  EXPECT_EQ(wire.deliver(wire.a, *in_time).kind, Kind::kData);
  wire.passes = nothing_passes;  // a asks for the next one
  wire.wait(1ms);
  EXPECT_EQ(wire.deliver(wire.a, *late).refusal, Refusal::kExpired);
  EXPECT_FALSE(wire.seal(wire.a, "x"));
  EXPECT_FALSE(wire.seal(wire.b, "x"));
}

TEST_F(DeviceTime, ThatNoSessionIsLeftIsToldWhenTheLastExpires) {
  connected();
  wire.wait(180s - 1ns);
  EXPECT_EQ(wire.a.count(EventKind::kExpired), 0u);
  wire.wait(1ns);
  EXPECT_EQ(wire.a.events, std::vector{EventKind::kExpired});
  EXPECT_EQ(wire.b.events, std::vector{EventKind::kExpired});
}

TEST_F(DeviceTime, ThePreviousSessionStillReceivesAndTheOneBeforeDoesNot) {
  connected();
  const auto of_first = wire.seal(wire.b, "1");
  const auto of_first_too = wire.seal(wire.b, "1");
  wire.wait(6s);
  wire.connect();
  EXPECT_EQ(wire.deliver(wire.a, *of_first).kind, Kind::kData);
  wire.wait(6s);
  wire.connect();
  EXPECT_EQ(wire.deliver(wire.a, *of_first_too).refusal, Refusal::kUnknownIndex);
  EXPECT_EQ(wire.a.count(EventKind::kKeypairReady), 2u);
}

TEST_F(DeviceTime, WhatIsUnderWayArrivesWhileTheInitiatorRenews) {
  connected();
  wire.wait(6s);
  const auto of_old = wire.seal(wire.a, "under way");
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.deliver(wire.b, wire.outbox(wire.a).at(0));
  EXPECT_EQ(wire.deliver(wire.b, *of_old).kind, Kind::kData);
  EXPECT_TRUE(wire.seal(wire.b, "with the old one, until the new one is confirmed"));
}

TEST_F(DeviceTime, KeysAreForgottenAfterThreeTimes180Seconds) {
  connected();
  const auto datagram = wire.seal(wire.b, "x");
  wire.passes = nothing_passes;
  wire.wait(3 * 180s - 1ns);
  EXPECT_EQ(wire.deliver(wire.a, *datagram).refusal, Refusal::kExpired);
  wire.wait(1ns);
  EXPECT_EQ(wire.deliver(wire.a, *datagram).refusal, Refusal::kUnknownIndex);
}

TEST_F(DeviceTime, AHandshakeThatIsGivenUpIsForgotten) {
  wire.passes = nothing_passes;
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.wait(90s);
  ASSERT_EQ(wire.deliver(wire.b, wire.sent.back().bytes).kind, Kind::kHandshake);
  EXPECT_EQ(wire.deliver(wire.a, wire.outbox(wire.b).at(0)).refusal, Refusal::kUnknownIndex);
  EXPECT_EQ(wire.a.device.next_deadline(), kNever);
}

// The session would be as old at the other end as the response was late.
TEST_F(DeviceTime, AResponseThatWasHeldBackIsRefused) {
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.deliver(wire.b, wire.outbox(wire.a).at(0));
  const Datagram response = wire.outbox(wire.b).at(0);
  wire.now += 5min;  // asleep: the repetition is due, and was not sent yet
  EXPECT_EQ(wire.deliver(wire.a, response).refusal, Refusal::kExpired);
  EXPECT_FALSE(wire.a.device.status(wire.a.peer, wire.now).has_session);
}

TEST_F(DeviceTime, AHandshakeThatThePeerEndedLeavesNothingOfOurs) {
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.deliver(wire.b, wire.outbox(wire.a).at(0));
  const Datagram response = wire.outbox(wire.b).at(0);
  wire.b.device.wish_handshake(wire.b.peer, wire.now);
  wire.wait(5s);
  ASSERT_TRUE(wire.a.device.status(wire.a.peer, wire.now).has_session);
  EXPECT_EQ(wire.deliver(wire.a, response).refusal, Refusal::kUnknownIndex);
}

TEST_F(DeviceTime, AnInitiationIsRepeatedAfter5SecondsAndAJitterFor90SecondsAndThenGivenUp) {
  wire.passes = nothing_passes;
  EXPECT_FALSE(wire.seal(wire.a, "x"));
  wire.wait(1h);
  const auto sent = times(wire.a, MessageType::kInitiation);
  ASSERT_GE(sent.size(), 17u);
  ASSERT_LE(sent.size(), 18u);
  std::set<Duration> gaps;
  for (std::size_t i = 1; i < sent.size(); ++i) {
    const Duration gap = sent[i] - sent[i - 1];
    EXPECT_GE(gap, 5s);
    EXPECT_LE(gap, 5s + 334ms);
    gaps.insert(gap);
  }
  EXPECT_GT(gaps.size(), 10u) << "no jitter";
  EXPECT_LT(sent.back(), 90s);
  EXPECT_EQ(wire.a.count(EventKind::kHandshakeUnanswered), sent.size() - 1);
  EXPECT_EQ(wire.a.events.back(), EventKind::kHandshakeGivenUp);
  EXPECT_EQ(wire.a.count(EventKind::kHandshakeGivenUp), 1u);
}

TEST_F(DeviceTime, AHandshakeIsGivenUpExactly90SecondsAfterItsFirstInitiation) {
  wire.passes = nothing_passes;
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.wait(90s - 1ns);
  EXPECT_EQ(wire.a.count(EventKind::kHandshakeGivenUp), 0u);
  EXPECT_TRUE(wire.a.device.status(wire.a.peer, wire.now).handshaking);
  wire.wait(1ns);
  EXPECT_EQ(wire.a.count(EventKind::kHandshakeGivenUp), 1u);
  EXPECT_FALSE(wire.a.device.status(wire.a.peer, wire.now).handshaking);
}

TEST_F(DeviceTime, AfterGivingUpTheNextDataBeginsAnew) {
  wire.passes = nothing_passes;
  wire.seal(wire.a, "x");
  wire.wait(10min);
  begin();
  EXPECT_FALSE(wire.seal(wire.a, "y"));
  wire.wait(91s);
  EXPECT_EQ(times(wire.a, MessageType::kInitiation).front(), Duration{});
  EXPECT_EQ(wire.a.count(EventKind::kHandshakeGivenUp), 1u);
}

TEST_F(DeviceTime, WishesAndDataNeverMakeInitiationsMoreFrequent) {
  wire.passes = nothing_passes;
  for (int i = 0; i < 10'000; ++i) {
    wire.a.device.wish_handshake(wire.a.peer, wire.now);
    wire.a.device.revive(wire.a.peer, wire.now);
    wire.seal(wire.a, "x");
    wire.wait(10ms);
  }
  const auto sent = times(wire.a, MessageType::kInitiation);
  for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_GE(sent[i] - sent[i - 1], 5s);
  EXPECT_LE(sent.size(), 21u);
}

TEST_F(DeviceTime, DataWithoutAnAnswerIsAnsweredWithAKeepaliveAfterExactly10Seconds) {
  connected();
  wire.say(wire.a, "x");
  wire.wait(3s);
  wire.say(wire.a, "y");
  wire.wait(1min);
  EXPECT_EQ(times(wire.b, MessageType::kData), std::vector<Duration>{10s});
  EXPECT_EQ(wire.a.arrivals.back().kind, Kind::kKeepalive);
}

TEST_F(DeviceTime, DataThatWasAnsweredWithDataNeedsNoKeepalive) {
  connected();
  wire.say(wire.a, "x");
  wire.wait(9s);
  wire.say(wire.b, "answer");
  begin();
  wire.wait(9s);
  EXPECT_TRUE(times(wire.b, MessageType::kData).empty());
  wire.wait(50s);
  EXPECT_EQ(times(wire.a, MessageType::kData), std::vector<Duration>{10s});
  EXPECT_TRUE(times(wire.b, MessageType::kData).empty()) << "a keepalive is not answered";
}

TEST_F(DeviceTime, NothingHeardFor15SecondsAfterDataBeginsAHandshake) {
  connected();
  wire.passes = nothing_passes;
  wire.say(wire.b, "x");
  wire.wait(14s);
  wire.say(wire.b, "later data does not put it off");
  wire.wait(16s);
  const auto sent = times(wire.b, MessageType::kInitiation);
  ASSERT_FALSE(sent.empty());
  EXPECT_GE(sent.front(), 15s);
  EXPECT_LE(sent.front(), 15s + 334ms);
}

TEST_F(DeviceTime, AKeepaliveWaitsForNoAnswer) {
  connected();
  wire.say(wire.b, "x");
  wire.settle();
  wire.passes = nothing_passes;
  begin();
  wire.wait(1min);
  EXPECT_EQ(times(wire.a, MessageType::kData), std::vector<Duration>{10s});
  EXPECT_TRUE(times(wire.a, MessageType::kInitiation).empty());
}

TEST_F(DeviceTime, ThePersistentKeepaliveGoesOutWheneverNothingPassedForItsTime) {
  connected();
  wire.a.device.change(
      wire.a.peer,
      {.public_key = wire.b.public_key, .preshared_key = {}, .persistent_keepalive = 25s},
      wire.now);
  wire.wait(60s);
  EXPECT_EQ(times(wire.a, MessageType::kData), (std::vector<Duration>{0s, 25s, 50s}));
  wire.say(wire.b, "x");  // at 60 s; answered at 70 s
  wire.wait(36s);
  EXPECT_EQ(times(wire.a, MessageType::kData), (std::vector<Duration>{0s, 25s, 50s, 70s, 95s}));
  wire.a.device.change(wire.a.peer, {.public_key = wire.b.public_key, .preshared_key = {}},
                       wire.now);
  begin();
  wire.wait(60s);
  EXPECT_TRUE(wire.sent.empty());
}

TEST_F(DeviceTime, APersistentKeepaliveKeepsASessionForEver) {
  wire.a.device.change(
      wire.a.peer,
      {.public_key = wire.b.public_key, .preshared_key = {}, .persistent_keepalive = 25s},
      wire.now);
  wire.wait(1s);
  for (int minute = 0; minute < 60; ++minute) {
    ASSERT_TRUE(wire.b.device.status(wire.b.peer, wire.now).has_session);
    wire.wait(1min);
  }
  EXPECT_EQ(wire.b.count(EventKind::kExpired), 0u);
  EXPECT_NEAR(static_cast<double>(times(wire.a, MessageType::kInitiation).size()), 30., 5.);
}

TEST_F(DeviceTime, APersistentKeepaliveTriesForEver) {
  wire.passes = nothing_passes;
  wire.a.device.change(
      wire.a.peer,
      {.public_key = wire.b.public_key, .preshared_key = {}, .persistent_keepalive = 25s},
      wire.now);
  wire.wait(1h);
  begin();
  wire.wait(2min);
  EXPECT_GE(times(wire.a, MessageType::kInitiation).size(), 10u);
}

TEST_F(DeviceTime, AnIdlePeerWakesNobody) {
  EXPECT_EQ(wire.a.device.next_deadline(), kNever);
  connected();
  wire.wait(24h);
  EXPECT_LE(wire.wakeups, 2u) << "its expiry, and the end of its keys";
  EXPECT_EQ(wire.a.device.next_deadline(), kNever);
  EXPECT_EQ(wire.b.device.next_deadline(), kNever);
}

TEST_F(DeviceTime, TrafficWakesADeviceNoMoreOftenThanItsTimersNeed) {
  connected();
  for (int i = 0; i < 100'000; ++i) {
    wire.now += 1ms;
    wire.say(wire.a, "x");
    wire.say(wire.b, "y");
    if (std::min(wire.a.device.next_deadline(), wire.b.device.next_deadline()) <= wire.now) {
      ++wire.wakeups;
      wire.settle();
    }
  }
  EXPECT_LE(wire.wakeups, 25u);
  EXPECT_EQ(wire.b.heard.size(), 100'000u);
}

TEST_F(DeviceTime, ReviveProvesAYoungSessionByAKeepaliveAndAnOldOneByAHandshake) {
  connected();
  wire.a.device.revive(wire.a.peer, wire.now);
  wire.settle();
  EXPECT_EQ(times(wire.a, MessageType::kData), std::vector<Duration>{0s});
  EXPECT_TRUE(times(wire.a, MessageType::kInitiation).empty());
  wire.wait(130s);
  wire.b.device.revive(wire.b.peer, wire.now);
  wire.settle();
  EXPECT_EQ(times(wire.b, MessageType::kInitiation), std::vector<Duration>{130s});
}

TEST_F(DeviceTime, AfterALongSleepReviveTriesAtOnce) {
  wire.passes = nothing_passes;
  wire.seal(wire.a, "x");
  wire.wait(7s);
  wire.now += 10h;  // asleep in the middle of its attempts
  begin();
  wire.a.device.revive(wire.a.peer, wire.now);
  wire.settle();
  EXPECT_EQ(times(wire.a, MessageType::kInitiation), std::vector<Duration>{0s});
  EXPECT_EQ(wire.a.count(EventKind::kHandshakeGivenUp), 0u);
}

TEST_F(DeviceTime, WhatWasNotSentDoesNotPutOffTheFirstWay) {
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  EXPECT_EQ(wire.outbox(wire.a).size(), 1u);
  wire.a.device.not_sent(wire.a.peer);
  wire.wait(1s);
  EXPECT_TRUE(wire.outbox(wire.a).empty()) << "not before there is a way";
  begin();
  wire.a.device.revive(wire.a.peer, wire.now);
  wire.settle();
  EXPECT_EQ(times(wire.a, MessageType::kInitiation), std::vector<Duration>{0s});
}

TEST_F(DeviceTime, AResponderThatWasNotConfirmedAsksItselfWhenItHasSomethingToSay) {
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.deliver(wire.b, wire.outbox(wire.a).at(0));
  wire.outbox(wire.b);  // the response is lost
  EXPECT_FALSE(wire.seal(wire.b, "x"));
  wire.passes = [this](const End& from, const Datagram&) { return &from == &wire.b; };
  wire.wait(5s);
  EXPECT_EQ(times(wire.b, MessageType::kInitiation), std::vector<Duration>{5s});
}

TEST_F(DeviceTime, StatusTellsOfHandshakesAndSessions) {
  PeerStatus status = wire.a.device.status(wire.a.peer, wire.now);
  EXPECT_EQ(status.last_handshake, Instant{});
  EXPECT_FALSE(status.handshaking || status.has_session);
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.outbox(wire.a);
  status = wire.a.device.status(wire.a.peer, wire.now);
  EXPECT_TRUE(status.handshaking);
  EXPECT_EQ(status.attempts, 1u);
  wire.wait(5s + 334ms);
  status = wire.a.device.status(wire.a.peer, wire.now);
  EXPECT_TRUE(status.has_session);
  EXPECT_FALSE(status.handshaking);
  EXPECT_EQ(status.attempts, 0u);
  EXPECT_EQ(status.session_expires - status.last_handshake, 180s);
  EXPECT_EQ(wire.b.device.status(wire.b.peer, wire.now).last_handshake, status.last_handshake);
}

TEST_F(DeviceTime, ARemovedPeerIsSilentAndItsNumberIsGivenAgainWithoutItsPast) {
  connected();
  const auto datagram = wire.seal(wire.b, "x");
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.a.device.remove(wire.a.peer);
  EXPECT_EQ(wire.a.device.find(wire.b.public_key), kNobody);
  EXPECT_EQ(wire.a.device.size(), 0u);
  EXPECT_EQ(wire.a.device.next_deadline(), kNever);
  EXPECT_TRUE(wire.outbox(wire.a).empty());
  EXPECT_EQ(wire.deliver(wire.a, *datagram).refusal, Refusal::kUnknownIndex);
  EXPECT_FALSE(wire.seal(wire.a, "x"));

  const PeerId id = wire.a.device.add(
      {.public_key = crypto::public_key_of(key_of(9)), .preshared_key = {}}, wire.now);
  EXPECT_EQ(id, wire.a.peer);
  EXPECT_FALSE(wire.a.device.status(id, wire.now).has_session);
  EXPECT_FALSE(wire.a.device.poll_event());
}

// The private key, a preshared key, and through them every key that a session is derived from.
TEST(DeviceKeys, AreWipedWhenAPeerOrTheDeviceGoes) {
  for (const unsigned secret : {1u, 77u}) {
    const crypto::SecretKey key = key_of(secret);
    auto wire =
        std::make_unique<TwoDevices>(PeerSettings{.public_key = {}, .preshared_key = key_of(77)});
    wire->connect();
    const FreedWith freed(key.expose());
    wire->wait(6s);
    wire->connect();
    wire->b.device.remove(wire->b.peer);
    wire->a.device.set_private_key(key_of(55), wire->now);
    wire.reset();
    EXPECT_EQ(freed.times(), 0u);
  }
}

}  // namespace
}  // namespace vpntun::wg
