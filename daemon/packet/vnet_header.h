// The header that a TUN or TAP descriptor with IFF_VNET_HDR puts in front of every packet: struct
// virtio_net_hdr of linux/virtio_net.h (Virtio 1.2, 5.1.6). Its integers are in the machine's own
// order unless TUNSETVNETLE or TUNSETVNETBE said otherwise, which we never ask for
// (drivers/net/tun.c, tun_is_little_endian). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace vpntun::packet {

inline constexpr std::size_t kVnetHeader = 10;  // bytes, TUNSETVNETHDRSZ

// Into what a superpacket is to be cut.
enum class Segmentation : std::uint8_t { kNone, kTcp4, kTcp6, kUdp };

// What has been left undone about a packet by the one who wrote it.
struct Offload {
  Segmentation segmentation = Segmentation::kNone;
  std::uint16_t segment_size = 0;  // bytes of payload in every segment but the last
  bool ecn = false;                // TCP: CWR is set, which only the first segment may keep
  // The transport checksum holds the sum of the pseudo-header alone; the sum of everything from
  // checksum_start on belongs into the two bytes checksum_offset behind it.
  bool checksum_missing = false;
  std::uint16_t checksum_start = 0;   // bytes from the front of the packet
  std::uint16_t checksum_offset = 0;  // bytes from checksum_start
  // Bytes of all headers. A hint, which is written for the kernel's sake and never believed.
  std::uint16_t header_length = 0;
};

// Nothing: a kind of segmentation that was never agreed on.
std::optional<Offload> decode_vnet_header(
    std::span<const std::uint8_t, kVnetHeader> header) noexcept;
void encode_vnet_header(const Offload& offload,
                        std::span<std::uint8_t, kVnetHeader> header) noexcept;

}  // namespace vpntun::packet
