// Which counters were received already: a sliding window over the last 8128 (RFC 6479). Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vpntun::wg {

class ReplayWindow {
 public:
  static constexpr std::uint64_t kWindow = 8192 - 64;

  // Whether the counter is new. Call when its packet was found authentic; it is then used up.
  // limit: counters from there on are refused.
  bool take(std::uint64_t counter, std::uint64_t limit) noexcept;

 private:
  std::uint64_t last_ = 0;                                 // the greatest taken
  std::array<std::uint64_t, (kWindow + 64) / 64> ring_{};  // a bit for each; one word is ahead
};

}  // namespace vpntun::wg
