// Captures: a pipe each, written as pcapng with two interfaces, 0 = inner (what is inside the
// tunnel) and 1 = outer (the datagrams that carry it, with synthesised IP and UDP headers).
// Comments link the two. A slow reader loses whole records and never delays a packet. Thread: the
// worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/unique_fd.h"
#include "packet/batch.h"

namespace vpntun::dataplane {

inline constexpr std::size_t kMaxCaptures = 8;

struct CaptureOptions {
  std::uint32_t snaplen = 0;  // bytes kept of each packet; 0: all
  bool inner = true;
  bool outer = true;
};

}  // namespace vpntun::dataplane
