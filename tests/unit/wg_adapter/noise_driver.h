// One side of a Noise IK or IKpsk2 session with prologue and payloads, which WireGuard's handshake
// has no room for: a token at a time over the SymmetricState and primitives that the protocol uses.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "crypto/crypto.h"
#include "wg/noise.h"
#include "wg/symmetric_state.h"

namespace vpntun::wg {

class NoiseDriver {
 public:
  using Octets = std::vector<std::uint8_t>;
  static constexpr std::string_view kPlain = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
  static constexpr std::string_view kWithPsk = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
  enum class Role { kInitiator, kResponder };

  // responder: its static public key. preshared: of IKpsk2.
  NoiseDriver(Role role, Bytes prologue, const crypto::SecretKey& own,
              const crypto::SecretKey& ephemeral, const crypto::PublicKey& responder,
              const std::optional<crypto::SecretKey>& preshared)
      : is_initiator_(role == Role::kInitiator),
        own_(own),
        ephemeral_(ephemeral),
        remote_(responder),
        preshared_(preshared),
        state_(preshared ? kWithPsk : kPlain, prologue) {
    state_.mix_hash(responder.bytes);
  }

  // The next message is ours. Nothing: a low-order point.
  std::optional<Octets> say(const Octets& payload) {
    Octets message;
    if (number_ >= kPatterns.size()) return with_transport(payload, true);
    for (const std::string_view token : pattern())
      if (!say_token(token, message)) return std::nullopt;
    append(message, sealed(payload));
    finish_message();
    return message;
  }
  // The next message is theirs. Nothing: not authentic.
  std::optional<Octets> hear(const Octets& message) {
    if (number_ >= kPatterns.size()) return with_transport(message, false);
    Octets rest = message;
    for (const std::string_view token : pattern())
      if (!hear_token(token, rest)) return std::nullopt;
    if (!open(rest)) return std::nullopt;
    finish_message();
    return rest;
  }
  const crypto::Hash& handshake_hash() const { return state_.hash(); }

 private:
  static constexpr std::array<std::array<std::string_view, 4>, 2> kPatterns = {
      {{"e", "es", "s", "ss"}, {"e", "ee", "se", "psk"}}};

  const std::array<std::string_view, 4>& pattern() const { return kPatterns.at(number_); }

  bool say_token(std::string_view token, Octets& message) {
    if (token == "e") {
      const crypto::PublicKey key = crypto::public_key_of(ephemeral_);
      append(message, {key.bytes.begin(), key.bytes.end()});
      mix_ephemeral(key);
      return true;
    }
    if (token == "s") {
      const crypto::PublicKey key = crypto::public_key_of(own_);
      append(message, sealed({key.bytes.begin(), key.bytes.end()}));
      return true;
    }
    return mix_token(token);
  }
  bool hear_token(std::string_view token, Octets& rest) {
    if (token == "e") {
      const auto key = key_of(take(rest, crypto::kKeySize));
      if (!key) return false;
      remote_ephemeral_ = *key;
      mix_ephemeral(*key);
      return true;
    }
    if (token == "s") {
      Octets sealed_key = take(rest, crypto::kKeySize + crypto::kTagSize);
      if (!open(sealed_key)) return false;
      const auto key = key_of(sealed_key);
      if (key) remote_ = *key;
      return key.has_value();
    }
    return mix_token(token);
  }
  // The tokens that put nothing into the message.
  bool mix_token(std::string_view token) {
    if (token == "psk") {
      if (preshared_) state_.mix_key_and_hash(preshared_->expose());
      return true;
    }
    // The first letter is the initiator's key, the second the responder's.
    const char ours = token[is_initiator_ ? 0 : 1];
    const char theirs = token[is_initiator_ ? 1 : 0];
    std::array<std::uint8_t, crypto::kKeySize> shared;
    if (!crypto::x25519(shared, ours == 'e' ? ephemeral_ : own_,
                        theirs == 'e' ? remote_ephemeral_ : remote_))
      return false;
    state_.mix_key(shared);
    return true;
  }
  void mix_ephemeral(const crypto::PublicKey& key) {
    state_.mix_hash(key.bytes);
    if (preshared_) state_.mix_key(key.bytes);
  }

  Octets sealed(Octets text) {
    text.resize(text.size() + crypto::kTagSize);
    state_.seal(text);
    return text;
  }
  bool open(Octets& bytes) {
    if (!state_.open(bytes)) return false;
    bytes.resize(bytes.size() - crypto::kTagSize);
    return true;
  }
  void finish_message() {
    if (++number_ < kPatterns.size()) return;
    const auto [initiators, responders] = state_.split();
    send_ = is_initiator_ ? initiators : responders;
    receive_ = is_initiator_ ? responders : initiators;
  }
  std::optional<Octets> with_transport(Octets bytes, bool seal) {
    if (seal) {
      bytes.resize(bytes.size() + crypto::kTagSize);
      crypto::aead_seal(send_.expose(), crypto::nonce_of(sent_++), {}, bytes);
      return bytes;
    }
    if (!crypto::aead_open(receive_.expose(), crypto::nonce_of(received_++), {}, bytes))
      return std::nullopt;
    bytes.resize(bytes.size() - crypto::kTagSize);
    return bytes;
  }

  static void append(Octets& message, const Octets& bytes) {
    message.insert(message.end(), bytes.begin(), bytes.end());
  }
  // Shorter than size when there is no more.
  static Octets take(Octets& rest, std::size_t size) {
    const auto end = rest.begin() + static_cast<std::ptrdiff_t>(std::min(size, rest.size()));
    Octets front(rest.begin(), end);
    rest.erase(rest.begin(), end);
    return front;
  }
  static std::optional<crypto::PublicKey> key_of(const Octets& bytes) {
    crypto::PublicKey key;
    if (bytes.size() != key.bytes.size()) return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
    return key;
  }

  bool is_initiator_;
  crypto::SecretKey own_;
  crypto::SecretKey ephemeral_;
  crypto::PublicKey remote_;  // the responder knows it after the first message
  crypto::PublicKey remote_ephemeral_;
  std::optional<crypto::SecretKey> preshared_;
  SymmetricState state_;
  std::size_t number_ = 0;  // of messages so far
  crypto::SecretKey send_;
  crypto::SecretKey receive_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace vpntun::wg
