// From the outside to the inside: reads a batch of datagrams, lets the transport open each (and say
// whose it is), and writes the batch into the interface. Between TAP peers it is a learning switch:
// a frame for another peer goes there without passing through the kernel. Thread: the worker's.
// run() holds the tables by itself, and not while the ports or ciphers work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/outbound.h"
#include "dataplane/tables.h"
#include "dataplane/transport.h"
#include "packet/batch.h"
#include "packet/ports.h"

namespace vpntun::dataplane {

class Inbound {
 public:
  Inbound(Tables& tables, Transport& transport, packet::InsidePort& inside,
          packet::OutsidePort& outside, Outbound& outbound);

  // Carries about `budget` datagrams. True: there may be more, call again without waiting.
  bool run(std::size_t budget) noexcept;
  // Writes bytes into the interface as they are. 0, or an errno. Requires that the tables are held.
  int inject(std::vector<std::uint8_t> bytes) noexcept;

 private:
  void open_early() noexcept;
  void accept(packet::Packet& datagram, const wg::Opening& opening) noexcept;
  void switch_frame(const packet::Packet& frame) noexcept;
  void flood(const packet::Packet& frame) noexcept;
  void flush_inside() noexcept;

  Tables& tables_;
  Transport& transport_;
  packet::InsidePort& inside_;
  packet::OutsidePort& outside_;
  Outbound& outbound_;
  packet::Batch in_{packet::kBatchSize, 0};
  std::vector<wg::Opening> openings_;              // of in_, in the same order
  packet::Batch accepted_{packet::kBatchSize, 0};  // views of in_
};

}  // namespace vpntun::dataplane
