// Writes packets into a TUN or TAP descriptor, those of a flow gathered into superpackets where
// they can be: one writev each, without copying a payload. Belongs to a Tun. Thread: the worker's.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>

#include "packet/batch.h"
#include "packet/coalesce.h"

namespace vpntun::os {

class TunWriter {
 public:
  // with_header: the descriptor has IFF_VNET_HDR; without it nothing is merged.
  TunWriter(packet::Layer layer, bool with_header, const packet::Coalescer::Mergeable& mergeable);

  // As InsidePort::send.
  void write(int fd, packet::Batch& batch) noexcept;

 private:
  using Write = packet::Coalescer::Write;
  void write_some(int fd, std::span<packet::Packet> packets) noexcept;
  bool write_superpacket(int fd, std::span<packet::Packet> packets, const Write& write) noexcept;
  void write_alone(int fd, packet::Packet& packet) noexcept;
  // The errno of writing the first `count` pieces; 0: written.
  int write_pieces(int fd, std::size_t count) noexcept;

  // In front of the packet: its header, and of a superpacket what all its packets share.
  static constexpr std::size_t kInFront = 2;

  bool with_header_;
  packet::Coalescer::Mergeable mergeable_;
  packet::Coalescer coalescer_;
  std::array<std::uint8_t, packet::kVnetHeader> header_{};
  std::array<iovec, kInFront + packet::Coalescer::kMaxPieces> pieces_{};
};

}  // namespace vpntun::os
