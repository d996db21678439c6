// Handshakes and traffic of the Linux kernel's implementation, captured with every key known: what
// it sent is made again byte for byte, and read.
#include "base/wire.h"
#include "vectors/vectors.h"
#include "wg/macs.h"
#include "wg/noise.h"

namespace vpntun::wg {
namespace {

using vectors::array_of;
using vectors::hex;
using vectors::Json;
using vectors::Octets;
using vectors::public_of;
using vectors::secret_of;
using vectors::to_hex;

class Golden : public testing::TestWithParam<std::size_t> {
 protected:
  Json golden_ = vectors::load("wg_golden_handshakes.json").at("handshakes").at(GetParam());
  Identity initiator_ = identity_of(secret_of(golden_.at("initiator_static_private")));
  Identity responder_ = identity_of(secret_of(golden_.at("responder_static_private")));
  crypto::SecretKey preshared_ = secret_of(golden_.at("preshared_key"));
  Pairing to_responder_ = pair_with(initiator_, responder_.public_key, preshared_).value();
  Pairing to_initiator_ = pair_with(responder_, initiator_.public_key, preshared_).value();
  Octets initiation_ = hex(golden_.at("init_msg"));
  Octets response_ = hex(golden_.at("resp_msg"));

  Initiated initiated() {
    return initiate(initiator_, to_responder_, secret_of(golden_.at("initiator_ephemeral_private")),
                    golden_.at("initiator_index"),
                    array_of<kTimestampSize>(hex(golden_.at("timestamp"))))
        .value();
  }
  Responded responded() {
    const Initiation message = read_initiation(Bytes(initiation_));
    const Claimed claim = read_claim(responder_, message).value();
    EXPECT_EQ(claim.remote, initiator_.public_key);
    const Received received = read_initiation(claim, to_initiator_, message).value();
    EXPECT_EQ(to_hex(received.timestamp), golden_.at("timestamp"));
    return respond(received.state, to_initiator_,
                   secret_of(golden_.at("responder_ephemeral_private")),
                   golden_.at("responder_index"))
        .value();
  }
  TransportKeys finished() {
    return finish(initiated().state, initiator_, to_responder_, read_response(Bytes(response_)))
        .value();
  }
};

TEST_P(Golden, InitiationIsMadeByteForByte) {
  auto made = write(initiated().message);
  CookieJar(responder_.public_key).seal(made, Instant{});
  EXPECT_EQ(to_hex(made), golden_.at("init_msg"));
}

TEST_P(Golden, ResponseIsMadeByteForByte) {
  auto made = write(responded().message);
  CookieJar(initiator_.public_key).seal(made, Instant{});
  EXPECT_EQ(to_hex(made), golden_.at("resp_msg"));
}

TEST_P(Golden, Mac1OfTheKernelHolds) {
  const Random none = [](MutableBytes) { FAIL() << "chance has no part in mac1"; };
  EXPECT_TRUE(MacChecker(responder_.public_key, none).mac1_holds(initiation_));
  EXPECT_TRUE(MacChecker(initiator_.public_key, none).mac1_holds(response_));
  EXPECT_FALSE(MacChecker(initiator_.public_key, none).mac1_holds(initiation_));
  EXPECT_FALSE(MacChecker(responder_.public_key, none).mac1_holds(response_));
}

TEST_P(Golden, BothSidesHaveTheKernelsKeys) {
  {
    const TransportKeys keys = finished();
    EXPECT_EQ(to_hex(keys.send.expose()), golden_.at("initiator_send_key"));
    EXPECT_EQ(to_hex(keys.receive.expose()), golden_.at("initiator_recv_key"));
  }
  const TransportKeys keys = responded().keys;
  EXPECT_EQ(to_hex(keys.receive.expose()), golden_.at("initiator_send_key"));
  EXPECT_EQ(to_hex(keys.send.expose()), golden_.at("initiator_recv_key"));
}

TEST_P(Golden, EveryPacketIsOpenedAndMadeAgain) {
  const TransportKeys keys = finished();
  for (const Json& packet : golden_.at("data")) {
    SCOPED_TRACE(packet.at("frame").dump());
    const Octets sent = hex(packet.at("message"));
    ASSERT_EQ(type_of(sent), MessageType::kData);
    const DataHeader header = read_data_header(sent);
    const bool of_initiator = packet.at("sender") == "initiator";
    EXPECT_EQ(header.counter, packet.at("counter"));
    EXPECT_EQ(header.receiver, golden_.at(of_initiator ? "responder_index" : "initiator_index"));

    const auto key = (of_initiator ? keys.send : keys.receive).expose();
    Octets bytes = sent;
    const MutableBytes payload = MutableBytes(bytes).subspan(kDataHeaderSize);
    ASSERT_TRUE(crypto::aead_open(key, crypto::nonce_of(header.counter), {}, payload));
    EXPECT_EQ(to_hex(payload.first(payload.size() - crypto::kTagSize)),
              packet.at("plaintext_padded"));

    write(header, bytes);
    crypto::aead_seal(key, crypto::nonce_of(header.counter), {}, payload);
    EXPECT_EQ(bytes, sent);
  }
}

TEST_P(Golden, EveryFlippedBitOfAPacketIsNoticed) {
  const TransportKeys keys = finished();
  for (const Json& packet : golden_.at("data")) {
    const Octets sent = hex(packet.at("message"));
    const auto key = (packet.at("sender") == "initiator" ? keys.send : keys.receive).expose();
    for (std::size_t bit = 8 * 8; bit < sent.size() * 8; ++bit) {  // from the counter on
      Octets bytes = sent;
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
      const auto nonce = crypto::nonce_of(read_data_header(bytes).counter);
      ASSERT_FALSE(crypto::aead_open(key, nonce, {}, MutableBytes(bytes).subspan(kDataHeaderSize)))
          << packet.at("frame") << " bit " << bit;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernel, Golden, testing::Range<std::size_t>(0, 4));

TEST(GoldenData, IsAllThere) {
  const Json handshakes = vectors::load("wg_golden_handshakes.json").at("handshakes");
  ASSERT_EQ(handshakes.size(), 4u);
  EXPECT_EQ(handshakes[0].at("data").size(), 11u);
  EXPECT_EQ(handshakes[1].at("data").size(), 7u);
  EXPECT_EQ(handshakes[2].at("data").size(), 0u);
}

}  // namespace
}  // namespace vpntun::wg
