// Several sockets at one port: which sender comes to which, who is refused the port, and what a
// later process may go on with.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "kernel_test.h"
#include "os/udp.h"
#include "os/udp_message.h"

namespace vpntun::os {
namespace {

using packet::Batch;
using packet::Obstacle;
using packet::Unreachable;

constexpr std::uint16_t kPort = 9090;
constexpr std::uint16_t kFirstSender = 20000;  // port
constexpr std::uint16_t kSenders = 64;
constexpr std::uint16_t kErrors = 5;  // ICMP errors that the kernel sends without a pause
constexpr std::size_t kSockets = 4;
const std::vector<std::pair<std::string, std::string>> kFarAndHere{{"10.9.0.2", "10.9.0.1"},
                                                                   {"fd00:9::2", "fd00:9::1"}};

std::vector<UniqueFd> copies_of(const std::vector<UdpSocket>& group) {
  std::vector<UniqueFd> copies;
  for (const UdpSocket& socket : group)
    copies.emplace_back(::fcntl(socket.fd(), F_DUPFD_CLOEXEC, 0));
  return copies;
}

int option_of(int fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof(value);
  EXPECT_EQ(::getsockopt(fd, level, option, &value, &length), 0);
  return value;
}

class UdpGroupTest : public TwoHostsTest {
 protected:
  void SetUp() override {
    TwoHostsTest::SetUp();
    group_ = UdpSocket::bind_group(kPort, kSockets);
  }

