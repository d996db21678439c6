// The handshake between two sides: that it agrees, and everything that it refuses.
#include "wg/noise.h"

#include "vectors/low_order_points.h"
#include "vectors/vectors.h"

namespace vpntun::wg {
namespace {

using crypto::SecretKey;
using vectors::Octets;

Octets text(std::string_view characters) {
  return Octets(characters.begin(), characters.end());
}

struct Side {
  Identity identity = identity_of(SecretKey::generate_private());

  Pairing with(const Side& other, const std::optional<SecretKey>& preshared = {}) const {
    return pair_with(identity, other.identity.public_key, preshared).value();
  }
};

class Noise : public testing::Test {
 protected:
  Side us_;
  Side them_;
  Timestamp timestamp_{0x40, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0};

  Initiated initiated(const std::optional<SecretKey>& preshared = {}) {
    return initiate(us_.identity, us_.with(them_, preshared), SecretKey::generate_private(), 0x11,
                    timestamp_)
        .value();
  }
  std::optional<Received> received(const Initiation& message) {
    const auto claim = read_claim(them_.identity, message);
    if (!claim) return std::nullopt;
    return read_initiation(*claim, them_.with(us_), message);
  }
  Responded responded(const Initiation& message, const std::optional<SecretKey>& preshared = {}) {
    return respond(received(message).value().state, them_.with(us_, preshared),
                   SecretKey::generate_private(), 0x22)
        .value();
  }
  std::optional<TransportKeys> finished(const Initiated& begun, const Response& message,
                                        const std::optional<SecretKey>& preshared = {}) {
    return finish(begun.state, us_.identity, us_.with(them_, preshared), message);
  }
  // Whether both come to the same keys with these preshared ones.
  bool agree(const std::optional<SecretKey>& ours, const std::optional<SecretKey>& theirs) {
    const Initiated begun = initiated(ours);
    const Responded answer = responded(begun.message, theirs);
    const auto keys = finished(begun, answer.message, ours);
    return keys && keys->send == answer.keys.receive && keys->receive == answer.keys.send;
  }
};

TEST_F(Noise, BothSidesAgree) {
  const Initiated begun = initiated();
  EXPECT_EQ(begun.message.sender, 0x11u);
  EXPECT_EQ(begun.state.local_index, 0x11u);

  const auto claim = read_claim(them_.identity, begun.message);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->remote, us_.identity.public_key);
  const auto read = read_initiation(*claim, them_.with(us_), begun.message);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->timestamp, timestamp_);
  EXPECT_EQ(read->state.remote_index, 0x11u);

  const Responded answer = responded(begun.message);
  EXPECT_EQ(answer.message.sender, 0x22u);
  EXPECT_EQ(answer.message.receiver, 0x11u);
  const auto keys = finished(begun, answer.message);
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->send, answer.keys.receive);
  EXPECT_EQ(keys->receive, answer.keys.send);
  EXPECT_FALSE(keys->send == keys->receive);
  EXPECT_FALSE(keys->send.is_zero());
}

TEST_F(Noise, EveryHandshakeHasItsOwnKeys) {
  const Initiated begun = initiated();
  const Responded one = responded(begun.message);
  const Responded other = responded(begun.message);  // another ephemeral of the responder
  EXPECT_FALSE(one.keys.send == other.keys.send);
  const Initiated again = initiated();
  EXPECT_NE(begun.message.ephemeral, again.message.ephemeral);
  EXPECT_NE(begun.message.sealed_static, again.message.sealed_static);
  EXPECT_FALSE(finished(again, one.message));
}

TEST_F(Noise, PresharedKeyMustBeTheSame) {
  const SecretKey preshared = SecretKey::generate_preshared();
  EXPECT_TRUE(agree(preshared, preshared));
  EXPECT_FALSE(agree(preshared, SecretKey::generate_preshared()));
  EXPECT_FALSE(agree(preshared, std::nullopt));
  EXPECT_FALSE(agree(std::nullopt, preshared));
}

TEST_F(Noise, AllZeroPresharedKeyIsNone) {
  EXPECT_TRUE(agree(std::nullopt, std::nullopt));
  EXPECT_TRUE(agree(SecretKey(), std::nullopt));
  EXPECT_TRUE(agree(std::nullopt, SecretKey()));
}

TEST_F(Noise, ResponderWithAnotherKeyReadsNothing) {
  const Side other;
  EXPECT_FALSE(read_claim(other.identity, initiated().message));
}

TEST_F(Noise, ClaimOfSomeoneElseIsNotBelieved) {
  // Whoever knows our public key can say to be anybody; it takes the private key to prove it.
  const Side liar;
  Identity claimed{liar.identity.private_key, us_.identity.public_key};
  const auto forged =
      initiate(claimed, liar.with(them_), SecretKey::generate_private(), 1, timestamp_);
  ASSERT_TRUE(forged);
  const auto claim = read_claim(them_.identity, forged->message);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->remote, us_.identity.public_key);
  EXPECT_FALSE(read_initiation(*claim, them_.with(us_), forged->message));
}

