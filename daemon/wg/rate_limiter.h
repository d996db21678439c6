// How many handshake messages a source address may have looked at while we are under load: 20 a
// second, 5 at once; IPv6 by /64. A token bucket for each source, of sources whose address is
// proven (mac2), and no more than kMaxSources: further ones are refused until some were silent for
// long enough. Pure.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>

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
  std::size_t size() const noexcept { return buckets_.size(); }

 private:
  struct Source {
    Family family;
    std::uint64_t network;
    auto operator<=>(const Source&) const = default;
  };
  // A message costs 1 s / kPerSecond; time is credit.
  struct Bucket {
    Duration credit;
    Instant last;
  };
  static Source source_of(const IpAddress& address) noexcept;

  std::map<Source, Bucket> buckets_;  // not hashed: no choice of addresses makes it slow
  Instant swept_{};
};

}  // namespace vpntun::wg