  // The far host sends a datagram from this address and port, from which nobody sends now.
  void send_from(const Endpoint& far_end, const IpAddress& to) {
    const NetnsScope scope(far());
    const Family family = to.is_v4() ? Family::kIpv4 : Family::kIpv6;
    const UniqueFd fd(::socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address{};
    socklen_t length = encode_endpoint(far_end, family, address);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    length = encode_endpoint({to, kPort}, family, address);
    ASSERT_EQ(
        ::sendto(fd.get(), "hello", 5, 0, reinterpret_cast<const sockaddr*>(&address), length), 5);
  }
  // The socket that hears a datagram from there.
  std::size_t hearer_of(const Endpoint& far_end, const IpAddress& to) {
    send_from(far_end, to);
    std::optional<std::size_t> hearer;
    EXPECT_TRUE(eventually([&] {
      for (std::size_t i = 0; i < group_.size(); ++i) {
        Batch batch;
        std::ignore = group_[i].receive(batch);
        if (!batch.empty()) hearer = i;
      }
      return hearer.has_value();
    })) << far_end.to_string();
    return hearer.value_or(kSockets);
  }
  std::vector<std::size_t> hearers(const std::string& far_host, const std::string& here) {
    std::vector<std::size_t> hearers;
    for (std::uint16_t i = 0; i < kSenders; ++i)
      hearers.push_back(
          hearer_of({ip(far_host), static_cast<std::uint16_t>(kFirstSender + i)}, ip(here)));
    return hearers;
  }

  std::vector<UdpSocket> group_;
};

TEST_F(UdpGroupTest, SendersAreSpreadAndEachIsHeardByOne) {
  for (const auto& [far_host, here] : kFarAndHere) {
    const std::vector<std::size_t> first = hearers(far_host, here);
    EXPECT_EQ(std::set(first.begin(), first.end()).size(), kSockets) << far_host;
    EXPECT_EQ(hearers(far_host, here), first);
  }
}

TEST_F(UdpGroupTest, EachSendsFromThePort) {
  const NetnsScope scope(far());
  UdpSocket there = UdpSocket::bind(4000);
  for (UdpSocket& socket : group_) {
    EXPECT_EQ(socket.local_port(), kPort);
    Batch batch;
    batch.append(5).remote = endpoint("10.9.0.2:4000");
    socket.send(batch);
    ASSERT_TRUE(wait_readable(there.fd()));
    Batch received;
    std::ignore = there.receive(received);
    ASSERT_EQ(received.size(), 1u);
    EXPECT_EQ(received[0].remote, endpoint("10.9.0.1:9090"));
  }
}

TEST_F(UdpGroupTest, WhatIcmpSaysComesToTheOneThatHearsThePeer) {
  for (std::uint16_t i = 0; i < kErrors; ++i) {
    const Endpoint peer{ip("10.9.0.2"), static_cast<std::uint16_t>(kFirstSender + i)};
    const std::size_t hearer = hearer_of(peer, ip("10.9.0.1"));  // the port is closed again
    pollfd one{group_[hearer].fd(), 0, 0};
    ASSERT_TRUE(eventually([&] {  // again: a host says so only so often, to all together
      Batch batch;
      batch.append(5).remote = peer;
      group_[(hearer + 1) % kSockets].send(batch);
      return ::poll(&one, 1, 1000) == 1;
    }));
    const auto told = group_[hearer].take_unreachable(true);
    EXPECT_FALSE(told.empty());
    EXPECT_THAT(told, testing::Each(Unreachable{peer, Obstacle::kPort, peer.address, false}));
  }
}

TEST_F(UdpGroupTest, NobodyElseGetsThePort) {
  for (const std::size_t count : {1, 2})
    EXPECT_THAT(error_of([&] { UdpSocket::bind_group(kPort, count); }),
                IsError(ErrorKind::kAddressInUse, "UDP port 9090 is in use"));
  group_.clear();
  const UdpSocket alone = UdpSocket::bind(kPort);
  EXPECT_THAT(error_of([] { UdpSocket::bind_group(kPort, 2); }),
              IsError(ErrorKind::kAddressInUse, "UDP port 9090 is in use"));
}

TEST_F(UdpGroupTest, TheKernelChoosesOnePortForAll) {
  const std::vector<UdpSocket> others = UdpSocket::bind_group(0, kSockets);
  EXPECT_NE(others[0].local_port(), 0);
  for (const UdpSocket& socket : others) EXPECT_EQ(socket.local_port(), others[0].local_port());
}

TEST_F(UdpGroupTest, OptionsAreThoseOfEach) {
  group_.clear();
  for (const UdpSocket& socket : UdpSocket::bind_group(kPort, kSockets, {.mark = 7}))
    EXPECT_EQ(option_of(socket.fd(), SOL_SOCKET, SO_MARK), 7);
}

TEST_F(UdpGroupTest, OneAloneSharesNothing) {
  const std::vector<UdpSocket> one = UdpSocket::bind_group(0, 1);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(option_of(one[0].fd(), SOL_SOCKET, SO_REUSEPORT), 0);
}

TEST_F(UdpGroupTest, AllGoOnInALaterProcessAndHearWhomTheyHeard) {
  const std::vector<std::size_t> before = hearers("10.9.0.2", "10.9.0.1");
  std::vector<UniqueFd> kept = copies_of(group_);
  group_.clear();
  send_from(endpoint("10.9.0.2:30000"), ip("10.9.0.1"));
  for (const std::uint16_t port : {kPort, std::uint16_t{0}}) {
    group_ = UdpSocket::adopt_group(kept, port, {.mark = 7});
    for (const UniqueFd& fd : kept) EXPECT_FALSE(fd) << "it is the object's now";
    for (const UdpSocket& socket : group_)
      EXPECT_EQ(option_of(socket.fd(), SOL_SOCKET, SO_MARK), 7);
    kept = copies_of(group_);
  }
  const auto has_waiting = [](UdpSocket& socket) {
    Batch batch;
    std::ignore = socket.receive(batch);
    return !batch.empty();
  };
  EXPECT_TRUE(eventually([&] { return std::ranges::count_if(group_, has_waiting) == 1; }))
      << "nothing was lost";
  EXPECT_EQ(hearers("10.9.0.2", "10.9.0.1"), before);
}

std::optional<Error> refusal(std::vector<UniqueFd>& fds, std::uint16_t port = kPort) {
  std::optional<Error> error = error_of([&] { UdpSocket::adopt_group(fds, port); });
  for (const UniqueFd& fd : fds) EXPECT_TRUE(fd) << "it stays the caller's";
  return error;
}

TEST_F(UdpGroupTest, WhatIsNoGroupIsRefused) {
  std::vector<UniqueFd> kept = copies_of(group_);
  EXPECT_THAT(refusal(kept, 9091), IsError(ErrorKind::kFailed, "9090"));
  kept[1] = std::move(copies_of(group_)[0]);
  EXPECT_THAT(refusal(kept), IsError(ErrorKind::kFailed, "twice"));
  kept.resize(1);
  EXPECT_THAT(refusal(kept), IsError(ErrorKind::kFailed, "one of several"));

  const std::vector<UdpSocket> others = UdpSocket::bind_group(0, 2);
  kept = copies_of(group_);
  kept[1] = std::move(copies_of(others)[0]);
  EXPECT_THAT(refusal(kept, 0), IsError(ErrorKind::kFailed, "bound to"));

  const UdpSocket alone = UdpSocket::bind(0);
  kept.clear();
  for (int i = 0; i < 2; ++i) kept.emplace_back(::fcntl(alone.fd(), F_DUPFD_CLOEXEC, 0));
  EXPECT_THAT(refusal(kept, 0), IsError(ErrorKind::kFailed, "none of several"));
}

}  // namespace
}  // namespace vpntun::os
