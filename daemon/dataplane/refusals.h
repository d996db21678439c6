// Notes in the peers' records what ICMP says of datagrams to them. ICMP can be forged, so nothing
// else follows from it, and a flood of it costs little. Thread: a worker that holds the tables.
#pragma once

#include <span>

#include "dataplane/tables.h"
#include "packet/unreachable.h"

namespace vpntun::dataplane {

class Refusals {
 public:
  static constexpr unsigned kMost = 64;  // looked at in a second; finding the peer is a search
  // What is said again is news again after this time.
  static constexpr Duration kOldNews = std::chrono::seconds(5);

  void note(std::span<const packet::Unreachable> unreachables, Tables& tables) noexcept;

 private:
  Instant second_{};  // the beginning of the one that counts
  unsigned looked_at_ = 0;
};

}  // namespace vpntun::dataplane
