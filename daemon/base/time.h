// Time as pure code sees it: an argument. The clock is read once per loop turn, at the edge.
#pragma once

#include <time.h>

#include <chrono>

namespace vpntun {

using Duration = std::chrono::nanoseconds;

// CLOCK_BOOTTIME: monotonic and running while the machine sleeps, so that what expired meanwhile
// has expired.
struct BootClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept {
    timespec ts{};
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return time_point(std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec));
  }
};

using Instant = BootClock::time_point;

// How long the machine has slept since it was booted.
inline Duration time_asleep() noexcept {
  timespec awake{};
  clock_gettime(CLOCK_MONOTONIC, &awake);
  return BootClock::now().time_since_epoch() - std::chrono::seconds(awake.tv_sec) -
         std::chrono::nanoseconds(awake.tv_nsec);
}

}  // namespace vpntun
