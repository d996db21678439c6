// What ICMP says of datagrams, as the kernel hands it to their socket.
#include "os/udp_errors.h"

#include <poll.h>

#include <algorithm>
#include <vector>

#include "two_sockets.h"

namespace vpntun::os {
namespace {

using packet::Batch;
using packet::Obstacle;
using packet::SendVerdict;
using packet::Unreachable;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;

constexpr std::uint8_t kPayload[] = {'h', 'e', 'l', 'l', 'o'};

class UdpErrorsTest : public TwoSocketsTest {
 protected:
  bool has_error() {
    pollfd one{here().fd(), 0, 0};
    return ::poll(&one, 1, 0) == 1 && (one.revents & POLLERR) != 0;
  }
  void send_to(const std::string& remote) {
    Batch batch(1);
    batch.append_copy(kPayload).remote = endpoint(remote);
    here().send(batch);
    EXPECT_EQ(batch[0].verdict, SendVerdict::kSent);
  }
  // Whether the far socket receives one.
  bool arrives() {
    Batch received(1);
    if (wait_readable(there().fd())) std::ignore = there().receive(received);
    return received.full();
  }
  std::vector<Unreachable> told() {
    const auto unreachables = here().take_unreachable(has_error());
    return {unreachables.begin(), unreachables.end()};
  }
  std::vector<Unreachable> wait_told() {
    EXPECT_TRUE(eventually([&] { return has_error(); }));
    return told();
  }
  // The same of a datagram to a closed port. A host says so only so often, to all together, so it
  // is asked again when it says nothing. The way there is resolved: none waits for that.
  std::vector<Unreachable> told_of(const std::string& remote) {
    std::chrono::steady_clock::time_point again;
    EXPECT_TRUE(eventually([&] {
      const auto now = std::chrono::steady_clock::now();
      if (!has_error() && now >= again) {
        send_to(remote);
        again = now + std::chrono::seconds(1);
      }
      return has_error();
    }));
    return told();
  }
};

TEST_F(UdpErrorsTest, AClosedPortIsToldWithWhoSaysSo) {
  for (const auto& [open, to] : {std::pair("10.9.0.2:4000", "10.9.0.2:4001"),
                                 std::pair("[fd00:9::2]:4000", "[fd00:9::2]:4001")}) {
    send_to(open);
    ASSERT_TRUE(arrives());
    EXPECT_THAT(told_of(to), ElementsAre(Unreachable{endpoint(to), Obstacle::kPort,
                                                     endpoint(to).address, false}));
    EXPECT_FALSE(has_error()) << "nothing is left that wakes a loop";
    EXPECT_TRUE(told().empty());
  }
}

TEST_F(UdpErrorsTest, WhatThisHostSaysItselfIsKnownAsSuch) {
  for (const char* to : {"10.9.0.1:4001", "[fd00:9::1]:4001"}) {
    send_to(to);
    const auto unreachables = wait_told();
    ASSERT_EQ(unreachables.size(), 1u) << to;
    EXPECT_EQ(unreachables[0].remote, endpoint(to));
    EXPECT_TRUE(unreachables[0].said_here);
  }
}

// A closed port and an open one.
class UdpErrorsBetweenTest
    : public UdpErrorsTest,
      public testing::WithParamInterface<std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Families, UdpErrorsBetweenTest,
                         testing::Values(std::pair("127.0.0.1:4001", "10.9.0.2:4000"),
                                         std::pair("[::1]:4001", "[fd00:9::2]:4000")),
                         [](const auto& ports) {
                           return ports.param.first[0] == '[' ? "Ipv6" : "Ipv4";
                         });

TEST_P(UdpErrorsBetweenTest, AnErrorOfOneDatagramStopsNoOther) {
  const auto& [closed, open] = GetParam();
  send_to(open);  // neighbour discovery holds no packet back
  ASSERT_TRUE(arrives());
  Batch batch;
  while (!batch.full())
    batch.append_copy(kPayload).remote = endpoint(batch.size() % 2 == 0 ? closed : open);
  here().send(batch);
  for (const packet::Packet& sent : batch.packets()) EXPECT_EQ(sent.verdict, SendVerdict::kSent);
  Batch received;
  EXPECT_TRUE(eventually([&] {
    std::ignore = there().receive(received);
    return received.size() == batch.size() / 2;
  })) << received.size();
  EXPECT_THAT(wait_told(), ElementsAre(AllOf(Field(&Unreachable::remote, endpoint(closed)),
                                             Field(&Unreachable::obstacle, Obstacle::kPort))))
      << "the same is told once";
}

TEST_F(UdpErrorsTest, ReceivingGoesOnPastThem) {
  send_to("127.0.0.1:4001");
  Batch answer(1);
  answer.append_copy(kPayload).remote = endpoint("10.9.0.1:9090");
  there().send(answer);
  EXPECT_TRUE(eventually([&] { return has_error() && wait_readable(here().fd()); }));
  Batch received;
  EXPECT_TRUE(eventually([&] {
    std::ignore = here().receive(received);
    return received.size() == 1;
  }));
  EXPECT_EQ(told().size(), 1u) << "what receiving met is told too";
}

TEST_F(UdpErrorsTest, OfAFloodAPartIsKeptAndNothingIsLeft) {
  for (int round = 0; round < 4; ++round) {
    Batch batch;
    for (std::uint16_t port = 1; !batch.full(); ++port) {
      Endpoint closed = endpoint("127.0.0.1:1");
      closed.port = static_cast<std::uint16_t>(1000 * (round + 1) + port);
      batch.append_copy(kPayload).remote = closed;
    }
    here().send(batch);
  }
  std::size_t most = 0;
  EXPECT_TRUE(eventually([&] {
    most = std::max(most, told().size());
    return most > 0 && !has_error();
  }));
  EXPECT_LE(most, 32u);
  send_to("10.9.0.2:4000");
  EXPECT_TRUE(wait_readable(there().fd()));
}

TEST_F(UdpErrorsTest, ADatagramTooLargeIsNobodysWord) {
  Batch batch(1);
  batch.append(3000).remote = endpoint("10.9.0.2:4000");
  here().send(batch);
  EXPECT_EQ(batch[0].verdict, SendVerdict::kTooBig);
  EXPECT_EQ(batch[0].path_mtu, 1500u);
  EXPECT_TRUE(told().empty());
  EXPECT_FALSE(has_error());
}

TEST_F(UdpErrorsTest, AnAdoptedSocketIsAskedForThemToo) {
  const int fd = ::dup(here().fd());
  UniqueFd kept(fd);
  UdpSocket adopted = UdpSocket::adopt(kept, 9090);
  Batch batch(1);
  batch.append_copy(kPayload).remote = endpoint("10.9.0.1:4001");
  adopted.send(batch);
  EXPECT_TRUE(eventually([&] { return has_error(); }));
  EXPECT_EQ(adopted.take_unreachable(true).size(), 1u);
}

}  // namespace
}  // namespace vpntun::os
