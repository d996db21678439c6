// Device against what is hostile: floods, forgeries, replays. Nothing is accepted, nothing grows,
// and each refusal says why.
#include <gtest/gtest.h>

#include "allocations.h"
#include "two_devices.h"

namespace vpntun::wg {
namespace {

using Kind = Arrival::Kind;

class DeviceGuard : public testing::Test {
 protected:
  // An initiation of nobody, but with b's mac1: whoever knows the public key can make it.
  Datagram forged_initiation() {
    Datagram bytes(kInitiationSize);
    chance_(bytes);
    bytes[0] = 1;
    bytes[1] = bytes[2] = bytes[3] = 0;
    CookieJar(wire.b.public_key).seal(bytes, wire.now);
    return bytes;
  }
  Endpoint source(unsigned number) {
    return {IpAddress::v4(198, 51, static_cast<std::uint8_t>(number >> 8),
                          static_cast<std::uint8_t>(number)),
            1234, 0};
  }
  void overload() {
    while (!wire.b.device.under_load(wire.now)) {
      wire.b.device.receive(flood_, source(1), wire.now);
      while (wire.b.device.poll_transmit(wire.now)) {
      }
    }
  }
  Datagram initiation_of_a() {
    wire.a.device.wish_handshake(wire.a.peer, wire.now);
    return wire.outbox(wire.a).at(0);
  }

  TwoDevices wire;

