#include "service/watchdog.h"

#include <systemd/sd-daemon.h>

#include <utility>

#include "base/log.h"

namespace vpntun::service {

namespace {

constexpr int kQuestionsPerPeriod = 4;

}  // namespace

Watchdog::Watchdog(Loop& loop, Ask ask) : loop_(loop), ask_(std::move(ask)) {
  std::uint64_t period_usec = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/1, &period_usec) <= 0) return;
  interval_ = std::chrono::microseconds(period_usec / kQuestionsPerPeriod);
  timer_ = loop_.add_timer(loop_.now(), [this] { turn(); });
}

void Watchdog::turn() {
  loop_.set_timer(timer_, loop_.now() + interval_);
  if (waiting_++ == 0) return ask_([this] { answered(); });
  if (waiting_ == kQuestionsPerPeriod - 1)
    log::event(log::Event::kDataPathStuck, {},
               "packets are not carried any more: a thread that does it is stuck");
}

void Watchdog::answered() {
  if (std::exchange(waiting_, 0) != 0) sd_notify(0, "WATCHDOG=1");
}

}  // namespace vpntun::service
