#include "service/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/mailbox.h"
#include "base/unique_fd.h"

namespace vpntun::service {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error("pipe2");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

pid_t child_that(int exit_status, int signal_number = 0) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (signal_number != 0) raise(signal_number);
    _exit(exit_status);
  }
  return pid;
}

TEST(Loop, ExitEndsRunWithItsCode) {
  Loop loop;
  const EventSource source = loop.add_defer([&] { loop.exit(7); });
  EXPECT_EQ(loop.run(), 7);
}

TEST(Loop, MayRunAgainAfterExit) {
  Loop loop;
  EventSource source = loop.add_defer([&] { loop.exit(1); });
  EXPECT_EQ(loop.run(), 1);
  source = loop.add_defer([&] { loop.exit(2); });
  EXPECT_EQ(loop.run(), 2);
}

TEST(Loop, WhatACallbackThrowsComesOutOfRun) {
  Loop loop;
  const EventSource source =
      loop.add_defer([] { throw Error(ErrorKind::kRouteConflict, "route taken"); });
  try {
    loop.run();
    FAIL() << "run() returned";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kRouteConflict);
    EXPECT_STREQ(error.what(), "route taken");
  }
}

TEST(Loop, RunsAgainAfterAnException) {
  Loop loop;
  EventSource source = loop.add_defer([] { throw std::runtime_error("once"); });
  EXPECT_THROW(loop.run(), std::runtime_error);
  source = loop.add_defer([&] { loop.exit(0); });
  EXPECT_EQ(loop.run(), 0);
}

TEST(Loop, TellsWhenADescriptorIsReadable) {
  Loop loop;
  const Pipe pipe = make_pipe();
  std::uint32_t seen = 0;
  const EventSource source = loop.add_io(pipe.read_end.get(), EPOLLIN, [&](std::uint32_t events) {
    seen = events;
    loop.exit(0);
  });
  ASSERT_EQ(::write(pipe.write_end.get(), "x", 1), 1);
  loop.run();
  EXPECT_TRUE(seen & EPOLLIN);
}

TEST(Loop, WatchedEventsCanBeChanged) {
  Loop loop;
  const Pipe pipe = make_pipe();
  EventSource source = loop.add_io(pipe.write_end.get(), 0, [&](std::uint32_t) { loop.exit(1); });
  const EventSource timer = loop.add_timer(loop.now() + 10ms, [&] { loop.exit(0); });
  EXPECT_EQ(loop.run(), 0);
  loop.set_io_events(source, EPOLLOUT);
  EXPECT_EQ(loop.run(), 1);
}

TEST(Loop, ADestroyedSourceIsNotCalled) {
  Loop loop;
  const Pipe pipe = make_pipe();
  int calls = 0;
  EventSource source = loop.add_io(pipe.read_end.get(), EPOLLIN, [&](std::uint32_t) { ++calls; });
  ASSERT_EQ(::write(pipe.write_end.get(), "x", 1), 1);
  source = EventSource();
  EXPECT_FALSE(source);
  const EventSource timer = loop.add_timer(loop.now() + 10ms, [&] { loop.exit(0); });
  loop.run();
  EXPECT_EQ(calls, 0);
}

TEST(Loop, ASourceMayBeDestroyedInItsOwnCallback) {
  Loop loop;
  const Pipe pipe = make_pipe();
  ASSERT_EQ(::write(pipe.write_end.get(), "x", 1), 1);
  EventSource source;
  const std::vector<int> captured(1000, 42);  // freed with the callback if that were wrong
  int sum = 0;
  source = loop.add_io(pipe.read_end.get(), EPOLLIN, [&, captured](std::uint32_t) {
    source = EventSource();
    for (const int value : captured) sum += value;
    loop.exit(0);
  });
  loop.run();
  EXPECT_EQ(sum, 42000);
}

TEST(Loop, ASourceMayReplaceItselfInItsOwnCallback) {
  Loop loop;
  EventSource source;
  source = loop.add_defer([&] { source = loop.add_defer([&] { loop.exit(3); }); });
  EXPECT_EQ(loop.run(), 3);
}

