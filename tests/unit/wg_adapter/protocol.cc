#include "wg_adapter/protocol.h"

#include "vectors/reference_blake2s.h"
#include "wg/macs.h"
#include "wg/messages.h"
#include "wg/noise.h"
#include "wg/timestamp.h"
#include "wg_adapter/noise_driver.h"

namespace vpntun::adapter {
namespace {

template <typename T>
T need(std::optional<T> value) {
  if (!value) throw Refused("refused");
  return *std::move(value);
}
void need(bool holds) {
  if (!holds) throw Refused("refused");
}

std::string blake2s(Request& request) {
  const auto size = request.number<std::size_t>();
  const Octets key = request.bytes();
  const Octets data = request.bytes();
  need(size >= 1 && size <= 32 && key.size() <= 32);
  if (key.empty() && size == crypto::kHashSize) return word_of(crypto::hash({data}));
  if (key.empty()) return word_of(vectors::reference_blake2s(size, {}, data));
  Octets out(size);
  crypto::keyed_blake2s(out, key, {data});
  return word_of(out);
}

std::string kdf(Request& request) {
  const auto count = request.number<std::size_t>();
  const Octets key = request.bytes();
  const Octets input = request.bytes();
  need(count >= 1 && count <= 255);
  std::vector<crypto::Hash> out(count);
  crypto::kdf(out, key, input);
  std::string words;
  for (const crypto::Hash& one : out) words += (words.empty() ? "" : " ") + word_of(one);
  return words;
}

std::string x25519(Request& request) {
  const crypto::SecretKey ours = request.secret();
  const crypto::PublicKey theirs = request.public_key();
  std::array<std::uint8_t, crypto::kKeySize> shared;
  need(crypto::x25519(shared, ours, theirs));
  return word_of(shared);
}

template <bool Extended>
std::string seal(Request& request) {
  const auto key = request.exactly<crypto::kKeySize>();
  const auto nonce = request.exactly < Extended ? crypto::kXNonceSize : crypto::kNonceSize > ();
  const Octets associated = request.bytes();
  Octets bytes = request.bytes();
  bytes.resize(bytes.size() + crypto::kTagSize);
  if constexpr (Extended)
    crypto::xaead_seal(key, nonce, associated, bytes);
  else
    crypto::aead_seal(key, nonce, associated, bytes);
  return word_of(bytes);
}

template <bool Extended>
std::string open(Request& request) {
  const auto key = request.exactly<crypto::kKeySize>();
  const auto nonce = request.exactly < Extended ? crypto::kXNonceSize : crypto::kNonceSize > ();
  const Octets associated = request.bytes();
  Octets bytes = request.bytes();
  if constexpr (Extended)
    need(crypto::xaead_open(key, nonce, associated, bytes));
  else
    need(crypto::aead_open(key, nonce, associated, bytes));
  bytes.resize(bytes.size() - crypto::kTagSize);
  return word_of(bytes);
}

// Both sides speak; each message must be heard as it was said.
std::string noise(Request& request) {
  using wg::NoiseDriver;
  const std::string& name = request.word();
  const Octets prologue = request.bytes();
  auto preshared = request.preshared();
  need(name == NoiseDriver::kWithPsk || (name == NoiseDriver::kPlain && !preshared));
  if (name == NoiseDriver::kWithPsk && !preshared) preshared.emplace();
  const crypto::SecretKey initiator_static = request.secret();
  const crypto::SecretKey initiator_ephemeral = request.secret();
  const crypto::SecretKey responder_static = request.secret();
  const crypto::SecretKey responder_ephemeral = request.secret();
  const crypto::PublicKey responder_key = crypto::public_key_of(responder_static);
  NoiseDriver initiator(NoiseDriver::Role::kInitiator, prologue, initiator_static,
                        initiator_ephemeral, responder_key, preshared);
  NoiseDriver responder(NoiseDriver::Role::kResponder, prologue, responder_static,
                        responder_ephemeral, responder_key, preshared);
  NoiseDriver* speaker = &initiator;
  NoiseDriver* listener = &responder;
  std::string messages;
  while (request.has_more()) {
    const Octets payload = request.bytes();
    const Octets message = need(speaker->say(payload));
    need(listener->hear(message) == payload);
    messages += " " + word_of(message);
    std::swap(speaker, listener);
  }
  need(initiator.handshake_hash() == responder.handshake_hash());
  return word_of(initiator.handshake_hash()) + messages;
}

// An initiator as wg_init and wg_finish describe it.
struct Initiator {
  wg::Identity own;
  wg::Pairing peer;
  wg::Initiated initiated;

