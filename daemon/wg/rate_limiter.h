// How many handshake messages a source address may have looked at while we are under load: 20 a
// second, 5 at once; IPv6 by /64. A token bucket for each source in a table of fixed size. Pure.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/address.h"
#include "base/time.h"

namespace vpntun::wg {

class RateLimiter {
 public:
  static constexpr unsigned kPerSecond = 20;
  static constexpr unsigned kBurst = 5;
  static constexpr std::size_t kMaxSources = 8192;
  static constexpr Duration kForget = std::chrono::seconds(1);  // of silence

  bool allow(const IpAddress& source, Instant now) noexcept;
  std::size_t size() const noexcept;
};

}  // namespace vpntun::wg
