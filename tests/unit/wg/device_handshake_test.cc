// Device: how two ends come to a session, and what does not make them do so.
#include <gtest/gtest.h>

#include <set>

#include "two_devices.h"
#include "wg/constants.h"

namespace vpntun::wg {
namespace {

using Kind = Arrival::Kind;

std::uint32_t sender_of(const Datagram& handshake) {
  return std::uint32_t{handshake[4]} | std::uint32_t{handshake[5]} << 8 |
         std::uint32_t{handshake[6]} << 16 | std::uint32_t{handshake[7]} << 24;
}

// The one message that an end has to send.
Datagram only(const std::vector<Datagram>& outbox) {
  EXPECT_EQ(outbox.size(), 1u);
  return outbox.empty() ? Datagram{} : outbox.front();
}

Datagram initiation_of(TwoDevices& wire, End& end) {
  end.device.wish_handshake(end.peer, wire.now);
  return only(wire.outbox(end));
}

TEST(DeviceHandshake, TheResponderSendsNothingWithASessionBeforeItsFirstDataCame) {
  TwoDevices wire;
  EXPECT_EQ(wire.deliver(wire.b, initiation_of(wire, wire.a)).kind, Kind::kHandshake);
  const Datagram response = only(wire.outbox(wire.b));
  EXPECT_FALSE(wire.seal(wire.b, "too early"));
  EXPECT_FALSE(wire.b.device.status(wire.b.peer, wire.now).has_session);
  wire.wait(0s);
  EXPECT_TRUE(wire.outbox(wire.b).empty());

  EXPECT_EQ(wire.deliver(wire.a, response).kind, Kind::kHandshake);
  EXPECT_TRUE(wire.a.device.status(wire.a.peer, wire.now).has_session);
  const auto first = wire.seal(wire.a, "confirms");
  ASSERT_TRUE(first);
  EXPECT_EQ(wire.deliver(wire.b, *first).kind, Kind::kData);
  EXPECT_EQ(wire.b.events, std::vector{EventKind::kKeypairReady});
  EXPECT_TRUE(wire.seal(wire.b, "now"));
}

TEST(DeviceHandshake, TheInitiatorConfirmsAtOnceEvenWithoutData) {
  TwoDevices wire;
  wire.connect();
  EXPECT_EQ(wire.count(wire.a, MessageType::kData), 1u);
  EXPECT_EQ(wire.b.arrivals.back().kind, Kind::kKeepalive);
  EXPECT_TRUE(wire.say(wire.b, "confirmed"));
}

TEST(DeviceHandshake, DataThatWasHeldConfirmsInsteadOfAKeepalive) {
  TwoDevices wire;
  wire.deliver(wire.b, initiation_of(wire, wire.a));
  wire.deliver(wire.a, only(wire.outbox(wire.b)));
  ASSERT_EQ(wire.a.events, std::vector{EventKind::kKeypairReady});
  ASSERT_TRUE(wire.say(wire.a, "held"));
  EXPECT_TRUE(wire.outbox(wire.a).empty());
}

TEST(DeviceHandshake, AnInitiationIsTakenOnce) {
  TwoDevices wire;
  const Datagram initiation = initiation_of(wire, wire.a);
  EXPECT_EQ(wire.deliver(wire.b, initiation).kind, Kind::kHandshake);
  wire.outbox(wire.b);
  wire.now += 1s;
  const Arrival again = wire.deliver(wire.b, initiation);
  EXPECT_EQ(again.kind, Kind::kRefused);
  EXPECT_EQ(again.refusal, Refusal::kReplayed);
  EXPECT_EQ(again.peer, wire.b.peer);
  EXPECT_FALSE(again.moves_peer());
  EXPECT_TRUE(wire.outbox(wire.b).empty());
}

TEST(DeviceHandshake, AnInitiationOlderThanOneThatCameIsRefused) {
  TwoDevices wire;
  const Datagram old = initiation_of(wire, wire.a);
  wire.passes = nothing_passes;
  wire.wall += 6s;
  wire.wait(6s);  // the next attempt
  ASSERT_EQ(wire.count(wire.a, MessageType::kInitiation), 2u);
  EXPECT_EQ(wire.deliver(wire.b, wire.sent.back().bytes).kind, Kind::kHandshake);
  wire.now += 1s;
  EXPECT_EQ(wire.deliver(wire.b, old).refusal, Refusal::kReplayed);
}

// The initiations of a, which nobody answers, oldest first.
std::vector<Datagram> attempts(TwoDevices& wire, std::size_t count) {
  std::vector<Datagram> all{initiation_of(wire, wire.a)};
  wire.passes = nothing_passes;
  while (all.size() < count) {
    wire.wall += 6s;
    wire.wait(6s);
    all.push_back(wire.sent.back().bytes);
  }
  wire.passes = [](const End&, const Datagram&) { return true; };
  return all;
}

TEST(DeviceHandshake, APeerThatGoesOnWithEarlierTimesIsToldToHaveItsClockBehind) {
  TwoDevices wire;
  const std::vector<Datagram> all = attempts(wire, 4);
  ASSERT_EQ(wire.deliver(wire.b, all[3]).kind, Kind::kHandshake);
  for (const std::size_t attempt : {0u, 1u}) {
    EXPECT_EQ(wire.b.count(EventKind::kPeerClockBehind), 0u) << "the first may have been late";
    EXPECT_EQ(wire.deliver(wire.b, all[attempt]).refusal, Refusal::kReplayed);
  }
  EXPECT_EQ(wire.b.count(EventKind::kPeerClockBehind), 1u);
  EXPECT_EQ(wire.deliver(wire.b, all[2]).refusal, Refusal::kReplayed);
  EXPECT_EQ(wire.b.count(EventKind::kPeerClockBehind), 2u);
}

TEST(DeviceHandshake, InitiationsThatComeTwiceOrInAnotherOrderSayNothingOfAClock) {
  TwoDevices wire;
  const std::vector<Datagram> all = attempts(wire, 4);
  ASSERT_EQ(wire.deliver(wire.b, all[3]).kind, Kind::kHandshake);
  for (const std::size_t attempt : {3u, 2u, 1u, 0u, 2u, 3u})
    EXPECT_EQ(wire.deliver(wire.b, all[attempt]).refusal, Refusal::kReplayed);
  EXPECT_EQ(wire.b.count(EventKind::kPeerClockBehind), 0u);
}

TEST(DeviceHandshake, AnInitiationThatIsTakenEndsTheSuspicionOfAClock) {
  TwoDevices wire;
  const std::vector<Datagram> all = attempts(wire, 5);
  ASSERT_EQ(wire.deliver(wire.b, all[3]).kind, Kind::kHandshake);
  wire.deliver(wire.b, all[0]);
  wire.now += 1s;
  ASSERT_EQ(wire.deliver(wire.b, all[4]).kind, Kind::kHandshake);
  wire.deliver(wire.b, all[1]);
  EXPECT_EQ(wire.b.count(EventKind::kPeerClockBehind), 0u);
}

TEST(DeviceHandshake, AReplayedInitiationTouchesNoRunningSession) {
  TwoDevices wire;
  wire.connect();
  const Datagram initiation = wire.sent.front().bytes;
  for (int i = 0; i < 100; ++i) {
    wire.now += 1s;
    wire.deliver(wire.b, initiation);
  }
  EXPECT_EQ(wire.b.refusals(Refusal::kReplayed), 100u);
  EXPECT_TRUE(wire.say(wire.a, "a"));
  EXPECT_TRUE(wire.say(wire.b, "b"));
  EXPECT_EQ(wire.count(wire.b, MessageType::kResponse), 1u);
}

// Many devices with a's key, each of which may begin at once.
TEST(DeviceHandshake, AtMost50InitiationsASecondOfOnePeerAreAnswered) {
  TwoDevices wire;
  unsigned taken = 0;
  for (unsigned i = 0; i < 200; ++i) {
    wire.wall += 20ms;
    wire.now += 5ms;
    End clone(100 + i, wire.wall);
    clone.device.set_private_key(wire.a.key, wire.now);
    wire.introduce(clone, wire.b, {});
    if (wire.deliver(wire.b, initiation_of(wire, clone)).kind == Kind::kHandshake) ++taken;
    wire.outbox(wire.b);
  }
  EXPECT_EQ(taken, 50u);
  EXPECT_EQ(wire.b.refusals(Refusal::kTooManyInitiations), 150u);
}

TEST(DeviceHandshake, AResponseIsTakenOnce) {
  TwoDevices wire;
  wire.deliver(wire.b, initiation_of(wire, wire.a));
  const Datagram response = only(wire.outbox(wire.b));
  EXPECT_EQ(wire.deliver(wire.a, response).kind, Kind::kHandshake);
  EXPECT_EQ(wire.deliver(wire.a, response).refusal, Refusal::kReplayed);
}

TEST(DeviceHandshake, AResponseToAnInitiationThatWasRepeatedIsForNobody) {
  TwoDevices wire;
  wire.deliver(wire.b, initiation_of(wire, wire.a));
  const Datagram late = only(wire.outbox(wire.b));
  wire.passes = nothing_passes;
  wire.wait(6s);
  EXPECT_EQ(wire.deliver(wire.a, late).refusal, Refusal::kUnknownIndex);
}

TEST(DeviceHandshake, WhoeverIsNoPeerHearsNothing) {
  TwoDevices wire;
  End stranger(9, wire.wall);
  stranger.device.set_private_key(stranger.key, wire.now);
  wire.introduce(stranger, wire.b, {});
  EXPECT_EQ(wire.deliver(wire.b, initiation_of(wire, stranger)).refusal, Refusal::kUnknownPeer);
  EXPECT_TRUE(wire.outbox(wire.b).empty());
}

TEST(DeviceHandshake, AMessageThatWasNotMadeForOurKeyIsNotAnswered) {
  TwoDevices wire;
  Datagram initiation = initiation_of(wire, wire.a);
  initiation[kInitiationSize - kMacsSize] ^= 1;
  EXPECT_EQ(wire.deliver(wire.b, initiation).refusal, Refusal::kWrongMac1);
  EXPECT_TRUE(wire.outbox(wire.b).empty());
}

TEST(DeviceHandshake, WithoutAPrivateKeyNothingIsSentOrTaken) {
  TwoDevices wire;
  End keyless(9, wire.wall);
  wire.introduce(keyless, wire.b,
                 {.public_key = {}, .preshared_key = {}, .persistent_keepalive = 5s});
  EXPECT_FALSE(wire.seal(keyless, "x"));
  EXPECT_TRUE(wire.outbox(keyless).empty());
  EXPECT_EQ(wire.deliver(keyless, initiation_of(wire, wire.a)).refusal, Refusal::kWrongMac1);
}

TEST(DeviceHandshake, OurOwnKeyAndLowOrderPointsNeverGetASession) {
  TwoDevices wire;
  for (const crypto::PublicKey& key : {wire.a.public_key, crypto::PublicKey{}}) {
    const PeerId id = wire.a.device.add({.public_key = key, .preshared_key = {}}, wire.now);
    EXPECT_NE(id, kNobody);
    wire.a.device.wish_handshake(id, wire.now);
    EXPECT_TRUE(wire.outbox(wire.a).empty());
    EXPECT_EQ(wire.a.device.next_deadline(), kNever);
  }
}

TEST(DeviceHandshake, PresharedKeysThatDifferAreNoticedByTheInitiator) {
  TwoDevices wire;
  wire.b.device.change(wire.b.peer, {.public_key = wire.a.public_key, .preshared_key = key_of(77)},
                       wire.now);
  wire.connect();
  EXPECT_FALSE(wire.say(wire.a, "x"));
  EXPECT_EQ(wire.a.events, std::vector{EventKind::kAnswerRefused});
  EXPECT_EQ(wire.a.refusals(Refusal::kNotAuthentic), 1u);
  EXPECT_TRUE(wire.b.events.empty());
}

TEST(DeviceHandshake, AnotherPresharedKeyIsUsedFromTheNextHandshakeOn) {
  TwoDevices wire;
  wire.connect();
  for (End* end : {&wire.a, &wire.b})
    end->device.change(end->peer,
                       {.public_key = wire.other(*end).public_key, .preshared_key = key_of(77)},
                       wire.now);
  EXPECT_TRUE(wire.say(wire.a, "goes on"));
  wire.wait(120s);
  EXPECT_TRUE(wire.say(wire.a, "asks for the next"));
  wire.settle();
  EXPECT_EQ(wire.a.count(EventKind::kKeypairReady), 2u);
  EXPECT_TRUE(wire.say(wire.b, "with it"));
  EXPECT_EQ(wire.a.heard, std::vector<std::string>{"with it"});
}

TEST(DeviceHandshake, PresharedKeysThatAgreeMakeASession) {
  TwoDevices wire({.public_key = {}, .preshared_key = key_of(77)});
  wire.connect();
  EXPECT_TRUE(wire.say(wire.a, "x"));
  EXPECT_EQ(wire.b.heard, std::vector<std::string>{"x"});
}

TEST(DeviceHandshake, TimestampsRiseWhenTheWallClockIsPutBack) {
  for (const auto& jump : {-24h, 24h}) {
    TwoDevices wire;
    wire.connect();
    for (const auto to : {jump, -jump, -jump, jump}) {
      wire.wall += to;
      wire.wait(121s);
      ASSERT_TRUE(wire.say(wire.a, "asks for the next"));
      wire.settle();
      ASSERT_EQ(wire.b.refusals(Refusal::kReplayed), 0u);
    }
    EXPECT_EQ(wire.b.count(EventKind::kKeypairReady), 5u);
  }
}

TEST(DeviceHandshake, IndicesAreNeverSharedAndDoNotRepeat) {
  TwoDevices wire;
  std::set<std::uint32_t> seen;
  std::size_t drawn = 0;
  for (int i = 0; i < 50; ++i) {
    wire.connect();
    wire.wait(6s);
  }
  for (const Sent& one : wire.sent)
    if (one.type != MessageType::kData && ++drawn) seen.insert(sender_of(one.bytes));
  EXPECT_EQ(drawn, 100u);
  EXPECT_EQ(seen.size(), drawn);
}

TEST(DeviceHandshake, AnotherPrivateKeyEndsEverySession) {
  TwoDevices wire;
  wire.connect();
  const auto under_way = wire.seal(wire.b, "late");
  wire.a.events.clear();
  wire.a.device.set_private_key(key_of(55), wire.now);
  EXPECT_FALSE(wire.seal(wire.a, "x"));
  EXPECT_EQ(wire.deliver(wire.a, *under_way).refusal, Refusal::kUnknownIndex);
  EXPECT_EQ(wire.a.events, std::vector{EventKind::kExpired});

  wire.b.device.add({.public_key = crypto::public_key_of(key_of(55)), .preshared_key = {}},
                    wire.now);
  wire.wait(5s);
  EXPECT_EQ(wire.a.count(EventKind::kKeypairReady), 1u);
}

TEST(DeviceHandshake, AHandshakeOfAnotherPrivateKeyWaitsForNoneBefore) {
  TwoDevices wire;
  wire.connect();
  wire.a.device.set_private_key(key_of(55), wire.now);
  wire.b.device.add({.public_key = crypto::public_key_of(key_of(55)), .preshared_key = {}},
                    wire.now);
  wire.connect();
  EXPECT_TRUE(wire.say(wire.a, "at once"));
}

TEST(DeviceHandshake, OneUnderWayIsBegunAnewWithAnotherPrivateKey) {
  TwoDevices wire;
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  EXPECT_EQ(wire.outbox(wire.a).size(), 1u);
  wire.a.device.set_private_key(key_of(55), wire.now);
  EXPECT_EQ(wire.outbox(wire.a).size(), 1u);
}

TEST(DeviceHandshake, TheSamePrivateKeyAgainChangesNothing) {
  TwoDevices wire;
  wire.connect();
  wire.a.device.set_private_key(wire.a.key, wire.now);
  EXPECT_TRUE(wire.say(wire.a, "x"));
  EXPECT_TRUE(wire.say(wire.b, "x"));
}

// Both begin at the same instant; whichever of the first messages are lost, both have a session
// within the time of two repetitions, and what each sends the other reads.
class BothInitiate : public testing::TestWithParam<unsigned> {};

TEST_P(BothInitiate, AndComeToUsableSessions) {
  TwoDevices wire;
  unsigned handshakes = 0;
  wire.passes = [&](const End&, const Datagram& datagram) {
    if (type_of(datagram) == MessageType::kData) return true;
    return handshakes >= 4 || (GetParam() >> handshakes++ & 1) == 0;
  };
  const Datagram of_a = initiation_of(wire, wire.a);
  const Datagram of_b = initiation_of(wire, wire.b);
  if (wire.passes(wire.a, of_a)) wire.deliver(wire.b, of_a);
  if (wire.passes(wire.b, of_b)) wire.deliver(wire.a, of_b);
  wire.wait(GetParam() == 0 ? Duration{} : 2 * (kRekeyTimeout + kRekeyJitter));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(wire.say(wire.a, "from a"));
    ASSERT_TRUE(wire.say(wire.b, "from b"));
    wire.wait(1s);
  }
  EXPECT_EQ(wire.a.heard.size(), 3u);
  EXPECT_EQ(wire.b.heard.size(), 3u);

