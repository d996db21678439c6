// Reads the packets of a TUN or TAP descriptor, one readv each, and cuts superpackets to wire size.
// Belongs to a Tun. Thread: the worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "packet/ports.h"
#include "packet/segment.h"

namespace vpntun::os {

class TunReader {
 public:
  // with_header: the descriptor has IFF_VNET_HDR.
  TunReader(packet::Layer layer, bool with_header);

  // As InsidePort::receive. What the kernel handed over with an offload that does not fit it comes
  // as an empty packet, which is malformed.
  [[nodiscard]] packet::Reading read(int fd, packet::Batch& batch) noexcept;

 private:
  bool deliver_segments(packet::Batch& batch) noexcept;
  void deliver(packet::Batch& batch, std::span<const std::uint8_t, packet::kVnetHeader> header,
               std::size_t length) noexcept;
  void deliver_whole(packet::Batch& batch, const packet::Offload& offload,
                     std::size_t length) noexcept;

  packet::Layer layer_;
  bool with_header_;
  packet::Slab slab_{packet::kSlabSize};         // wire packets
  std::unique_ptr<std::uint8_t[]> superpacket_;  // what segments_ cuts
  std::optional<packet::Segments> segments_;     // until all of them were delivered
};

}  // namespace vpntun::os
