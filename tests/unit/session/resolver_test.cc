#include "session/resolver.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "values.h"

namespace vpntun::session {
namespace {

using namespace std::chrono_literals;
using Answers = std::vector<std::pair<std::size_t, NameAnswer>>;

// A test that gets no answer fails instead of hanging.
service::EventSource give_up_later(service::Loop& loop) {
  return loop.add_timer(loop.now() + 60s, [&] { loop.exit(1); });
}

TEST(Resolver, AnswersFromTheLoopWithThePeerThatAsked) {
  service::Loop loop;
  const auto limit = give_up_later(loop);
  Answers answers;
  const auto control = std::this_thread::get_id();
  Resolver resolver(
      loop,
      [&](std::size_t peer, const NameAnswer& answer) {
        EXPECT_EQ(std::this_thread::get_id(), control);
        answers.emplace_back(peer, answer);
        loop.exit(0);
      },
      [&](const std::string& host, std::uint16_t port) {
        EXPECT_NE(std::this_thread::get_id(), control);
        EXPECT_EQ(host, "vpn.example.org");
        return NameAnswer{{Endpoint{address("10.0.2.8"), port}}, {}};
      });
  resolver.ask(7, "vpn.example.org", 9090);
  EXPECT_TRUE(resolver.busy());
  ASSERT_EQ(loop.run(), 0);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].first, 7u);
  EXPECT_EQ(answers[0].second.endpoints.at(0), endpoint("10.0.2.8:9090"));
  EXPECT_FALSE(resolver.busy());
}

TEST(Resolver, LooksUpOneNameAtATimeInOrder) {
  service::Loop loop;
  const auto limit = give_up_later(loop);
  std::vector<std::size_t> order;
  std::atomic<int> running = 0;
  Resolver resolver(
      loop,
      [&](std::size_t peer, const NameAnswer&) {
        order.push_back(peer);
        if (order.size() == 3) loop.exit(0);
      },
      [&](const std::string&, std::uint16_t) {
        EXPECT_EQ(++running, 1);
        std::this_thread::yield();
        --running;
        return NameAnswer{{}, "none"};
      });
  for (const std::size_t peer : {2u, 0u, 1u}) resolver.ask(peer, "name", 1);
  ASSERT_EQ(loop.run(), 0);
  EXPECT_EQ(order, (std::vector<std::size_t>{2, 0, 1}));
}

TEST(Resolver, WithoutAThreadTheNameIsNotResolvedThatTime) {
  service::Loop loop;
  const auto limit = give_up_later(loop);
  std::vector<NameAnswer> answers;
  Resolver resolver(
      loop,
      [&](std::size_t, const NameAnswer& answer) {
        answers.push_back(answer);
        loop.exit(0);
      },
      [](const std::string&, std::uint16_t) {
        return NameAnswer{{}, "looked up"};
      });
  pthread_attr_t before;
  pthread_attr_t too_large;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  ASSERT_EQ(pthread_attr_init(&too_large), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&too_large, std::size_t{1} << 47), 0);
  ASSERT_EQ(pthread_setattr_default_np(&too_large), 0);
  resolver.ask(0, "name", 1);
  ASSERT_EQ(pthread_setattr_default_np(&before), 0);
  ASSERT_EQ(loop.run(), 0);
  resolver.ask(0, "name", 1);
  ASSERT_EQ(loop.run(), 0);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_NE(answers[0].failure, "looked up");
  EXPECT_EQ(answers[1].failure, "looked up");
  pthread_attr_destroy(&before);
  pthread_attr_destroy(&too_large);
}

TEST(Resolver, GoesAwayWithoutWaitingForALookup) {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
    bool passed = false;
  };
  const auto gate = std::make_shared<Gate>();
  {
    service::Loop loop;
    Resolver resolver(
        loop, [](std::size_t, const NameAnswer&) { FAIL() << "nobody waits for this"; },
        [gate](const std::string&, std::uint16_t) {
          std::unique_lock lock(gate->mutex);
          gate->changed.wait(lock, [&] { return gate->open; });
          gate->passed = true;
          gate->changed.notify_all();
          return NameAnswer{};
        });
    resolver.ask(0, "slow.example.org", 1);
  }
  std::unique_lock lock(gate->mutex);
  EXPECT_FALSE(gate->passed);
  gate->open = true;
  gate->changed.notify_all();
  EXPECT_TRUE(gate->changed.wait_for(lock, 60s, [&] { return gate->passed; }));
}

TEST(Resolver, TheSystemsLookupKnowsLocalhost) {
  const NameAnswer answer = Resolver::system_lookup("localhost", 9090);
  ASSERT_FALSE(answer.endpoints.empty()) << answer.failure;
  for (const Endpoint& found : answer.endpoints) {
    EXPECT_TRUE(found.address.is_loopback());
    EXPECT_EQ(found.port, 9090);
  }
}

TEST(Resolver, TheSystemsLookupSaysWhyThereIsNoAddress) {
  const NameAnswer answer = Resolver::system_lookup("no name at all", 9090);
  EXPECT_TRUE(answer.endpoints.empty());
  EXPECT_FALSE(answer.failure.empty());
}

}  // namespace
}  // namespace vpntun::session
