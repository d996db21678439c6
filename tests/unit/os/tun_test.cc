#include "os/tun.h"

#include <poll.h>
#include <sys/mount.h>

#include <cerrno>
#include <tuple>

#include "kernel_test.h"
#include "os/address.h"
#include "os/route.h"
#include "os/udp.h"
#include "packet/build.h"

namespace vpntun::os {
namespace {

using TunTest = KernelTest;
using packet::Batch;
using packet::SendVerdict;

constexpr std::uint8_t kPayload[] = {'e', 'v', 'i', 'a', 'n'};

TEST_F(TunTest, TheKernelResolvesTheNamePattern) {
  const Tun first = Tun::open("zhang%d", TunKind::kTun);
  const Tun second = Tun::open("zhang%d", TunKind::kTap);
  EXPECT_EQ(first.name(), "zhang0");
  EXPECT_EQ(second.name(), "zhang1");
  const Link link = get_link(netlink(), first.index());
  EXPECT_EQ(link.name, "zhang0");
  EXPECT_EQ(link.kind, "tun");
  EXPECT_FALSE(link.up);
  EXPECT_EQ(link.mac, MacAddress{});
  EXPECT_NE(get_link(netlink(), second.index()).mac, MacAddress{})
      << "a TAP interface has a MAC address";
}

TEST_F(TunTest, TheInterfaceLivesAsLongAsTheObject) {
  {
    const Tun tun = Tun::open("tun0", TunKind::kTun);
    EXPECT_TRUE(find_link(netlink(), "tun0"));
  }
  EXPECT_FALSE(find_link(netlink(), "tun0"));
}

TEST_F(TunTest, ATakenNameIsNamed) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  const Netns here = Netns::current();
  create_veth(netlink(), "veth0", "veth1", here.fd());
  ASSERT_EQ(std::system("ip tuntap add dev kept0 mode tun"), 0);
  for (const char* name : {"tun0", "veth0", "lo", "kept0"}) {
    for (const TunKind kind : {TunKind::kTun, TunKind::kTap})
      EXPECT_THAT(
          error_of([&] { Tun::open(name, kind); }),
          IsError(ErrorKind::kInterfaceExists, fmt::format("interface {} exists already", name)));
  }
  EXPECT_EQ(get_link(netlink(), "kept0").kind, "tun");
}

TEST_F(TunTest, WhatIsNoInterfaceNameIsRefused) {
  for (const std::string name :
       {"", "a/b", "a b", "sixteen-bytes-xx", ".", "..", "tun%s", "t%d%d", "tun%", "a:b", "a\n"})
    EXPECT_THAT(error_of([&] { Tun::open(name, TunKind::kTun); }),
                IsError(ErrorKind::kInvalidArguments, name));
}

TEST_F(TunTest, LacksCapabilitySaysSo) {
  EXPECT_TRUE(without_capabilities([] {
    const auto error = error_of([] { Tun::open("tun0", TunKind::kTun); });
    return error && error->kind() == ErrorKind::kAccessDenied &&
           std::string(error->what()).find("CAP_NET_ADMIN") != std::string::npos;
  }));
}

TEST_F(TunTest, AMissingDeviceSaysWhatToDo) {
  ASSERT_EQ(::mount("none", "/dev/net", "tmpfs", 0, nullptr), 0);
  EXPECT_THAT(error_of([] { Tun::open("tun0", TunKind::kTun); }),
              IsError(ErrorKind::kNotSupported, "modprobe tun"));
}

class TunPacketsTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    tun_.emplace(Tun::open("tun0", TunKind::kTun));
    set_link_up(netlink(), tun_->index(), true);
    add_address(netlink(), tun_->index(), prefix("192.168.53.99/24"));
    add_address(netlink(), tun_->index(), prefix("fd53::99/64"));
    ASSERT_TRUE(becomes_local(netlink(), "fd53::99"));
    socket_.emplace(UdpSocket::bind(5353));
  }

  std::optional<Tun> tun_;
  std::optional<UdpSocket> socket_;
};

TEST_F(TunPacketsTest, WhatTheHostSendsIsReadWhole) {
  Batch batch;
  batch.append_copy(kPayload).remote = endpoint("[fd53::1]:7");
  socket_->send(batch);
  ASSERT_EQ(batch[0].verdict, SendVerdict::kSent);
  const packet::Bytes expected = packet::build_udp(
      {.source = ip("fd53::99"), .destination = ip("fd53::1")}, 5353, 7, kPayload);
  // Flow label and the kernel's other choices in the first four bytes are not ours to predict.
  EXPECT_TRUE(eventually([&] {
    Batch received;
    EXPECT_EQ(tun_->receive(received), packet::Reading::kDrained);
    for (const packet::Packet& each : received.packets()) {
      if (each.bytes.size() == expected.size() &&
          std::equal(expected.begin() + 4, expected.end(), each.bytes.begin() + 4))
        return true;
    }
    return false;
  }));
}

