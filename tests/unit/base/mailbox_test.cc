#include "base/mailbox.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <thread>

namespace vpntun {
namespace {

bool is_readable(int fd, int timeout_ms) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, timeout_ms) == 1;
}

TEST(Mailbox, GivesMessagesInOrderOnce) {
  Mailbox<int> mailbox;
  mailbox.post(1);
  mailbox.post(2);
  EXPECT_EQ(mailbox.take(), (std::vector{1, 2}));
  EXPECT_TRUE(mailbox.take().empty());
  mailbox.post(3);
  EXPECT_EQ(mailbox.take(), std::vector{3});
}

TEST(Mailbox, IsReadableWhileAMessageWaits) {
  Mailbox<int> mailbox;
  EXPECT_FALSE(is_readable(mailbox.fd(), 0));
  mailbox.post(1);
  mailbox.post(2);
  EXPECT_TRUE(is_readable(mailbox.fd(), 0));
  mailbox.take();
  EXPECT_FALSE(is_readable(mailbox.fd(), 0));
}

TEST(Mailbox, CarriesWhatCanOnlyMove) {
  Mailbox<std::unique_ptr<int>> mailbox;
  mailbox.post(std::make_unique<int>(7));
  EXPECT_EQ(*mailbox.take().at(0), 7);
}

TEST(Mailbox, LosesNothingBetweenThreads) {
  struct Message {
    int sender;
    int number;
  };
  constexpr int kSenders = 4;
  constexpr int kMessages = 5000;
  Mailbox<Message> mailbox;
  std::vector<std::jthread> senders;
  for (int sender = 0; sender < kSenders; ++sender)
    senders.emplace_back([&mailbox, sender] {
      for (int number = 0; number < kMessages; ++number) mailbox.post({sender, number});
    });
  int next[kSenders] = {};
  for (int received = 0; received < kSenders * kMessages;) {
    ASSERT_TRUE(is_readable(mailbox.fd(), 60'000));
    for (const Message& message : mailbox.take()) {
      ASSERT_EQ(message.number, next[message.sender]++);
      ++received;
    }
  }
}

}  // namespace
}  // namespace vpntun
