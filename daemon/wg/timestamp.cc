#include "wg/timestamp.h"

#include "base/wire.h"

namespace vpntun::wg {
namespace {

constexpr std::uint64_t kEpoch = (std::uint64_t{1} << 62) + 10;  // the label of 1970 in TAI
constexpr std::uint32_t kHidden = (1u << 24) - 1;                // nanoseconds

}  // namespace

Timestamp timestamp_of(std::chrono::nanoseconds unix_time) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(unix_time);
  const auto nanoseconds = static_cast<std::uint32_t>((unix_time - seconds).count());
  Timestamp label;
  store_be(label.data(), kEpoch + static_cast<std::uint64_t>(seconds.count()));
  store_be(label.data() + 8, nanoseconds & ~kHidden);
  return label;
}

}  // namespace vpntun::wg
