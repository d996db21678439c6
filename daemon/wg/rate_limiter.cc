#include "wg/rate_limiter.h"

#include <algorithm>

#include "base/wire.h"

namespace vpntun::wg {
namespace {

constexpr Duration kCost = Duration(std::chrono::seconds(1)) / RateLimiter::kPerSecond;
constexpr Duration kFull = kCost * RateLimiter::kBurst;

}  // namespace

bool RateLimiter::allow(const IpAddress& source, Instant now) noexcept {
  if (now - swept_ >= kForget) {
    std::erase_if(buckets_, [&](const auto& entry) { return now - entry.second.last >= kForget; });
    swept_ = now;
  }
  const Source key = source_of(source);
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kMaxSources) return false;
    found = buckets_.emplace(key, Bucket{kFull, now}).first;
  }
  Bucket& bucket = found->second;
  bucket.credit = std::min(bucket.credit + (now - bucket.last), kFull);
  bucket.last = now;
  if (bucket.credit < kCost) return false;
  bucket.credit -= kCost;
  return true;
}

RateLimiter::Source RateLimiter::source_of(const IpAddress& address) noexcept {
  const std::uint8_t* bytes = address.bytes().data();
  return {address.family(),
          address.is_v4() ? load_be<std::uint32_t>(bytes) : load_be<std::uint64_t>(bytes)};
}

}  // namespace vpntun::wg
