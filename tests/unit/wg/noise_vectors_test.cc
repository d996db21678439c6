// The published Noise vectors. They have prologues and payloads that WireGuard has not, so a small
// driver speaks them, over the SymmetricState and primitives of the protocol; golden_test.cc and
// the last test here hold noise.cc itself against them.
#include "vectors/vectors.h"
#include "wg_adapter/noise_driver.h"

namespace vpntun::wg {
namespace {

using vectors::hex;
using vectors::Json;
using vectors::Octets;
using vectors::public_of;
using vectors::secret_of;
using vectors::to_hex;
using Role = NoiseDriver::Role;

std::optional<crypto::SecretKey> preshared_of(const Json& vector, const char* key) {
  if (!vector.contains(key) || vector.at(key).empty()) return std::nullopt;
  return secret_of(vector.at(key).at(0));
}

TEST(NoiseVectors, EveryMessageAndHash) {
  const Json vectors = vectors::load("noise_ikpsk2_25519_chachapoly_blake2s.json").at("vectors");
  ASSERT_EQ(vectors.size(), 3u);
  std::size_t messages = 0;
  for (const Json& vector : vectors) {
    SCOPED_TRACE(vector.at("protocol_name"));
    const crypto::PublicKey responder_key = public_of(vector.at("init_remote_static"));
    EXPECT_EQ(crypto::public_key_of(secret_of(vector.at("resp_static"))), responder_key);
    NoiseDriver initiator(
        Role::kInitiator, hex(vector.at("init_prologue")), secret_of(vector.at("init_static")),
        secret_of(vector.at("init_ephemeral")), responder_key, preshared_of(vector, "init_psks"));
    NoiseDriver responder(
        Role::kResponder, hex(vector.at("resp_prologue")), secret_of(vector.at("resp_static")),
        secret_of(vector.at("resp_ephemeral")), responder_key, preshared_of(vector, "resp_psks"));
    NoiseDriver* speaker = &initiator;
    NoiseDriver* listener = &responder;
    for (const Json& message : vector.at("messages")) {
      const Octets payload = hex(message.at("payload"));
      const auto said = speaker->say(payload);
      ASSERT_TRUE(said);
      EXPECT_EQ(to_hex(*said), message.at("ciphertext"));
      EXPECT_EQ(listener->hear(*said), payload);
      std::swap(speaker, listener);
      ++messages;
      if (messages % 2 == 1) continue;
      EXPECT_EQ(to_hex(initiator.handshake_hash()), to_hex(responder.handshake_hash()));
      if (vector.contains("handshake_hash")) {
        EXPECT_EQ(to_hex(speaker->handshake_hash()), vector.at("handshake_hash"));
      }
    }
  }
  EXPECT_EQ(messages, 16u);
}

// What holds the driver and the protocol together: WireGuard's first two messages are Noise's, with
// the identifier as prologue and the timestamp as payload.
TEST(NoiseVectors, DriverAndProtocolSayTheSame) {
  const std::string_view identifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";
  const Octets prologue(identifier.begin(), identifier.end());
  const Identity us = identity_of(crypto::SecretKey::generate_private());
  const Identity them = identity_of(crypto::SecretKey::generate_private());
  const crypto::SecretKey preshared = crypto::SecretKey::generate_preshared();
  const crypto::SecretKey e1 = crypto::SecretKey::generate_private();
  const crypto::SecretKey e2 = crypto::SecretKey::generate_private();
  NoiseDriver initiator(Role::kInitiator, prologue, us.private_key, e1, them.public_key, preshared);
  NoiseDriver responder(Role::kResponder, prologue, them.private_key, e2, them.public_key,
                        preshared);
  const Timestamp timestamp{1, 2, 3};

  const auto initiated =
      initiate(us, pair_with(us, them.public_key, preshared).value(), e1, 1, timestamp);
  ASSERT_TRUE(initiated);
  const auto first = initiator.say({timestamp.begin(), timestamp.end()});
  ASSERT_TRUE(first);
  const auto message = write(initiated->message);
  EXPECT_EQ(to_hex(*first), to_hex(Bytes(message).subspan(8, 108)));

  ASSERT_TRUE(responder.hear(*first));
  const Pairing pairing = pair_with(them, us.public_key, preshared).value();
  const auto claim = read_claim(them, initiated->message);
  ASSERT_TRUE(claim);
  const auto received = read_initiation(*claim, pairing, initiated->message);
  ASSERT_TRUE(received);
  const auto responded = respond(received->state, pairing, e2, 2);
  ASSERT_TRUE(responded);
  const auto second = responder.say({});
  ASSERT_TRUE(second);
  EXPECT_EQ(to_hex(*second), to_hex(Bytes(write(responded->message)).subspan(12, 48)));

  ASSERT_TRUE(initiator.hear(*second));
  Octets text = {'h', 'e', 'l', 'l', 'o'};
  Octets sealed = initiator.say(text).value();
  ASSERT_TRUE(crypto::aead_open(responded->keys.receive.expose(), crypto::nonce_of(0), {}, sealed));
}

}  // namespace
}  // namespace vpntun::wg
