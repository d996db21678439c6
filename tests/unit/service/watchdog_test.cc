#include "service/watchdog.h"

#include <sys/epoll.h>

#include "service_manager.h"

namespace vpntun::service {
namespace {

class WatchdogTest : public testing::Test {
 protected:
  static constexpr Duration kPeriod = std::chrono::milliseconds(500);
  WatchdogTest() { ::setenv("WATCHDOG_USEC", "500000", 1); }
  ~WatchdogTest() override { ::unsetenv("WATCHDOG_USEC"); }

  void run_for(Duration time) {
    const EventSource end = loop_.add_timer(BootClock::now() + time, [this] { loop_.exit(0); });
    loop_.run();
  }
  // Until it is true; false: it is not within a minute.
  bool run_until(const std::function<bool()>& condition) {
    const Instant limit = BootClock::now() + std::chrono::seconds(60);
    while (!condition() && BootClock::now() < limit) run_for(std::chrono::milliseconds(1));
    return condition();
  }

  Loop loop_;
  const ServiceManager manager_;
  int beats_ = 0;
  const EventSource heard_ = loop_.add_io(manager_.fd(), EPOLLIN, [this](std::uint32_t) {
    EXPECT_EQ(manager_.next().text, "WATCHDOG=1");
    ++beats_;
  });
};

TEST_F(WatchdogTest, EachAnswerIsABeat) {
  int questions = 0;
  const Watchdog watchdog(loop_, [&](const std::function<void()>& answered) {
    ++questions;
    answered();
  });
  // A timer of half the period beside it, on a machine that is as slow for both.
  int halves = 0;
  EventSource half;
  half = loop_.add_timer(BootClock::now() + kPeriod / 2, [&] {
    ++halves;
    loop_.set_timer(half, loop_.now() + kPeriod / 2);
  });
  ASSERT_TRUE(run_until([&] { return halves == 7; }));
  EXPECT_GE(questions, 6) << "several in each period";
  EXPECT_TRUE(run_until([&] { return beats_ >= questions; }));
}

TEST_F(WatchdogTest, AQuestionWithoutAnswerStarvesIt) {
  int questions = 0;
  std::function<void()> answer;
  const Watchdog watchdog(loop_, [&](std::function<void()> answered) {
    ++questions;
    answer = std::move(answered);
  });
  ASSERT_TRUE(run_until([&] { return questions > 0; }));
  run_for(2 * kPeriod);
  EXPECT_EQ(questions, 1) << "nobody is asked again before they answered";
  EXPECT_EQ(beats_, 0);
  answer();
  answer();
  EXPECT_TRUE(run_until([&] { return beats_ == 1; }));
  EXPECT_EQ(manager_.next().text, "nothing");
}

TEST_F(WatchdogTest, NobodyIsAskedWithoutAWatchdog) {
  ::unsetenv("WATCHDOG_USEC");
  int questions = 0;
  const Watchdog watchdog(loop_, [&](const std::function<void()>&) { ++questions; });
  run_for(kPeriod);
  EXPECT_EQ(questions, 0);
  EXPECT_EQ(beats_, 0);
}

}  // namespace
}  // namespace vpntun::service
