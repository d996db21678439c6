#include "wg/noise.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

namespace vpntun::wg {
namespace {

crypto::Bytes bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The state of both sides before the first message: the responder's static key is known.
SymmetricState begin(const crypto::PublicKey& responder) noexcept {
  static const SymmetricState nothing_said("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s",
                                           bytes_of("WireGuard v1 zx2c4 Jason@zx2c4.com"));
  SymmetricState state = nothing_said;
  state.mix_hash(responder.bytes);
  return state;
}

// Token e, as handshakes with a preshared key have it.
void mix_ephemeral(SymmetricState& state, const crypto::PublicKey& ephemeral) noexcept {
  state.mix_hash(ephemeral.bytes);
  state.mix_key(ephemeral.bytes);
}

// Tokens ee, es, se. False: the public key is a low-order point.
bool mix_shared(SymmetricState& state, const crypto::SecretKey& ours,
                const crypto::PublicKey& theirs) noexcept {
  std::array<std::uint8_t, crypto::kKeySize> shared;
  if (!crypto::x25519(shared, ours, theirs)) return false;
  state.mix_key(shared);
  crypto::wipe(shared);
  return true;
}

// text, with room for the tag behind it.
template <std::size_t Size>
void seal_into(std::array<std::uint8_t, Size>& out, crypto::Bytes text,
               SymmetricState& state) noexcept {
  std::ranges::copy(text, out.begin());
  state.seal(out);
}

}  // namespace

Identity identity_of(const crypto::SecretKey& private_key) noexcept {
  return {private_key, crypto::public_key_of(private_key)};
}

std::optional<Pairing> pair_with(const Identity& own, const crypto::PublicKey& remote,
                                 const std::optional<crypto::SecretKey>& preshared) noexcept {
  std::array<std::uint8_t, crypto::kKeySize> shared;
  if (!crypto::x25519(shared, own.private_key, remote)) return std::nullopt;
  std::optional<Pairing> pairing(
      Pairing{remote, crypto::SecretKey(shared), preshared.value_or(crypto::SecretKey())});
  crypto::wipe(shared);
  return pairing;
}

std::optional<Initiated> initiate(const Identity& own, const Pairing& peer,
                                  const crypto::SecretKey& ephemeral, std::uint32_t index,
                                  const Timestamp& timestamp) noexcept {
  std::optional<Initiated> made(std::in_place);
  Initiation& message = made->message;
  SymmetricState& state = made->state.symmetric;
  message.sender = made->state.local_index = index;
  message.ephemeral = crypto::public_key_of(ephemeral);
  made->state.ephemeral = ephemeral;

  state = begin(peer.remote);
  mix_ephemeral(state, message.ephemeral);
  if (!mix_shared(state, ephemeral, peer.remote)) return std::nullopt;
  seal_into(message.sealed_static, own.public_key.bytes, state);
  state.mix_key(peer.precomputed.expose());
  seal_into(message.sealed_timestamp, timestamp, state);
  return made;
}

std::optional<Claimed> read_claim(const Identity& own, const Initiation& message) noexcept {
  std::optional<Claimed> claim(std::in_place);
  SymmetricState& state = claim->state.symmetric;
  claim->state.remote_ephemeral = message.ephemeral;
  claim->state.remote_index = message.sender;

  state = begin(own.public_key);
  mix_ephemeral(state, message.ephemeral);
  if (!mix_shared(state, own.private_key, message.ephemeral)) return std::nullopt;
  auto remote = message.sealed_static;
  if (!state.open(remote)) return std::nullopt;
  std::copy_n(remote.begin(), crypto::kKeySize, claim->remote.bytes.begin());
  return claim;
}

std::optional<Received> read_initiation(const Claimed& claim, const Pairing& peer,
                                        const Initiation& message) noexcept {
  std::optional<Received> received(std::in_place);
  received->state = claim.state;
  SymmetricState& state = received->state.symmetric;
  state.mix_key(peer.precomputed.expose());
  auto timestamp = message.sealed_timestamp;
  if (!state.open(timestamp)) return std::nullopt;
  std::copy_n(timestamp.begin(), kTimestampSize, received->timestamp.begin());
  return received;
}

std::optional<Responded> respond(const HandshakeState& handshake, const Pairing& peer,
                                 const crypto::SecretKey& ephemeral, std::uint32_t index) noexcept {
  std::optional<Responded> made(std::in_place);
  Response& message = made->message;
  message.sender = index;
  message.receiver = handshake.remote_index;
  message.ephemeral = crypto::public_key_of(ephemeral);

  SymmetricState state = handshake.symmetric;
  mix_ephemeral(state, message.ephemeral);
  if (!mix_shared(state, ephemeral, handshake.remote_ephemeral) ||
      !mix_shared(state, ephemeral, peer.remote))
    return std::nullopt;
  state.mix_key_and_hash(peer.preshared.expose());
  seal_into(message.sealed_nothing, {}, state);
  std::tie(made->keys.receive, made->keys.send) = state.split();
  return made;
}

std::optional<TransportKeys> finish(const HandshakeState& handshake, const Identity& own,
                                    const Pairing& peer, const Response& message) noexcept {
  SymmetricState state = handshake.symmetric;
  mix_ephemeral(state, message.ephemeral);
  if (!mix_shared(state, handshake.ephemeral, message.ephemeral) ||
      !mix_shared(state, own.private_key, message.ephemeral))
    return std::nullopt;
  state.mix_key_and_hash(peer.preshared.expose());
  auto nothing = message.sealed_nothing;
  if (!state.open(nothing)) return std::nullopt;
  std::optional<TransportKeys> keys(std::in_place);
  std::tie(keys->send, keys->receive) = state.split();
  return keys;
}

}  // namespace vpntun::wg
