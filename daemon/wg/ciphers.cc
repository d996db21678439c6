#include "wg/ciphers.h"

namespace vpntun::wg {

void Ciphers::seal(std::uint64_t counter, MutableBytes bytes) noexcept {
  const std::lock_guard lock(sealing_);
  sealer_.seal(crypto::nonce_of(counter), bytes);
}

bool Ciphers::open(std::uint64_t counter, MutableBytes bytes) noexcept {
  const std::lock_guard lock(opening_);
  return opener_.open(crypto::nonce_of(counter), bytes);
}

void Sealing::finish() noexcept {
  ciphers_->seal(read_data_header(datagram_).counter, datagram_.subspan(kDataHeaderSize));
}

void Opening::finish() noexcept {
  if (!ciphers_) return;
  authentic_ =
      ciphers_->open(read_data_header(datagram_).counter, datagram_.subspan(kDataHeaderSize));
}

}  // namespace vpntun::wg
