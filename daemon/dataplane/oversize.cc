#include "dataplane/oversize.h"

#include <algorithm>

#include "packet/ethernet.h"
#include "packet/icmp.h"

namespace vpntun::dataplane {
namespace {

constexpr std::size_t kLeastIpv6Mtu = 1280;  // RFC 8200, section 5

}  // namespace

std::size_t inner_mtu(std::uint32_t path_mtu, const Endpoint& remote,
                      std::size_t link_header) noexcept {
  const std::size_t outer = path_mtu == 0 ? kUnknownPathMtu : std::min(path_mtu, 65535u);
  const std::size_t overhead = (remote.address.is_v4() ? 20u : 40u) + 8u + link_header;
  return outer > overhead ? outer - overhead : 0;
}

Oversize::Oversize(std::span<const std::uint8_t> bytes, bool frame, std::uint32_t path_mtu,
                   const Endpoint& remote) noexcept
    : bytes_(bytes), ip_(bytes), frame_(frame) {
  if (frame_) {
    const auto view = packet::EthernetView::parse(bytes);
    ip_ = packet::ip_of_frame(bytes);
    if (view) link_header_ = view->header();
  }
  mtu_ = inner_mtu(path_mtu, remote, link_header_.size());
  // The kernel refused it whatever it says about the path: smaller it must become.
  if (mtu_ >= ip_.size() && !ip_.empty()) mtu_ = ip_.size() - 1;
}

bool Oversize::must_pass() const noexcept {
  return !ip_.empty() && ip_[0] >> 4 == 6 && ip_.size() <= kLeastIpv6Mtu;
}

std::optional<packet::Ipv4Fragments> Oversize::fragments() const noexcept {
  return packet::Ipv4Fragments::of(ip_, mtu_);
}

std::size_t Oversize::write(const packet::Ipv4Fragments::Piece& piece,
                            std::span<std::uint8_t> out) const noexcept {
  const std::size_t length = link_header_.size() + piece.size();
  if (length > out.size()) return 0;
  auto end = std::copy(link_header_.begin(), link_header_.end(), out.begin());
  end = std::copy(piece.header.begin(), piece.header.end(), end);
  std::copy(piece.payload.begin(), piece.payload.end(), end);
  return length;
}

std::size_t Oversize::answer(std::span<std::uint8_t> out) const noexcept {
  // An IPv6 sender never goes below 1280 (RFC 8200, section 5).
  const bool v6 = !ip_.empty() && ip_[0] >> 4 == 6;
  const auto mtu =
      static_cast<std::uint32_t>(v6 ? std::max<std::size_t>(mtu_, kLeastIpv6Mtu) : mtu_);
  return frame_ ? packet::build_too_big_frame(bytes_, mtu, out)
                : packet::build_too_big(bytes_, mtu, out);
}

}  // namespace vpntun::dataplane