TEST_F(TunPacketsTest, WhatIsWrittenReachesTheHost) {
  Batch batch;
  batch.append_copy(packet::build_udp(
      {.source = ip("192.168.53.1"), .destination = ip("192.168.53.99")}, 7, 5353, kPayload));
  batch.append_copy(packet::build_udp({.source = ip("fd53::1"), .destination = ip("fd53::99")}, 8,
                                      5353, kPayload));
  tun_->send(batch);
  EXPECT_EQ(batch[0].verdict, SendVerdict::kSent);
  EXPECT_EQ(batch[1].verdict, SendVerdict::kSent);
  Batch received;
  EXPECT_TRUE(eventually([&] {
    std::ignore = socket_->receive(received);
    return received.size() == 2;
  }));
  EXPECT_EQ(received[0].remote, endpoint("192.168.53.1:7"));
  EXPECT_EQ(received[0].local, ip("192.168.53.99"));
  EXPECT_EQ(received[1].remote, endpoint("[fd53::1]:8"));
  EXPECT_EQ(received[1].local, ip("fd53::99"));
}

TEST_F(TunPacketsTest, APacketTheKernelRefusesDoesNotStopTheOthers) {
  Batch batch;
  batch.append_copy(kPayload);  // its first nibble, 6, passes for IPv6
  batch.append_copy(std::vector<std::uint8_t>{0x10, 0, 0, 0});
  batch.append(0);
  batch.append_copy(packet::build_udp(
      {.source = ip("192.168.53.1"), .destination = ip("192.168.53.99")}, 7, 5353, kPayload));
  tun_->send(batch);
  EXPECT_EQ(batch[1].verdict, SendVerdict::kRefused);
  EXPECT_EQ(batch[1].error_number, EINVAL);
  EXPECT_EQ(batch[2].verdict, SendVerdict::kRefused);
  EXPECT_EQ(batch[3].verdict, SendVerdict::kSent);
  EXPECT_TRUE(wait_readable(socket_->fd()));
}

TEST_F(TunPacketsTest, ReceiveStopsAtTheCapacityOfTheBatch) {
  Batch batch(8);
  for (int i = 0; i < 8; ++i) batch.append_copy(kPayload).remote = endpoint("192.168.53.1:7");
  socket_->send(batch);
  Batch three(3);
  packet::Reading reading{};
  EXPECT_TRUE(eventually([&] {  // what the kernel itself says may come before them
    reading = tun_->receive(three);
    return three.full();
  }));
  EXPECT_EQ(reading, packet::Reading::kMore);
  std::size_t rest = 0;
  EXPECT_TRUE(eventually([&] {
    Batch more(16);
    EXPECT_EQ(tun_->receive(more), packet::Reading::kDrained);
    return (rest += more.size()) >= 5;
  }));
}

TEST_F(TunPacketsTest, AnInterfaceThatIsDownTakesAndGivesNothing) {
  set_link_up(netlink(), tun_->index(), false);
  Batch drained;
  EXPECT_EQ(tun_->receive(drained), packet::Reading::kDrained);
  Batch batch;
  EXPECT_EQ(tun_->receive(batch), packet::Reading::kDrained);
  EXPECT_TRUE(batch.empty());
  batch.append_copy(packet::build_udp(
      {.source = ip("192.168.53.1"), .destination = ip("192.168.53.99")}, 7, 5353, kPayload));
  tun_->send(batch);
  EXPECT_EQ(batch[0].verdict, SendVerdict::kRefused);
  EXPECT_EQ(batch[0].error_number, EIO);
}

TEST_F(TunPacketsTest, ADeletedInterfaceIsGoneForGood) {
  delete_link(netlink(), tun_->index());
  pollfd wanted{.fd = tun_->fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wanted, 1, 5000), 1);
  EXPECT_NE(wanted.revents & POLLERR, 0);
  Batch batch;
  EXPECT_EQ(tun_->receive(batch), packet::Reading::kGone);
  batch.append_copy(kPayload);
  tun_->send(batch);
  EXPECT_EQ(batch[0].verdict, SendVerdict::kRefused);
}

TEST_F(TunTest, ATapGivesEthernetFrames) {
  Tun tap = Tun::open("tap0", TunKind::kTap);
  add_address(netlink(), tap.index(), prefix("192.168.53.99/24"));
  set_link_up(netlink(), tap.index(), true);
  UdpSocket socket = UdpSocket::bind(0);
  Batch batch;
  batch.append_copy(kPayload).remote = endpoint("192.168.53.1:7");
  socket.send(batch);
  const MacAddress mac = get_link(netlink(), tap.index()).mac;
  const packet::Bytes who_has =
      packet::build_arp_request(mac, ip("192.168.53.99"), ip("192.168.53.1"));
  EXPECT_TRUE(eventually([&] {
    Batch received;
    EXPECT_EQ(tap.receive(received), packet::Reading::kDrained);
    for (const packet::Packet& each : received.packets())
      if (packet::Bytes(each.bytes.begin(), each.bytes.end()) == who_has) return true;
    return false;
  }));
}

}  // namespace
}  // namespace vpntun::os
