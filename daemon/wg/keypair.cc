#include "wg/keypair.h"

#include <algorithm>
#include <utility>

namespace vpntun::wg {

bool Keypair::wants_successor(Instant now) const noexcept {
  return next_counter > kRekeyAfterMessages || (initiator && created + kRekeyAfterTime <= now);
}

bool Keypair::wants_successor_soon(Instant now) const noexcept {
  return initiator && created + (kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout) <= now;
}

Sealing Keypair::seal(MutableBytes payload, std::size_t size) noexcept {
  const MutableBytes datagram(payload.data() - kDataHeaderSize,
                              kDataHeaderSize + size + crypto::kTagSize);
  std::fill(payload.data() + payload.size(), payload.data() + size, std::uint8_t{0});
  write(DataHeader{.receiver = remote_index, .counter = next_counter}, datagram);
  ++next_counter;
  return {ciphers, datagram};
}

Keypair::Opened Keypair::open(MutableBytes datagram, const Opening& opening, Instant now) noexcept {
  const std::uint64_t counter = read_data_header(datagram).counter;
  if (refuses(counter, now)) return {Refusal::kExpired, {}};
  const MutableBytes sealed = datagram.subspan(kDataHeaderSize);
  const bool authentic =
      opening.is_of(datagram, ciphers) ? opening.authentic() : ciphers->open(counter, sealed);
  if (!authentic) return {Refusal::kNotAuthentic, {}};
  if (!window.take(counter, kRejectAfterMessages)) return {Refusal::kReplayed, {}};
  return {std::nullopt, sealed.first(sealed.size() - crypto::kTagSize)};
}

std::size_t padded_size(std::size_t size, std::size_t mtu) noexcept {
  const std::size_t last = mtu != 0 && size > mtu ? size % mtu : size;
  const std::size_t rounded = (last + kPadding - 1) / kPadding * kPadding;
  return size - last + (mtu != 0 ? std::min(rounded, mtu) : rounded);
}

void Keypairs::add_ours(std::unique_ptr<Keypair> keypair) noexcept {
  if (!apart_) previous_ = std::move(current_);
  current_ = std::move(keypair);
  apart_ = false;
}

void Keypairs::add_theirs(std::unique_ptr<Keypair> keypair) noexcept {
  next_ = std::move(keypair);
}

// When both sides began at once, the session that the peer began is confirmed after the one that we
// began is in use: the peer sends with it, but it is the older one, so it only receives here. Each
// side then sends with its own, until one of them is renewed.
bool Keypairs::confirm(const Keypair* keypair) noexcept {
  if (!next_ || keypair != next_.get()) return false;
  apart_ = current_ && next_->created <= current_->created;
  previous_ = std::move(apart_ ? next_ : current_);
  if (!apart_) current_ = std::move(next_);
  return !apart_;
}

void Keypairs::clear() noexcept {
  previous_.reset();
  current_.reset();
  next_.reset();
  apart_ = false;
}

}  // namespace vpntun::wg
