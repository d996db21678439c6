// Merges packets of one flow that follow each other into superpackets, as the kernel's own receive
// offload does (net/ipv4/af_inet.c, tcp_offload.c, udp_offload.c: gro_receive), so that one write
// into the interface takes many. Called by the inside port for each batch it is to write. Pure,
// without allocation after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "packet/batch.h"
#include "packet/coalesce_flow.h"
#include "packet/ethernet.h"
#include "packet/vnet_header.h"

namespace vpntun::packet {

class Coalescer {
 public:
  // Pieces of one superpacket: the kernel takes 1024 in one writev, UDP_MAX_SEGMENTS was 64.
  static constexpr std::size_t kMaxPieces = 128;
  static constexpr std::size_t kMaxUdpPieces = 64;
  static constexpr std::size_t kMaxSuperpacket = 65535;  // bytes of the IP packet

  // What the interface takes.
  struct Mergeable {
    bool tcp4 = false;
    bool tcp6 = false;
    bool udp = false;  // of both families
  };

  // One packet as it is, or a superpacket: `header`, then of each packet what lies behind its first
  // header.size() bytes.
  struct Write {
    Offload offload;                       // none for a packet as it is
    std::span<const std::uint8_t> header;  // in the Coalescer, until the next call; or empty
    std::uint16_t first = 0;               // index of a packet; the others by after()
    std::uint16_t count = 0;
  };

  // Throws std::bad_alloc, nothing else.
  Coalescer(std::size_t capacity, Layer layer);

  // At most `capacity` packets, in the order in which they are to arrive. Every packet is in one
  // write, in its order within its flow; no packet is changed. The writes have the order of their
  // first packets. A packet is only merged when its checksums are right.
  std::span<const Write> coalesce(std::span<const Packet> packets,
                                  const Mergeable& mergeable) noexcept;
  // The packet behind this one in the same write; of the last one it means nothing.
  std::uint16_t after(std::uint16_t packet) const noexcept { return after_[packet]; }

 private:
  // The end of a write: to what the next packet of the flow would have to fit.
  struct End {
    FlowPacket flow;  // its first packet
    bool open = false;
    bool verified = false;                 // the checksums of its first packet
    std::optional<std::uint16_t> id_step;  // IPv4, from the second packet on
    std::uint16_t id = 0;                  // IPv4, of the last packet
    std::uint16_t last = 0;                // index of the last packet
    std::uint8_t last_flags = 0;           // TCP, of the last packet
    std::uint32_t sequence = 0;            // TCP, behind the last packet
    std::size_t length = 0;                // bytes so far of the IP packet
  };

  void take(std::uint16_t index, const FlowPacket& packet) noexcept;
  void begin_write(std::uint16_t index, const FlowPacket& packet, bool open) noexcept;
  std::uint16_t* place_of(const FlowPacket& packet) noexcept;
  bool may_merge(const FlowPacket& packet) const noexcept;
  bool fits(const End& end, std::size_t count, const FlowPacket& packet) const noexcept;
  bool join(std::uint16_t write, std::uint16_t index, const FlowPacket& packet) noexcept;
  void finish(Write& write, const End& end, std::span<std::uint8_t> header) noexcept;

  Layer layer_;
  Mergeable mergeable_;
  std::vector<std::uint16_t> after_;  // of each packet
  std::vector<Write> writes_;
  std::vector<End> ends_;             // of each write
  std::vector<std::uint16_t> flows_;  // hash table: 1 + the latest write of the flow, 0 for none
  std::vector<std::uint8_t> headers_;
  std::size_t size_ = 0;        // writes
  std::size_t first_open_ = 0;  // no earlier write is open
};

}  // namespace vpntun::packet