  static Initiator of(Request& request) {
    const wg::Identity own = wg::identity_of(request.secret());
    const crypto::PublicKey remote = request.public_key();
    const wg::Pairing peer = need(wg::pair_with(own, remote, request.preshared()));
    const crypto::SecretKey ephemeral = request.secret();
    const auto index = request.number<std::uint32_t>();
    const auto timestamp = request.exactly<wg::kTimestampSize>();
    return {own, peer, need(wg::initiate(own, peer, ephemeral, index, timestamp))};
  }
};

void require_message(const Octets& bytes, wg::MessageType type, const crypto::PublicKey& receiver) {
  need(wg::type_of(bytes) == type);
  need(wg::MacChecker(receiver, crypto::random_bytes).mac1_holds(bytes));
}

// With mac1, without cookie.
template <typename Message>
std::string finished(const Message& message, const crypto::PublicKey& receiver) {
  auto bytes = wg::write(message);
  wg::CookieJar(receiver).seal(bytes, Instant{});
  return word_of(bytes);
}

std::string wg_init(Request& request) {
  const Initiator initiator = Initiator::of(request);
  return finished(initiator.initiated.message, initiator.peer.remote);
}

std::string wg_resp(Request& request) {
  const wg::Identity own = wg::identity_of(request.secret());
  const auto preshared = request.preshared();
  const crypto::SecretKey ephemeral = request.secret();
  const auto index = request.number<std::uint32_t>();
  const Octets bytes = request.bytes();
  require_message(bytes, wg::MessageType::kInitiation, own.public_key);
  const wg::Initiation message = wg::read_initiation(bytes);
  const wg::Claimed claim = need(wg::read_claim(own, message));
  const wg::Pairing peer = need(wg::pair_with(own, claim.remote, preshared));
  const wg::Received received = need(wg::read_initiation(claim, peer, message));
  const wg::Responded answer = need(wg::respond(received.state, peer, ephemeral, index));
  return finished(answer.message, claim.remote) + " " + word_of(answer.keys.send.expose()) + " " +
         word_of(answer.keys.receive.expose()) + " " + word_of(claim.remote.bytes) + " " +
         word_of(received.timestamp);
}

std::string wg_finish(Request& request) {
  const Initiator initiator = Initiator::of(request);
  const Octets bytes = request.bytes();
  require_message(bytes, wg::MessageType::kResponse, initiator.own.public_key);
  const wg::Response message = wg::read_response(bytes);
  need(message.receiver == initiator.initiated.state.local_index);
  const wg::TransportKeys keys =
      need(wg::finish(initiator.initiated.state, initiator.own, initiator.peer, message));
  return word_of(keys.send.expose()) + " " + word_of(keys.receive.expose());
}

std::string wg_open(Request& request) {
  const auto key = request.exactly<crypto::kKeySize>();
  Octets bytes = request.bytes();
  need(wg::type_of(bytes) == wg::MessageType::kData);
  const wg::DataHeader header = wg::read_data_header(bytes);
  const crypto::MutableBytes payload = crypto::MutableBytes(bytes).subspan(wg::kDataHeaderSize);
  need(crypto::aead_open(key, crypto::nonce_of(header.counter), {}, payload));
  return std::to_string(header.counter) + " " +
         word_of(payload.first(payload.size() - crypto::kTagSize));
}

std::string wg_seal(Request& request) {
  const auto key = request.exactly<crypto::kKeySize>();
  const auto receiver = request.number<std::uint32_t>();
  const auto counter = request.number<std::uint64_t>();
  const Octets text = request.bytes();
  Octets bytes(text.size() + wg::kDataOverhead);
  wg::write(wg::DataHeader{receiver, counter}, bytes);
  std::copy(text.begin(), text.end(), bytes.begin() + wg::kDataHeaderSize);
  crypto::aead_seal(key, crypto::nonce_of(counter), {},
                    crypto::MutableBytes(bytes).subspan(wg::kDataHeaderSize));
  return word_of(bytes);
}

std::string tai64n(Request& request) {
  return word_of(wg::timestamp_of(std::chrono::nanoseconds(request.number<std::int64_t>())));
}

std::string cookie_make(Request& request) {
  const crypto::Hash key = wg::cookie_key_of(request.public_key());
  const auto index = request.number<std::uint32_t>();
  const auto mac1 = request.exactly<crypto::kMacSize>();
  const auto cookie = request.exactly<crypto::kMacSize>();
  const auto nonce = request.exactly<crypto::kXNonceSize>();
  return word_of(wg::write(wg::seal_cookie(key, index, mac1, cookie, nonce)));
}

std::string cookie_open(Request& request) {
  const crypto::Hash key = wg::cookie_key_of(request.public_key());
  const auto mac1 = request.exactly<crypto::kMacSize>();
  const Octets bytes = request.bytes();
  need(wg::type_of(bytes) == wg::MessageType::kCookieReply);
  return word_of(need(wg::open_cookie(key, mac1, wg::read_cookie_reply(bytes))));
}

}  // namespace

std::string word_of(crypto::Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (bytes.empty()) return "-";
  std::string word;
  for (const std::uint8_t byte : bytes) {
    word += kDigits[byte >> 4];
    word += kDigits[byte & 15];
  }
  return word;
}

const std::map<std::string, Stateless>& stateless_verbs() {
  static const std::map<std::string, Stateless> verbs = {
      {"blake2s", blake2s},         {"kdf", kdf},
      {"x25519", x25519},           {"aead_seal", seal<false>},
      {"aead_open", open<false>},   {"xaead_seal", seal<true>},
      {"xaead_open", open<true>},   {"noise", noise},
      {"wg_init", wg_init},         {"wg_resp", wg_resp},
      {"wg_finish", wg_finish},     {"wg_open", wg_open},
      {"wg_seal", wg_seal},         {"tai64n", tai64n},
      {"cookie_make", cookie_make}, {"cookie_open", cookie_open},
  };
  return verbs;
}

}  // namespace vpntun::adapter