  const std::size_t before = wire.sent.size();
  wire.wait(8s);
  EXPECT_EQ(wire.sent.size(), before) << "more handshakes than were needed";
}

INSTANTIATE_TEST_SUITE_P(LosingAnyOfFour, BothInitiate, testing::Range(0u, 16u));

TEST(DeviceHandshake, AfterBothBeganAtOnceTheNextRekeyAgreesAgain) {
  TwoDevices wire;
  const Datagram of_a = initiation_of(wire, wire.a);
  const Datagram of_b = initiation_of(wire, wire.b);
  wire.deliver(wire.b, of_a);
  wire.deliver(wire.a, of_b);
  for (int second = 0; second < 600; ++second) {
    wire.wait(1s);
    ASSERT_TRUE(wire.say(wire.a, "from a"));
    ASSERT_TRUE(wire.say(wire.b, "from b"));
  }
  EXPECT_EQ(wire.a.heard.size(), 600u);
  EXPECT_EQ(wire.b.heard.size(), 600u);
  EXPECT_LE(
      wire.count(wire.a, MessageType::kInitiation) + wire.count(wire.b, MessageType::kInitiation),
      12u);
}

TEST(DeviceHandshake, AfterBothBeganAtOnceNothingUnderWayIsLostByTheNextRekey) {
  TwoDevices wire;
  const Datagram of_a = initiation_of(wire, wire.a);
  const Datagram of_b = initiation_of(wire, wire.b);
  wire.deliver(wire.b, of_a);
  wire.deliver(wire.a, of_b);
  wire.settle();
  wire.say(wire.a, "each sends");
  wire.say(wire.b, "with its own");
  wire.wait(6s);
  wire.deliver(wire.b, initiation_of(wire, wire.a));
  const Datagram response = only(wire.outbox(wire.b));
  const auto from_a = wire.seal(wire.a, "x");
  const auto from_b = wire.seal(wire.b, "x");
  EXPECT_EQ(wire.deliver(wire.b, *from_a).kind, Kind::kData);
  wire.deliver(wire.a, response);
  EXPECT_EQ(wire.deliver(wire.a, *from_b).kind, Kind::kData);
}

TEST(DeviceHandshake, APeerThatLostItsStateComesBackByItself) {
  TwoDevices wire;
  wire.connect();
  wire.wall += 1s;
  wire.now += 1s;
  End reborn(3, wire.wall);  // with a's key, and nothing else of it
  reborn.device.set_private_key(wire.a.key, wire.now);
  wire.introduce(reborn, wire.b, {});
  const auto old = wire.seal(wire.b, "of the old session");
  EXPECT_EQ(wire.deliver(reborn, *old).refusal, Refusal::kUnknownIndex);

  wire.deliver(wire.b, initiation_of(wire, reborn));
  wire.deliver(reborn, only(wire.outbox(wire.b)));
  wire.deliver(wire.b, wire.seal(reborn, "anew").value());
  wire.deliver(reborn, wire.seal(wire.b, "answer").value());
  EXPECT_EQ(wire.b.heard, std::vector<std::string>{"anew"});
  EXPECT_EQ(reborn.heard, std::vector<std::string>{"answer"});
}

}  // namespace
}  // namespace vpntun::wg