TEST_F(Noise, EveryFlippedBitOfAnInitiationIsNoticed) {
  const auto bytes = write(initiated().message);
  const std::size_t authenticated_end = kInitiationSize - kMacsSize;  // from there on: macs.h
  for (std::size_t bit = 8 * 8; bit < authenticated_end * 8; ++bit) {
    auto other = bytes;
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    ASSERT_FALSE(received(wg::read_initiation(Bytes(other)))) << bit;
  }
  EXPECT_TRUE(received(wg::read_initiation(Bytes(bytes))));
}

TEST_F(Noise, EveryFlippedBitOfAResponseIsNoticedAndTheStateStillWaits) {
  const Initiated begun = initiated();
  const Responded answer = responded(begun.message);
  const auto bytes = write(answer.message);
  const std::size_t authenticated_end = kResponseSize - kMacsSize;
  for (std::size_t bit = 12 * 8; bit < authenticated_end * 8; ++bit) {
    auto other = bytes;
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    ASSERT_FALSE(finished(begun, read_response(other))) << bit;
  }
  EXPECT_TRUE(finished(begun, answer.message));
}

TEST_F(Noise, ResponseToAnotherInitiationIsRefused) {
  const Initiated begun = initiated();
  const Initiated other = initiated();
  EXPECT_FALSE(finished(begun, responded(other.message).message));
}

TEST_F(Noise, ResponseOfSomeoneElseIsRefused) {
  // Knows everything that was on the wire, and the responder's public key.
  const Initiated begun = initiated();
  const auto read = received(begun.message);
  ASSERT_TRUE(read);
  const Side other;
  const auto answer = respond(read->state, other.with(other), SecretKey::generate_private(), 0x22);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(finished(begun, answer->message));
}

TEST_F(Noise, LowOrderPointsAreNoPeers) {
  for (const crypto::PublicKey& point : vectors::low_order_points())
    EXPECT_FALSE(pair_with(us_.identity, point, std::nullopt)) << point.to_string();
}

TEST_F(Noise, LowOrderEphemeralsAreRefused) {
  for (const crypto::PublicKey& point : vectors::low_order_points()) {
    Initiation initiation = initiated().message;
    initiation.ephemeral = point;
    EXPECT_FALSE(read_claim(them_.identity, initiation)) << point.to_string();

    const Initiated begun = initiated();
    Response response = responded(begun.message).message;
    response.ephemeral = point;
    EXPECT_FALSE(finished(begun, response)) << point.to_string();

    HandshakeState state = received(begun.message)->state;
    state.remote_ephemeral = point;
    EXPECT_FALSE(respond(state, them_.with(us_), SecretKey::generate_private(), 1));
  }
}

// With a low-order ephemeral every secret of the first message but the static one is known to
// anybody: without the check the claim would be read.
TEST_F(Noise, InitiationMadeForALowOrderEphemeralIsRefused) {
  for (const crypto::PublicKey& point : vectors::low_order_points()) {
    SymmetricState state("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s",
                         text("WireGuard v1 zx2c4 Jason@zx2c4.com"));
    state.mix_hash(them_.identity.public_key.bytes);
    state.mix_hash(point.bytes);
    state.mix_key(point.bytes);
    state.mix_key(crypto::Hash{});
    Initiation message;
    message.ephemeral = point;
    std::ranges::copy(us_.identity.public_key.bytes, message.sealed_static.begin());
    state.seal(message.sealed_static);
    EXPECT_FALSE(read_claim(them_.identity, message)) << point.to_string();
  }
}

TEST_F(Noise, PairingIsTheSameFromBothSides) {
  EXPECT_EQ(us_.with(them_).precomputed, them_.with(us_).precomputed);
  EXPECT_TRUE(us_.with(them_).preshared.is_zero());
  EXPECT_EQ(us_.with(them_).remote, them_.identity.public_key);
}

TEST_F(Noise, AStateLeavesNothingWhereItWas) {
  alignas(HandshakeState) std::array<std::uint8_t, sizeof(HandshakeState)> place{};
  auto* state = new (place.data()) HandshakeState(initiated().state);
  const SecretKey ephemeral = state->ephemeral;
  const Octets hash(state->symmetric.hash().begin(), state->symmetric.hash().end());
  const auto holds = [&](Bytes secret) {
    const volatile std::uint8_t* bytes = place.data();
    const Octets all(bytes, bytes + place.size());
    return !std::ranges::search(all, secret).empty();
  };
  EXPECT_TRUE(holds(ephemeral.expose()));
  EXPECT_TRUE(holds(hash));
  std::destroy_at(state);
  EXPECT_FALSE(holds(ephemeral.expose()));
  EXPECT_FALSE(holds(hash));
}

}  // namespace
}  // namespace vpntun::wg
