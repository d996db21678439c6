// The key log: what it is told, when, and that nobody is told anything without one.
#include <gtest/gtest.h>

#include "two_devices.h"

namespace vpntun::wg {
namespace {

// A line of the log, kept as only a test may.
struct Told {
  crypto::SecretKey local_static;
  crypto::PublicKey remote_static;
  crypto::SecretKey ephemeral;
  crypto::SecretKey preshared;
};

KeyLog into(std::vector<Told>& told) {
  return [&told](const HandshakeSecrets& secrets) {
    told.push_back(
        {secrets.local_static, secrets.remote_static, secrets.local_ephemeral, secrets.preshared});
  };
}

// The ephemeral public keys that an end sent.
std::vector<crypto::PublicKey> ephemerals(const TwoDevices& wire, const End& from) {
  std::vector<crypto::PublicKey> all;
  for (const Sent& one : wire.sent) {
    if (one.from != &from) continue;
    if (one.type == MessageType::kInitiation) all.push_back(read_initiation(one.bytes).ephemeral);
    if (one.type == MessageType::kResponse) all.push_back(read_response(one.bytes).ephemeral);
  }
  return all;
}

struct KeyLogTest : testing::Test {
  TwoDevices wire;
  std::vector<Told> told;
};

TEST_F(KeyLogTest, InitiatorTellsWhatItsMessageIsMadeFrom) {
  wire.a.device.set_key_log(into(told), wire.now);
  wire.connect();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].local_static, wire.a.key);
  EXPECT_EQ(told[0].remote_static, wire.b.public_key);
  EXPECT_EQ(crypto::public_key_of(told[0].ephemeral), ephemerals(wire, wire.a).at(0));
  EXPECT_TRUE(told[0].preshared.is_zero());
}

TEST_F(KeyLogTest, ResponderTellsWhatItsMessageIsMadeFrom) {
  wire.b.device.set_key_log(into(told), wire.now);
  wire.connect();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].local_static, wire.b.key);
  EXPECT_EQ(told[0].remote_static, wire.a.public_key);
  EXPECT_EQ(crypto::public_key_of(told[0].ephemeral), ephemerals(wire, wire.b).at(0));
}

TEST_F(KeyLogTest, ThePresharedKeyIsTold) {
  PeerSettings settings;
  settings.preshared_key = key_of(77);
  TwoDevices guarded(settings);
  guarded.a.device.set_key_log(into(told), guarded.now);
  guarded.connect();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].preshared, key_of(77));
}

TEST_F(KeyLogTest, AnInitiationIsToldBeforeItIsThere) {
  wire.a.device.set_key_log(into(told), wire.now);
  wire.passes = nothing_passes;
  wire.connect();
  wire.wait(7s);
  ASSERT_EQ(told.size(), 2u);  // a repeated initiation has another key
  EXPECT_EQ(crypto::public_key_of(told[1].ephemeral), ephemerals(wire, wire.a).at(1));
}

TEST_F(KeyLogTest, ASessionFromBeforeIsReplacedAsSoonAsThePeerMayBeAsked) {
  for (End* const end : {&wire.a, &wire.b}) {
    TwoDevices pair;
    told.clear();
    End& logging = end == &wire.a ? pair.a : pair.b;
    pair.connect();
    ASSERT_TRUE(pair.say(pair.a, "before"));
    logging.device.set_key_log(into(told), pair.now);
    ASSERT_TRUE(pair.say(logging, "meanwhile"));
    pair.wait(5s);
    ASSERT_EQ(told.size(), 1u);
    ASSERT_TRUE(pair.say(logging, "after"));
    EXPECT_EQ(pair.count(logging, MessageType::kInitiation), end == &wire.a ? 2u : 1u);
    EXPECT_EQ(pair.other(logging).heard.back(), "after");
    pair.wait(60s);
    EXPECT_EQ(told.size(), 1u);  // once is enough
  }
}

TEST_F(KeyLogTest, ASessionIsReplacedWhoseInitiationWasOnItsWay) {
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  const std::vector<Datagram> begun = wire.outbox(wire.a);
  wire.a.device.set_key_log(into(told), wire.now);
  wire.deliver(wire.b, begun.at(0));
  wire.settle();
  EXPECT_TRUE(told.empty());
  wire.wait(5s);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(KeyLogTest, ASessionIsReplacedThatWasConfirmedOnlyNow) {
  wire.a.device.wish_handshake(wire.a.peer, wire.now);
  wire.deliver(wire.b, wire.outbox(wire.a).at(0));
  const std::vector<Datagram> response = wire.outbox(wire.b);
  wire.b.device.set_key_log(into(told), wire.now);
  wire.deliver(wire.a, response.at(0));
  wire.settle();
  EXPECT_TRUE(told.empty());
  wire.wait(5s);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(KeyLogTest, AnotherLogHasItsOwnSession) {
  wire.a.device.set_key_log(into(told), wire.now);
  wire.connect();
  std::vector<Told> later;
  wire.a.device.set_key_log(into(later), wire.now);
  wire.wait(5s);
  EXPECT_EQ(told.size(), 1u);
  EXPECT_EQ(later.size(), 1u);
}

TEST_F(KeyLogTest, APeerWithoutASessionIsLeftAlone) {
  wire.a.device.set_key_log(into(told), wire.now);
  wire.wait(10min);
  EXPECT_TRUE(told.empty());
  EXPECT_TRUE(wire.sent.empty());
}

TEST_F(KeyLogTest, NothingIsToldOnceThereIsNone) {
  wire.a.device.set_key_log(into(told), wire.now);
  wire.connect();
  wire.a.device.set_key_log({}, wire.now);
  wire.wait(1min);
  EXPECT_EQ(wire.count(wire.a, MessageType::kInitiation), 1u);  // and no session is replaced
  wire.wait(10min);
  wire.connect();
  EXPECT_EQ(wire.count(wire.a, MessageType::kInitiation), 2u);
  EXPECT_EQ(told.size(), 1u);
}

}  // namespace
}  // namespace vpntun::wg
