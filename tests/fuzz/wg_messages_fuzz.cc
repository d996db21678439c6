// A datagram as the WireGuard protocol reads it, up to the handshake's functions and the cipher.
// The keys are those of the captures that the corpus was taken from, so that real messages get all
// the way; mac1 is also put right, so that damaged ones get further than a stranger's would.
#include <cstdlib>
#include <string_view>
#include <vector>

#include "wg/macs.h"
#include "wg/messages.h"
#include "wg/noise.h"
#include "wg/replay_window.h"

namespace vpntun::wg {
namespace {

// Ends the run as a finding.
void require(bool holds) {
  if (!holds) std::abort();
}

crypto::SecretKey key(std::string_view text) {
  return crypto::SecretKey::parse(text).value();
}

// Both ends of a captured handshake, and the initiator's state in the middle of it.
struct Captured {
  Identity initiator = identity_of(key("AKeZaHwBxjiKLFnkY2unvEdOTtg4AL+M9dQXfopFVFk="));
  Identity responder = identity_of(key("cFIxTUyBs1Qil414hBwEgvasEax8CKJ5IS5ZougplWs="));
  Pairing to_responder = pair_with(initiator, responder.public_key, std::nullopt).value();
  Initiated initiated =
      initiate(initiator, to_responder, key("sLGLJSOQfyz7JNJ5ZDzFf3Uz1rkiCMMjbWerNYcPFFU="),
               818952152,
               Timestamp{0x40, 0x00, 0x00, 0x00, 0x5b, 0x52, 0x64, 0x7b, 0x15, 0x40, 0x56, 0x10})
          .value();
  crypto::SecretKey data_key = key("IA7buFUDsARj+YequW4OfQR3JsaE9M88dpXKrDjKzIs=");
  MacChecker checker{responder.public_key, crypto::random_bytes};
};

Captured& captured() {
  static Captured the;
  return the;
}

void take_initiation(const Initiation& message) {
  Captured& the = captured();
  const auto claim = read_claim(the.responder, message);
  if (!claim) return;
  const auto pairing = pair_with(the.responder, claim->remote, std::nullopt);
  if (!pairing) return;
  const auto received = read_initiation(*claim, *pairing, message);
  if (!received) return;
  const auto answer = respond(received->state, *pairing, crypto::SecretKey::generate_private(), 1);
  require(answer && answer->message.receiver == message.sender);
}

void take_response(const Response& message) {
  Captured& the = captured();
  const auto keys = finish(the.initiated.state, the.initiator, the.to_responder, message);
  // Nobody makes another response that is authentic.
  require(!keys || keys->send == the.data_key);
}

void take_handshake(Bytes datagram, MessageType type) {
  Captured& the = captured();
  const Endpoint source{IpAddress::v4(192, 0, 2, 1), 51820};
  the.checker.mac2_holds(datagram, source, Instant{});
  std::vector<std::uint8_t> proven(datagram.begin(), datagram.end());
  CookieJar jar(the.responder.public_key);
  jar.seal(proven, Instant{});
  require(the.checker.mac1_holds(proven));
  require(jar.take(the.checker.reply(proven, source, Instant{}), Instant{}));
  jar.seal(proven, Instant{});
  require(the.checker.mac2_holds(proven, source, Instant{}));
  if (type == MessageType::kInitiation)
    take_initiation(read_initiation(proven));
  else
    take_response(read_response(proven));
}

void take_cookie(const CookieReply& message) {
  Captured& the = captured();
  CookieJar jar(the.responder.public_key);
  auto sent = write(the.initiated.message);
  jar.seal(sent, Instant{});
  require(jar.take(message, Instant{}) == jar.has_cookie(Instant{}));
}

void take_data(Bytes datagram) {
  Captured& the = captured();
  const DataHeader header = read_data_header(datagram);
  std::vector<std::uint8_t> bytes(datagram.begin(), datagram.end());
  const MutableBytes payload = MutableBytes(bytes).subspan(kDataHeaderSize);
  if (crypto::aead_open(the.data_key.expose(), crypto::nonce_of(header.counter), {}, payload))
    crypto::aead_seal(the.data_key.expose(), crypto::nonce_of(header.counter), {}, payload);
  else
    bytes.assign(datagram.begin(), datagram.end());
  write(header, bytes);
  require(crypto::equal(bytes, datagram));
  ReplayWindow window;
  const bool taken = window.take(header.counter, ~std::uint64_t{0});
  require(taken == (header.counter != ~std::uint64_t{0}));
  require(!window.take(header.counter, ~std::uint64_t{0}));
}

void take(Bytes datagram) {
  const auto type = type_of(datagram);
  if (!type) return;
  switch (*type) {
    case MessageType::kInitiation:
      require(crypto::equal(write(read_initiation(datagram)), datagram));
      return take_handshake(datagram, *type);
    case MessageType::kResponse:
      require(crypto::equal(write(read_response(datagram)), datagram));
      return take_handshake(datagram, *type);
    case MessageType::kCookieReply:
      require(crypto::equal(write(read_cookie_reply(datagram)), datagram));
      return take_cookie(read_cookie_reply(datagram));
    case MessageType::kData:
      return take_data(datagram);
  }
}

}  // namespace
}  // namespace vpntun::wg

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vpntun::wg::take({data, size});
  return 0;
}
