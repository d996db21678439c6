#include "wg/symmetric_state.h"

#include <algorithm>
#include <array>

namespace vpntun::wg {
namespace {

// Some output of the KDF, wiped when it was handed on.
template <std::size_t Count>
struct Derived {
  std::array<crypto::Hash, Count> keys;

  Derived(crypto::Bytes key, crypto::Bytes input) noexcept { crypto::kdf(keys, key, input); }
  ~Derived() {
    for (crypto::Hash& key : keys) crypto::wipe(key);
  }
  Derived(const Derived&) = delete;
  Derived& operator=(const Derived&) = delete;
};

crypto::Bytes bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

SymmetricState::SymmetricState(std::string_view protocol_name, crypto::Bytes prologue) noexcept
    : chaining_key_(crypto::hash({bytes_of(protocol_name)})), hash_(chaining_key_) {
  mix_hash(prologue);
}

SymmetricState::~SymmetricState() {
  crypto::wipe(chaining_key_);
  crypto::wipe(hash_);
  crypto::wipe(key_);
}

void SymmetricState::mix_hash(crypto::Bytes data) noexcept {
  hash_ = crypto::hash({hash_, data});
}

void SymmetricState::mix_key(crypto::Bytes input) noexcept {
  const Derived<2> derived(chaining_key_, input);
  chaining_key_ = derived.keys[0];
  key_ = derived.keys[1];
}

void SymmetricState::mix_key_and_hash(crypto::Bytes input) noexcept {
  const Derived<3> derived(chaining_key_, input);
  chaining_key_ = derived.keys[0];
  mix_hash(derived.keys[1]);
  key_ = derived.keys[2];
}

void SymmetricState::seal(crypto::MutableBytes bytes) noexcept {
  crypto::aead_seal(key_, crypto::nonce_of(0), hash_, bytes);
  mix_hash(bytes);
}

bool SymmetricState::open(crypto::MutableBytes bytes) noexcept {
  const crypto::Hash associated = hash_;
  mix_hash(bytes);  // before they are decrypted
  return crypto::aead_open(key_, crypto::nonce_of(0), associated, bytes);
}

std::pair<crypto::SecretKey, crypto::SecretKey> SymmetricState::split() const noexcept {
  const Derived<2> derived(chaining_key_, {});
  return {crypto::SecretKey(derived.keys[0]), crypto::SecretKey(derived.keys[1])};
}

}  // namespace vpntun::wg