TEST(Loop, ATimerFiresOnceAndNotBeforeItsTime) {
  Loop loop;
  const Instant start = BootClock::now();
  int calls = 0;
  EventSource end;
  const EventSource timer = loop.add_timer(start + 20ms, [&] {
    EXPECT_GE(BootClock::now() - start, 20ms);
    ++calls;
    end = loop.add_timer(loop.now() + 40ms, [&] { loop.exit(0); });
  });
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(Loop, ATimerCanBeMovedAndCancelled) {
  Loop loop;
  const Instant start = BootClock::now();
  int cancelled = 0;
  EventSource first = loop.add_timer(start + 1h, [&] { loop.exit(1); });
  EventSource second = loop.add_timer(start + 5ms, [&] { ++cancelled; });
  loop.set_timer(first, start + 10ms);
  loop.cancel_timer(second);
  EXPECT_EQ(loop.run(), 1);
  EXPECT_EQ(cancelled, 0);
}

TEST(Loop, ATimerCanBeArmedAgainFromItsCallback) {
  Loop loop;
  int calls = 0;
  EventSource timer;
  timer = loop.add_timer(loop.now(), [&] {
    if (++calls == 3) return loop.exit(0);
    loop.set_timer(timer, loop.now() + 1ms);
  });
  loop.run();
  EXPECT_EQ(calls, 3);
}

TEST(Loop, ReportsABlockedSignal) {
  Loop loop;
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
  {
    const EventSource source = loop.add_signal(SIGUSR1, [&] { loop.exit(5); });
    ASSERT_EQ(kill(getpid(), SIGUSR1), 0);
    EXPECT_EQ(loop.run(), 5);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(Loop, ReportsHowAChildEnded) {
  Loop loop;
  int status = 0;
  const auto note = [&](int ended) {
    status = ended;
    loop.exit(0);
  };
  {
    const pid_t pid = child_that(64);
    const EventSource source = loop.add_child(pid, note);
    loop.run();
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 64);
    EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1) << "the child was not reaped";
  }
  const EventSource source = loop.add_child(child_that(0, SIGKILL), note);
  loop.run();
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(Loop, ReportsTheEndOfAProcessThatIsNotOurChild) {
  const Pipe pids = make_pipe();
  Pipe hold = make_pipe();
  const pid_t middle = fork();
  if (middle == 0) {
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      // Lives until the test closes its end; no other process holds one.
      ::close(hold.write_end.get());
      ::fcntl(hold.read_end.get(), F_SETFL, 0);
      char byte = 0;
      _exit(::read(hold.read_end.get(), &byte, 1) == 0 ? 0 : 1);
    }
    _exit(::write(pids.write_end.get(), &grandchild, sizeof grandchild) > 0 ? 0 : 1);
  }
  ASSERT_EQ(waitpid(middle, nullptr, 0), middle);
  pid_t grandchild = 0;
  ASSERT_EQ(::read(pids.read_end.get(), &grandchild, sizeof grandchild),
            static_cast<ssize_t>(sizeof grandchild));

  Loop loop;
  int status = 0;
  int calls = 0;
  const EventSource source = loop.add_child(grandchild, [&](int ended) {
    status = ended;
    ++calls;
    loop.exit(0);
  });
  hold.write_end.reset();
  loop.run();
  EXPECT_EQ(status, -1);
  EXPECT_EQ(calls, 1);
}

TEST(Loop, RefusesToWatchAProcessThatIsGone) {
  Loop loop;
  const pid_t pid = child_that(0);
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  EXPECT_THROW((void)loop.add_child(pid, [](int) {}), Error);
}

TEST(Loop, RefusesABadDescriptor) {
  Loop loop;
  EXPECT_THROW((void)loop.add_io(-1, EPOLLIN, [](std::uint32_t) {}), Error);
}

TEST(Loop, AnotherThreadReachesItThroughAMailbox) {
  Loop loop;
  Mailbox<int> mailbox;
  std::vector<int> received;
  const EventSource source = loop.add_io(mailbox.fd(), EPOLLIN, [&](std::uint32_t) {
    for (const int message : mailbox.take()) received.push_back(message);
    if (received.size() == 100) loop.exit(0);
  });
  std::jthread sender([&] {
    for (int i = 0; i < 100; ++i) mailbox.post(i);
  });
  loop.run();
  ASSERT_EQ(received.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(received[static_cast<std::size_t>(i)], i);
}

TEST(Loop, NowIsTheBootClock) {
  const Loop loop;
  const Instant before = BootClock::now();
  const Instant now = loop.now();
  EXPECT_GE(now + 1ms, before);
  EXPECT_LE(now - 1ms, BootClock::now());
}

}  // namespace
}  // namespace vpntun::service