 private:
  Random chance_ = seeded(5);
  Datagram flood_ = forged_initiation();
};

TEST_F(DeviceGuard, ItIsUnderLoadFromMoreThan512HandshakesInASecondOnAndStaysSoForASecond) {
  Datagram initiation = forged_initiation();
  for (int i = 0; i < 512; ++i) wire.b.device.receive(initiation, source(1), wire.now);
  EXPECT_FALSE(wire.b.device.under_load(wire.now));
  wire.b.device.receive(initiation, source(1), wire.now);
  EXPECT_TRUE(wire.b.device.under_load(wire.now));
  EXPECT_TRUE(wire.b.device.under_load(wire.now + 1s - 1ns));
  EXPECT_FALSE(wire.b.device.under_load(wire.now + 1s));
}

TEST_F(DeviceGuard, OtherDatagramsAreNoLoad) {
  Datagram initiation = forged_initiation();
  initiation[140] ^= 1;  // no mac2 is looked at, and
  initiation[120] ^= 1;  // mac1 is wrong
  for (int i = 0; i < 2000; ++i) wire.b.device.receive(initiation, source(1), wire.now);
  EXPECT_FALSE(wire.b.device.under_load(wire.now));
}

TEST_F(DeviceGuard, UnderLoadAnInitiationIsAnsweredWithACookieToWhereItCameFrom) {
  overload();
  wire.deliver(wire.b, initiation_of_a());
  EXPECT_EQ(wire.b.arrivals.back().refusal, Refusal::kCookieRequired);
  const auto cookie = wire.b.device.poll_transmit(wire.now);
  ASSERT_TRUE(cookie);
  EXPECT_EQ(cookie->answer, wire.a.address);
  EXPECT_EQ(cookie->size, kCookieReplySize);
  EXPECT_EQ(type_of(cookie->datagram()), MessageType::kCookieReply);
}

TEST_F(DeviceGuard, UnderLoadTheFirstAnswerToAnInitiationIsTakenWithoutCookie) {
  overload();
  wire.b.device.wish_handshake(wire.b.peer, wire.now);
  wire.deliver(wire.a, wire.outbox(wire.b).at(0));
  EXPECT_EQ(wire.deliver(wire.b, wire.outbox(wire.a).at(0)).kind, Kind::kHandshake);
}

TEST_F(DeviceGuard, UnderLoadASecondAnswerNeedsACookie) {
  overload();
  wire.b.device.wish_handshake(wire.b.peer, wire.now);
  wire.deliver(wire.a, wire.outbox(wire.b).at(0));
  const Datagram response = wire.outbox(wire.a).at(0);
  Datagram forged = response;
  forged[20] ^= 1;
  CookieJar(wire.b.public_key).seal(forged, wire.now);
  EXPECT_EQ(wire.deliver(wire.b, forged).refusal, Refusal::kNotAuthentic);
  EXPECT_EQ(wire.deliver(wire.b, response).refusal, Refusal::kCookieRequired);
}

TEST_F(DeviceGuard, WhatWasNotFetchedYetIsDueAtOnce) {
  overload();
  Datagram initiation = initiation_of_a();
  EXPECT_GT(wire.b.device.next_deadline(), wire.now);
  wire.b.device.receive(initiation, wire.a.address, wire.now);
  EXPECT_LE(wire.b.device.next_deadline(), wire.now);
  EXPECT_TRUE(wire.b.device.poll_transmit(wire.now));
  EXPECT_GT(wire.b.device.next_deadline(), wire.now);
}

TEST_F(DeviceGuard, ACookieTriggersNothingAndTheNextAttemptCarriesIt) {
  overload();
  wire.deliver(wire.b, initiation_of_a());
  const Datagram cookie = wire.outbox(wire.b).at(0);
  const Arrival arrival = wire.deliver(wire.a, cookie);
  EXPECT_EQ(arrival.kind, Kind::kCookie);
  EXPECT_FALSE(arrival.moves_peer());
  EXPECT_TRUE(wire.outbox(wire.a).empty());
  EXPECT_EQ(wire.deliver(wire.a, cookie).refusal, Refusal::kNotAuthentic) << "taken once";

  wire.now += 5s + 334ms;
  overload();
  wire.settle();
  EXPECT_TRUE(wire.say(wire.a, "x"));
  EXPECT_EQ(wire.b.heard, std::vector<std::string>{"x"});
  EXPECT_TRUE(wire.b.device.under_load(wire.now));
}

TEST_F(DeviceGuard, ACookieOfAnotherAddressIsWorthNothing) {
  overload();
  wire.deliver(wire.b, initiation_of_a());
  wire.deliver(wire.a, wire.outbox(wire.b).at(0));
  wire.now += 5s + 334ms;
  overload();
  Datagram initiation = wire.outbox(wire.a).at(0);
  EXPECT_EQ(wire.deliver(wire.b, initiation, source(7)).refusal, Refusal::kCookieRequired);
  EXPECT_EQ(wire.deliver(wire.b, initiation).kind, Kind::kHandshake);
}

TEST_F(DeviceGuard, UnderLoadASourceMaySpeakFiveTimesAtOnceAndTwentyTimesASecond) {
  overload();
  wire.deliver(wire.b, initiation_of_a());
  CookieJar jar(wire.b.public_key);
  Datagram initiation = forged_initiation();
  jar.seal(initiation, wire.now);
  wire.deliver(wire.b, initiation, source(1));
  const auto cookies = wire.outbox(wire.b);
  ASSERT_TRUE(jar.take(read_cookie_reply(cookies.back()), wire.now));
  wire.b.arrivals.clear();
  for (int i = 0; i < 1000; ++i) {  // two seconds
    wire.now += 2ms;
    overload();
    initiation = forged_initiation();
    jar.seal(initiation, wire.now);
    wire.deliver(wire.b, initiation, source(1));
  }
  EXPECT_EQ(wire.b.refusals(Refusal::kNotAuthentic), 44u);
  EXPECT_EQ(wire.b.refusals(Refusal::kRateLimited), 956u);
}

TEST_F(DeviceGuard, UnderLoadARunningSessionGoesOn) {
  wire.connect();
  overload();
  EXPECT_TRUE(wire.say(wire.a, "x"));
  EXPECT_TRUE(wire.say(wire.b, "y"));
  EXPECT_EQ(wire.b.heard, std::vector<std::string>{"x"});
}

// Nobody fetches the answers, and still nothing grows.
TEST_F(DeviceGuard, AFloodOfHandshakesLeavesMemoryBounded) {
  std::vector<Datagram> flood;
  for (int i = 0; i < 64; ++i) flood.push_back(forged_initiation());
  wire.connect();
  const std::size_t before = allocated_bytes();
  std::size_t most = 0;
  for (unsigned i = 0; i < 50'000; ++i) {
    wire.now += 20us;
    const Arrival arrival = wire.b.device.receive(flood[i % 64], source(i), wire.now);
    ASSERT_EQ(arrival.kind, Kind::kRefused);
    most = std::max(most, allocated_bytes() - before);
  }
  EXPECT_LE(most, 128u * 1024);
  std::size_t answers = 0;
  while (wire.b.device.poll_transmit(wire.now)) ++answers;
  EXPECT_LE(answers, 256u);
  EXPECT_FALSE(wire.b.device.poll_event());
  EXPECT_TRUE(wire.say(wire.a, "x"));
}

TEST_F(DeviceGuard, NothingIsAllocatedForWhoDoesNotKnowOurKey) {
  Datagram noise(kInitiationSize, 7);
  noise[0] = 1;
  noise[1] = noise[2] = noise[3] = 0;
  wire.b.device.receive(noise, source(1), wire.now);
  const std::size_t before = allocations();
  for (unsigned i = 0; i < 10'000; ++i) {
    noise[8] = static_cast<std::uint8_t>(i);
    noise[0] = static_cast<std::uint8_t>(i % 4 + 1);
    wire.b.device.receive(MutableBytes(noise).first(i % kInitiationSize), source(i), wire.now);
  }
  EXPECT_EQ(allocations(), before);
}

TEST_F(DeviceGuard, DataIsSealedAndOpenedWithoutAnAllocation) {
  wire.connect();
  std::array<std::uint8_t, kDataOverhead + 1420 + kPadding> room{};
  const auto pass = [&] {
    wire.now += 1ms;
    const MutableBytes payload = MutableBytes(room).subspan(kDataHeaderSize, 1400);
    auto sealing = wire.a.device.seal(wire.a.peer, payload, 1420, wire.now).value();
    sealing.finish();
    return wire.b.device.receive(sealing.datagram(), wire.a.address, wire.now).kind;
  };
  ASSERT_EQ(pass(), Kind::kData);
  const std::size_t before = allocations();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(pass(), Kind::kData);
  EXPECT_EQ(allocations(), before);
}

TEST_F(DeviceGuard, DataIsTakenOnce) {
  wire.connect();
  const auto first = wire.seal(wire.a, "x");
  EXPECT_EQ(wire.deliver(wire.b, *first).kind, Kind::kData);
  for (int i = 0; i < 10; ++i) {
    const Arrival again = wire.deliver(wire.b, *first);
    EXPECT_EQ(again.refusal, Refusal::kReplayed);
    EXPECT_EQ(again.peer, wire.b.peer);
    EXPECT_FALSE(again.moves_peer());
  }
  EXPECT_EQ(wire.b.heard.size(), 1u);
}

TEST_F(DeviceGuard, DataMayComeInAnyOrderWithinTheWindowAndNotFromBeforeIt) {
  wire.connect();
  std::vector<Datagram> all;
  for (int i = 0; i < 9000; ++i) all.push_back(wire.seal(wire.a, "x").value());
  EXPECT_EQ(wire.deliver(wire.b, all.back()).kind, Kind::kData);
  EXPECT_EQ(wire.deliver(wire.b, all[9000 - 8000]).kind, Kind::kData);
  EXPECT_EQ(wire.deliver(wire.b, all[0]).refusal, Refusal::kReplayed);
}

// A forgery with the counter of what is still under way must not use the counter up.
TEST_F(DeviceGuard, ACounterIsUsedUpOnlyByWhatIsAuthentic) {
  wire.connect();
  const auto datagram = wire.seal(wire.a, "x");
  Datagram forgery = *datagram;
  forgery.back() ^= 1;
  EXPECT_EQ(wire.deliver(wire.b, forgery).refusal, Refusal::kNotAuthentic);
  Datagram far = *datagram;
  far[12] = 0x7f;  // a counter far ahead must not move the window either
  EXPECT_EQ(wire.deliver(wire.b, far).refusal, Refusal::kNotAuthentic);
  EXPECT_EQ(wire.deliver(wire.b, *datagram).kind, Kind::kData);
}

TEST_F(DeviceGuard, ACounterBeyondTheLimitIsNotLookedAt) {
  wire.connect();
  Datagram datagram = *wire.seal(wire.a, "x");
  std::fill(datagram.begin() + 8, datagram.begin() + 16, std::uint8_t{0xff});
  EXPECT_EQ(wire.deliver(wire.b, datagram).refusal, Refusal::kExpired);
}

TEST_F(DeviceGuard, RefusedDataCountsAsSilence) {
  wire.connect();
  wire.sent.clear();
  wire.say(wire.a, "x");
  Datagram forgery = *wire.seal(wire.b, "y");
  forgery.back() ^= 1;
  wire.passes = nothing_passes;
  for (int i = 0; i < 16; ++i) {
    wire.wait(1s);
    wire.deliver(wire.a, forgery);
  }
  EXPECT_EQ(wire.count(wire.a, MessageType::kInitiation), 1u);
}

// Each type of message, from its sender to a receiver that would take it.
enum class Which { kInitiation, kResponse, kCookieReply, kData, kKeepalive };

class Damaged : public DeviceGuard, public testing::WithParamInterface<Which> {
 protected:
  Damaged() {
    if (GetParam() == Which::kCookieReply) {
      overload();
      wire.deliver(wire.b, initiation_of_a());
      message = wire.outbox(wire.b).at(0);
      return;
    }
    message = initiation_of_a();
    if (GetParam() == Which::kInitiation) {
      to = &wire.b;
      return;
    }
    wire.deliver(wire.b, message);
    message = wire.outbox(wire.b).at(0);
    if (GetParam() == Which::kResponse) return;
    wire.deliver(wire.a, message);
    wire.settle();
    message = wire.seal(wire.b, GetParam() == Which::kData ? "payload" : "").value();
  }
  // Bytes that are not looked at: mac2, where no cookie is asked for.
  std::size_t guarded() const {
    const bool handshake = GetParam() == Which::kInitiation || GetParam() == Which::kResponse;
    return message.size() - (handshake ? crypto::kMacSize : 0);
  }

