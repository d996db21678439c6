// Whether there are more handshakes than should be looked at without proof of their source's
// address (paper, section 5.3). Pure.
#pragma once

#include "wg/constants.h"

namespace vpntun::wg {

// An initiation costs about 0.2 ms (four X25519), so what may come without a cookie takes a tenth
// of a CPU: below that a flood is cheaper to serve than to fight, and 512 peers that begin within
// one second, as after an outage, are not sent back for cookies.
class LoadMeter {
 public:
  static constexpr unsigned kPerSecond = 512;  // handshake messages with a right mac1
  static constexpr Duration kStays = std::chrono::seconds(1);

  void count(Instant now) noexcept {
    if (since_ + std::chrono::seconds(1) <= now) {
      since_ = now;
      counted_ = 0;
    }
    if (++counted_ > kPerSecond) until_ = now + kStays;
  }
  bool under_load(Instant now) const noexcept { return now < until_; }

 private:
  Instant since_ = kLongAgo;
  Instant until_ = kLongAgo;
  unsigned counted_ = 0;
};

}  // namespace vpntun::wg
