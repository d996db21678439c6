#include "packet/fragment.h"

#include <algorithm>

#include "base/wire.h"
#include "packet/checksum.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

constexpr std::size_t kFixedHeader = 20;
constexpr std::uint8_t kEndOfOptions = 0;
constexpr std::uint8_t kNoOperation = 1;
constexpr std::uint8_t kCopiedFlag = 0x80;
constexpr std::uint16_t kMoreFragments = 0x2000;

}  // namespace

std::optional<Ipv4Fragments> Ipv4Fragments::of(std::span<const std::uint8_t> packet,
                                               std::size_t mtu) noexcept {
  const auto view = IpView::parse(packet);
  if (!view || !view->is_v4() || view->dont_fragment()) return std::nullopt;
  if (packet.size() > mtu && mtu < view->header_length() + 8) return std::nullopt;
  // The last byte must be within the 16 bits of a whole packet, or the offsets would wrap.
  if (view->fragment_offset() + view->payload().size() > 65535) return std::nullopt;
  Ipv4Fragments fragments;
  std::ranges::copy(view->header(), fragments.header_.begin());
  fragments.header_length_ = view->header_length();
  fragments.rest_ = view->payload();
  fragments.mtu_ = mtu;
  fragments.offset_ = view->fragment_offset();
  fragments.more_after_ = view->more_fragments();
  return fragments;
}

std::optional<Ipv4Fragments::Piece> Ipv4Fragments::next() noexcept {
  if (done_) return std::nullopt;
  if (!first_) keep_copied_options();
  first_ = false;

  const std::size_t room = mtu_ > header_length_ ? mtu_ - header_length_ : 0;
  const bool last = rest_.size() <= room;
  const auto payload = rest_.first(last ? rest_.size() : room / 8 * 8);
  const auto fragment =
      static_cast<std::uint16_t>((last && !more_after_ ? 0 : kMoreFragments) | (offset_ / 8));
  store_be(header_.data() + 2, static_cast<std::uint16_t>(header_length_ + payload.size()));
  store_be(header_.data() + 6, fragment);
  store_be(header_.data() + 10, std::uint16_t{0});
  const std::span<const std::uint8_t> header(header_.data(), header_length_);
  store_be(header_.data() + 10, internet_checksum(header));

  rest_ = rest_.subspan(payload.size());
  offset_ += payload.size();
  done_ = last;
  return Piece{header, payload};
}

// Leaves the options that every fragment repeats. What follows a broken option is dropped with it.
void Ipv4Fragments::keep_copied_options() noexcept {
  std::size_t kept = kFixedHeader;
  for (std::size_t at = kFixedHeader; at < header_length_;) {
    const std::uint8_t kind = header_[at];
    if (kind == kEndOfOptions) break;
    if (kind == kNoOperation) {
      ++at;
      continue;
    }
    const std::size_t length = at + 1 < header_length_ ? header_[at + 1] : 0;
    if (length < 2 || at + length > header_length_) break;
    if ((kind & kCopiedFlag) != 0) {
      std::copy_n(header_.begin() + static_cast<std::ptrdiff_t>(at), length,
                  header_.begin() + static_cast<std::ptrdiff_t>(kept));
      kept += length;
    }
    at += length;
  }
  while (kept % 4 != 0) header_[kept++] = kEndOfOptions;
  header_length_ = kept;
  header_[0] = static_cast<std::uint8_t>(0x40 | (kept / 4));
}

}  // namespace vpntun::packet