  Datagram message;
  End* to = &wire.a;
};

TEST_P(Damaged, NothingOfAMessageWithOneBitFlippedIsTaken) {
  for (std::size_t bit = 0; bit < 8 * guarded(); ++bit) {
    wire.now += 3ms;  // not under load by this alone
    Datagram damaged = message;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    ASSERT_EQ(wire.deliver(*to, damaged).kind, Kind::kRefused) << "bit " << bit;
    ASSERT_TRUE(wire.outbox(*to).empty()) << "bit " << bit;
  }
  EXPECT_NE(wire.deliver(*to, message).kind, Kind::kRefused);
}

TEST_P(Damaged, NothingOfAMessageCutShortOrDrawnOutIsTaken) {
  for (std::size_t size = 0; size < 2 * message.size(); ++size) {
    if (size == message.size()) continue;
    wire.now += 3ms;
    Datagram damaged = message;
    damaged.resize(size);
    ASSERT_EQ(wire.deliver(*to, damaged).kind, Kind::kRefused) << size << " bytes";
    ASSERT_TRUE(wire.outbox(*to).empty()) << size << " bytes";
  }
  EXPECT_NE(wire.deliver(*to, message).kind, Kind::kRefused);
}

INSTANTIATE_TEST_SUITE_P(EveryType, Damaged,
                         testing::Values(Which::kInitiation, Which::kResponse, Which::kCookieReply,
                                         Which::kData, Which::kKeepalive));

// What the goal of 10,000 peers under 64 MiB leaves for each.
TEST(DeviceMemory, AnIdlePeerIsCheapAndALiveOneIsNotDear) {
  constexpr unsigned kPeers = 1000;
  std::chrono::nanoseconds wall = 1h;
  const std::size_t before = allocated_bytes();
  End hub(1, wall);
  Instant now(1000s);
  hub.device.set_private_key(hub.key, now);
  std::vector<std::unique_ptr<End>> spokes;
  std::size_t spoke_bytes = 0;
  for (unsigned i = 0; i < kPeers; ++i) {
    const std::size_t so_far = allocated_bytes();
    spokes.push_back(std::make_unique<End>(100 + i, wall));
    spokes.back()->device.set_private_key(spokes.back()->key, now);
    spokes.back()->peer =
        spokes.back()->device.add({.public_key = hub.public_key, .preshared_key = {}}, now);
    spoke_bytes += allocated_bytes() - so_far;
    hub.device.add({.public_key = spokes.back()->public_key, .preshared_key = {}}, now);
  }
  const std::size_t idle = (allocated_bytes() - before - spoke_bytes) / kPeers;
  EXPECT_LE(idle, 1536u);

  const std::size_t so_far = allocated_bytes();
  for (int round = 0; round < 2; ++round) {  // so that there is a previous session too
    now += 6s;
    wall += 6s;
    for (const auto& spoke : spokes) {
      now += 3ms;
      spoke->device.wish_handshake(spoke->peer, now);
      auto initiation = spoke->device.poll_transmit(now);
      hub.device.receive(MutableBytes(initiation->bytes).first(initiation->size), {}, now);
      auto response = hub.device.poll_transmit(now);
      spoke->device.receive(MutableBytes(response->bytes).first(response->size), {}, now);
      auto keepalive = spoke->device.poll_transmit(now);
      ASSERT_TRUE(keepalive);
      hub.device.receive(MutableBytes(keepalive->bytes).first(keepalive->size), {}, now);
    }
  }
  const std::size_t live = (allocated_bytes() - so_far) / kPeers / 2;  // at both ends
  EXPECT_LE(idle + live, 4096u);
  RecordProperty("idle_bytes", static_cast<int>(idle));
  RecordProperty("live_bytes", static_cast<int>(idle + live));
  std::printf("%zu bytes for an idle peer, %zu for a live one\n", idle, idle + live);
}

}  // namespace
}  // namespace vpntun::wg
