#include "os/tun_reader.h"

#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vpntun::os {
namespace {

// Bytes of the largest packet, with an Ethernet header and a tag.
constexpr std::size_t kLargest = packet::kMaxPacket + packet::kTaggedHeader;
// So much of a packet is read to where it stays; the rest, as it may be a superpacket, to where
// that is cut.
constexpr std::size_t kDirect = 2048;

}  // namespace

TunReader::TunReader(packet::Layer layer, bool with_header)
    : layer_(layer),
      with_header_(with_header),
      superpacket_(std::make_unique_for_overwrite<std::uint8_t[]>(kLargest)) {}

packet::Reading TunReader::read(int fd, packet::Batch& batch) noexcept {
  slab_.clear();
  std::array<std::uint8_t, packet::kVnetHeader> header{};
  while (!batch.full()) {
    if (segments_) {
      if (!deliver_segments(batch)) break;
      continue;
    }
    if (!slab_.fits(kLargest)) break;
    const std::size_t header_length = with_header_ ? header.size() : 0;
    const std::array<iovec, 3> pieces{{{header.data(), header_length},
                                       {slab_.room().data(), kDirect},
                                       {superpacket_.get() + kDirect, kLargest - kDirect}}};
    const ssize_t length = ::readv(fd, pieces.data(), pieces.size());
    if (length >= static_cast<ssize_t>(header_length)) {
      deliver(batch, header, static_cast<std::size_t>(length) - header_length);
      continue;
    }
    if (length < 0 && errno == EINTR) continue;
    // EBADFD: the interface was deleted. Anything else (EAGAIN, EIO while it is down) passes.
    const bool gone = length < 0 && (errno == EBADFD || errno == ENODEV);
    return gone ? packet::Reading::kGone : packet::Reading::kDrained;
  }
  return packet::Reading::kMore;
}

// False: there is no room for the next one.
bool TunReader::deliver_segments(packet::Batch& batch) noexcept {
  while (segments_->left() != 0 && !batch.full()) {
    if (!slab_.fits(segments_->largest())) return false;
    batch.append_view(slab_.take(segments_->next(slab_.room())));
  }
  if (segments_->left() == 0) segments_.reset();
  return true;
}

void TunReader::deliver(packet::Batch& batch,
                        std::span<const std::uint8_t, packet::kVnetHeader> header,
                        std::size_t length) noexcept {
  const auto offload = packet::decode_vnet_header(header);
  if (offload && offload->segmentation == packet::Segmentation::kNone)
    return deliver_whole(batch, *offload, length);
  if (offload) {
    std::memcpy(superpacket_.get(), slab_.room().data(), std::min(length, kDirect));
    segments_ = packet::Segments::of({superpacket_.get(), length}, *offload, layer_);
  }
  if (!segments_) batch.append_view(slab_.take(0));
}

void TunReader::deliver_whole(packet::Batch& batch, const packet::Offload& offload,
                              std::size_t length) noexcept {
  std::span<std::uint8_t> bytes = slab_.room().first(length);
  if (length > kDirect)
    std::memcpy(bytes.data() + kDirect, superpacket_.get() + kDirect, length - kDirect);
  if (!packet::complete_checksum(bytes, offload, layer_)) length = 0;
  batch.append_view(slab_.take(length));
}

}  // namespace vpntun::os
