#include "packet/vnet_header.h"

#include <cstring>

namespace vpntun::packet {
namespace {

constexpr std::uint8_t kNeedsChecksum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM
constexpr std::uint8_t kGsoNone = 0;        // VIRTIO_NET_HDR_GSO_...
constexpr std::uint8_t kGsoTcp4 = 1;
constexpr std::uint8_t kGsoTcp6 = 4;
constexpr std::uint8_t kGsoUdp = 5;  // ..._UDP_L4, Linux 6.2
constexpr std::uint8_t kGsoEcn = 0x80;

std::uint16_t load(std::span<const std::uint8_t, kVnetHeader> header, std::size_t offset) noexcept {
  std::uint16_t value;
  std::memcpy(&value, header.data() + offset, sizeof value);
  return value;
}
void store(std::span<std::uint8_t, kVnetHeader> header, std::size_t offset,
           std::uint16_t value) noexcept {
  std::memcpy(header.data() + offset, &value, sizeof value);
}

std::optional<Segmentation> segmentation_of(std::uint8_t gso_type) noexcept {
  switch (gso_type & ~kGsoEcn) {
    case kGsoNone:
      return Segmentation::kNone;
    case kGsoTcp4:
      return Segmentation::kTcp4;
    case kGsoTcp6:
      return Segmentation::kTcp6;
    case kGsoUdp:
      return Segmentation::kUdp;
    default:
      return std::nullopt;
  }
}

std::uint8_t gso_type_of(Segmentation segmentation) noexcept {
  switch (segmentation) {
    case Segmentation::kNone:
      return kGsoNone;
    case Segmentation::kTcp4:
      return kGsoTcp4;
    case Segmentation::kTcp6:
      return kGsoTcp6;
    case Segmentation::kUdp:
      return kGsoUdp;
  }
  return kGsoNone;
}

}  // namespace

std::optional<Offload> decode_vnet_header(
    std::span<const std::uint8_t, kVnetHeader> header) noexcept {
  const auto segmentation = segmentation_of(header[1]);
  if (!segmentation) return std::nullopt;
  return Offload{.segmentation = *segmentation,
                 .segment_size = load(header, 4),
                 .ecn = (header[1] & kGsoEcn) != 0,
                 .checksum_missing = (header[0] & kNeedsChecksum) != 0,
                 .checksum_start = load(header, 6),
                 .checksum_offset = load(header, 8),
                 .header_length = load(header, 2)};
}

void encode_vnet_header(const Offload& offload,
                        std::span<std::uint8_t, kVnetHeader> header) noexcept {
  header[0] = offload.checksum_missing ? kNeedsChecksum : 0;
  header[1] = gso_type_of(offload.segmentation) | (offload.ecn ? kGsoEcn : 0);
  store(header, 2, offload.header_length);
  store(header, 4, offload.segment_size);
  store(header, 6, offload.checksum_start);
  store(header, 8, offload.checksum_offset);
}

}  // namespace vpntun::packet
