#include "wg/replay_window.h"

#include <algorithm>

namespace vpntun::wg {
namespace {

constexpr std::uint64_t kWordBits = 64;

}  // namespace

bool ReplayWindow::take(std::uint64_t counter, std::uint64_t limit) noexcept {
  if (counter >= limit) return false;
  const std::uint64_t word = counter / kWordBits;
  if (counter > last_) {
    // The words between the last counter and this one were another part of the past.
    const std::uint64_t last_word = last_ / kWordBits;
    const std::uint64_t passed = std::min<std::uint64_t>(word - last_word, ring_.size());
    for (std::uint64_t i = 1; i <= passed; ++i) ring_[(last_word + i) % ring_.size()] = 0;
    last_ = counter;
  } else if (last_ - counter > kWindow) {
    return false;
  }
  std::uint64_t& seen = ring_[word % ring_.size()];
  const std::uint64_t bit = std::uint64_t{1} << (counter % kWordBits);
  if ((seen & bit) != 0) return false;
  seen |= bit;
  return true;
}

}  // namespace vpntun::wg
