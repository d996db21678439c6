#include "os/udp.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <tuple>

#include "os/address.h"
#include "os/route.h"
#include "os/tun.h"
#include "packet/build.h"
#include "refusing_kernel.h"
#include "two_sockets.h"

namespace vpntun::os {
namespace {

using packet::Batch;
using packet::SendVerdict;

constexpr std::uint8_t kPayload[] = {'h', 'e', 'l', 'l', 'o'};

class UdpTest : public TwoSocketsTest {
 protected:
  // Sends one packet of `size` bytes and returns it with its verdict.
  packet::Packet send_one(const Endpoint& remote, IpAddress local = {}, std::size_t size = 5) {
    Batch batch(1);
    packet::Packet& packet = batch.append(size);
    std::fill(packet.bytes.begin(), packet.bytes.end(), std::uint8_t{'x'});
    packet.remote = remote;
    packet.local = local;
    here().send(batch);
    return batch[0];
  }
  // What the far socket receives next.
  std::optional<packet::Packet> arrival() {
    if (!wait_readable(there().fd())) return std::nullopt;
    Batch batch(1);
    std::ignore = there().receive(batch);
    return batch.empty() ? std::nullopt : std::optional(batch[0]);
  }
  // Adds what the far socket has received.
  void collect(std::vector<packet::Bytes>& received) {
    Batch batch;
    std::ignore = there().receive(batch);
    for (const packet::Packet& packet : batch.packets())
      received.emplace_back(packet.bytes.begin(), packet.bytes.end());
  }
};

TEST_F(UdpTest, BothFamiliesPassThroughOnePort) {
  EXPECT_EQ(here().local_port(), 9090);
  for (const auto& [to, from] : {std::pair("10.9.0.2:4000", "10.9.0.1:9090"),
                                 std::pair("[fd00:9::2]:4000", "[fd00:9::1]:9090")}) {
    EXPECT_EQ(send_one(endpoint(to)).verdict, SendVerdict::kSent);
    const auto packet = arrival();
    ASSERT_TRUE(packet) << to;
    EXPECT_EQ(packet->remote, endpoint(from));
    EXPECT_EQ(packet->local, endpoint(to).address);
  }
}

TEST_F(UdpTest, ABatchArrivesInOrderAndWhole) {
  // Once each way resolved, neighbour discovery holds no packet back.
  for (const char* to : {"10.9.0.2:4000", "[fd00:9::2]:4000"}) {
    send_one(endpoint(to));
    ASSERT_TRUE(arrival());
  }
  Batch batch;
  for (std::uint8_t i = 0; i < packet::kBatchSize; ++i) {
    const std::vector<std::uint8_t> payload(std::size_t{i} + 1, i);
    batch.append_copy(payload).remote = endpoint(i % 2 == 0 ? "10.9.0.2:4000" : "[fd00:9::2]:4000");
  }
  here().send(batch);
  for (const packet::Packet& each : batch.packets()) EXPECT_EQ(each.verdict, SendVerdict::kSent);
  std::vector<packet::Bytes> received;
  EXPECT_TRUE(eventually([&] {
    collect(received);
    return received.size() == batch.size();
  }));
  for (std::size_t i = 0; i < received.size(); ++i)
    EXPECT_EQ(received[i], packet::Bytes(i + 1, static_cast<std::uint8_t>(i)));
}

TEST_F(UdpTest, AnEmptyDatagramIsReceivedAsSuch) {
  send_one(endpoint("10.9.0.2:4000"), {}, 0);
  const auto packet = arrival();
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->bytes.size(), 0u);
}

TEST_F(UdpTest, NothingWaitsNothingIsReceived) {
  Batch batch;
  std::ignore = here().receive(batch);
  EXPECT_TRUE(batch.empty());
  here().send(batch);
}

TEST_F(UdpTest, AnswersLeaveFromTheAddressThatWasAsked) {
  add_address(netlink(), left(), prefix("10.9.0.77/24"));
  add_address(netlink(), left(), prefix("fd00:9::77/64"));
  for (const auto& [to, from] :
       {std::pair("10.9.0.2:4000", "10.9.0.77"), std::pair("[fd00:9::2]:4000", "fd00:9::77")}) {
    EXPECT_EQ(send_one(endpoint(to), ip(from)).verdict, SendVerdict::kSent);
    const auto packet = arrival();
    ASSERT_TRUE(packet) << to;
    EXPECT_EQ(packet->remote, (Endpoint{ip(from), 9090}));
  }
}

TEST_F(UdpTest, ASourceAddressThatIsGoneIsDropped) {
  for (const auto& [to, gone, from] :
       {std::tuple("10.9.0.2:4000", "10.9.0.66", "10.9.0.1:9090"),
        std::tuple("[fd00:9::2]:4000", "fd00:9::66", "[fd00:9::1]:9090")}) {
    const packet::Packet sent = send_one(endpoint(to), ip(gone));
    EXPECT_EQ(sent.verdict, SendVerdict::kSent);
    EXPECT_TRUE(sent.local.is_unspecified());
    const auto packet = arrival();
    ASSERT_TRUE(packet) << to;
    EXPECT_EQ(packet->remote, endpoint(from));
  }
}

TEST_F(UdpTest, APacketTheKernelRefusesDoesNotStopTheOthers) {
  Batch batch;
  batch.append_copy(kPayload).remote = endpoint("10.9.0.2:4000");
  batch.append_copy(kPayload).remote = endpoint("203.0.113.1:4000");
  batch.append_copy(kPayload).remote = endpoint("[2001:db8::1]:4000");
  batch.append_copy(kPayload).remote = endpoint("10.9.0.2:0");
  batch.append_copy(kPayload).remote = endpoint("10.9.0.2:4000");
  here().send(batch);
  EXPECT_EQ(batch[0].verdict, SendVerdict::kSent);
  EXPECT_EQ(batch[1].verdict, SendVerdict::kRefused);
  EXPECT_EQ(batch[1].error_number, ENETUNREACH);
  EXPECT_EQ(batch[2].verdict, SendVerdict::kRefused);
  EXPECT_EQ(batch[2].error_number, ENETUNREACH);
  EXPECT_EQ(batch[3].verdict, SendVerdict::kRefused);
  EXPECT_EQ(batch[3].error_number, EINVAL);
  EXPECT_EQ(batch[4].verdict, SendVerdict::kSent);
  Batch received;
  EXPECT_TRUE(eventually([&] {
    std::ignore = there().receive(received);
    return received.size() == 2;
  }));
}

TEST_F(UdpTest, WhatAFullQueueOfTheInterfaceDropsIsNoRefusal) {
  for (const char* to : {"10.9.0.2:4000", "[fd00:9::2]:4000"}) {
    send_one(endpoint(to));
    ASSERT_TRUE(arrival()) << "the way is resolved";
  }
  ASSERT_EQ(std::system("tc qdisc add dev left root tbf rate 80bit burst 1600 limit 1600"), 0);
  for (const char* to : {"10.9.0.2:4000", "[fd00:9::2]:4000"}) {
    for (int i = 0; i < 3; ++i)
      EXPECT_NE(send_one(endpoint(to), {}, 1000).verdict, SendVerdict::kRefused);
    Batch run;
    for (int i = 0; i < 3; ++i) run.append(1000).remote = endpoint(to);
    here().send(run);
    for (const packet::Packet& packet : run.packets())
      EXPECT_EQ(packet.verdict, SendVerdict::kQueueFull) << to;
  }
}

TEST_F(UdpTest, AnOversizePacketIsRefusedWithThePathMtu) {
  for (const auto& [to, destination, headers] :
       {std::tuple("10.9.0.2:4000", "10.9.0.2/32", 28u),
        std::tuple("[fd00:9::2]:4000", "fd00:9::2/128", 48u)}) {
    EXPECT_EQ(send_one(endpoint(to), {}, 1500 - headers).verdict, SendVerdict::kSent);
    const packet::Packet refused = send_one(endpoint(to), {}, 1501 - headers);
    EXPECT_EQ(refused.verdict, SendVerdict::kTooBig);
    EXPECT_EQ(refused.path_mtu, 1500u);

    Route narrow;
    narrow.destination = prefix(destination);
    narrow.index = left();
    narrow.mtu = 1300;
    add_route(netlink(), narrow);
    EXPECT_EQ(here().path_mtu(endpoint(to)), 1300u);
    EXPECT_EQ(send_one(endpoint(to), {}, 1300 - headers).verdict, SendVerdict::kSent);
    const packet::Packet narrower = send_one(endpoint(to), {}, 1301 - headers);
    EXPECT_EQ(narrower.verdict, SendVerdict::kTooBig);
    EXPECT_EQ(narrower.path_mtu, 1300u);
  }
}

TEST_F(UdpTest, APacketThatMayBeCutArrivesWholeAndTheNextIsRefusedAsBefore) {
  for (const auto& [to, from] : {std::pair("10.9.0.2:4000", "10.9.0.1:9090"),
                                 std::pair("[fd00:9::2]:4000", "[fd00:9::1]:9090")}) {
    Batch batch(1);
    packet::Packet& packet = batch.append(4000);
    std::fill(packet.bytes.begin(), packet.bytes.end(), std::uint8_t{'x'});
    packet.remote = endpoint(to);
    packet.local = endpoint(from).address;
    packet.may_be_cut = true;
    here().send(batch);
    EXPECT_EQ(batch[0].verdict, SendVerdict::kSent);
    const auto arrived = arrival();
    ASSERT_TRUE(arrived) << to;
    EXPECT_EQ(arrived->bytes.size(), 4000u);
    EXPECT_EQ(arrived->remote, endpoint(from));
    EXPECT_EQ(send_one(endpoint(to), {}, 4000).verdict, SendVerdict::kTooBig);
  }
}

TEST_F(UdpTest, AnOversizePacketDoesNotStopTheOthers) {
  Batch batch;
  batch.append_copy(kPayload).remote = endpoint("10.9.0.2:4000");
  batch.append(2000).remote = endpoint("10.9.0.2:4000");
  batch.append_copy(kPayload).remote = endpoint("10.9.0.2:4000");
  here().send(batch);
  EXPECT_EQ(batch[0].verdict, SendVerdict::kSent);
  EXPECT_EQ(batch[1].verdict, SendVerdict::kTooBig);
  EXPECT_EQ(batch[2].verdict, SendVerdict::kSent);
}

TEST_F(UdpTest, PathMtuFollowsTheRouteAndIsUnknownWithoutOne) {
  EXPECT_EQ(here().path_mtu(endpoint("10.9.0.2:1")), 1500u);
  EXPECT_EQ(here().path_mtu(endpoint("127.0.0.1:1")), 65535u) << "no IPv4 packet is larger";
  EXPECT_EQ(here().path_mtu(endpoint("[fd00:9::2]:1")), 1500u);
  EXPECT_EQ(here().path_mtu(endpoint("203.0.113.1:1")), 0u);
  set_link_mtu(netlink(), left(), 1400);
  EXPECT_EQ(here().path_mtu(endpoint("10.9.0.2:1")), 1400u);
}

TEST_F(UdpTest, AnIcmpErrorDoesNotStopSendingOrReceiving) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(send_one(endpoint("10.9.0.2:4999")).verdict, SendVerdict::kSent);
    EXPECT_EQ(send_one(endpoint("10.9.0.2:4000")).verdict, SendVerdict::kSent);
    EXPECT_TRUE(arrival());
    Batch batch;
    std::ignore = here().receive(batch);
    EXPECT_TRUE(batch.empty());
  }
}

TEST_F(UdpTest, ATakenPortIsNamed) {
  EXPECT_THAT(error_of([] { UdpSocket::bind(9090); }),
              IsError(ErrorKind::kAddressInUse, "UDP port 9090 is in use"));
  const UdpSocket chosen = UdpSocket::bind(0);
  EXPECT_NE(chosen.local_port(), 0);
  EXPECT_THAT(error_of([&] { UdpSocket::bind(chosen.local_port()); }),
              IsError(ErrorKind::kAddressInUse, ""));
}

TEST_F(UdpTest, APrivilegedPortWithoutCapabilityIsDenied) {
  EXPECT_TRUE(without_capabilities([] {
    const auto error = error_of([] { UdpSocket::bind(53); });
    return error && error->kind() == ErrorKind::kAccessDenied;
  }));
}

TEST_F(UdpTest, TheMarkIsSetAndTheBuffersAreLarge) {
  const UdpSocket marked = UdpSocket::bind(0, {.mark = 0x51});
  int value = 0;
  socklen_t length = sizeof(value);
  ASSERT_EQ(::getsockopt(marked.fd(), SOL_SOCKET, SO_MARK, &value, &length), 0);
  EXPECT_EQ(value, 0x51);
  ASSERT_EQ(::getsockopt(marked.fd(), SOL_SOCKET, SO_RCVBUF, &value, &length), 0);
  EXPECT_GT(value, 0);
}

bool works_with_ipv4_only(UdpSocket& far) {
  UdpSocket socket = UdpSocket::bind(9091);
  Batch batch(2);
  batch.append_copy(kPayload).remote = endpoint("10.9.0.2:4000");
  batch.append_copy(kPayload).remote = endpoint("[fd00:9::2]:4000");
  socket.send(batch);
  if (socket.family() != Family::kIpv4 || batch[0].verdict != SendVerdict::kSent ||
      batch[1].verdict != SendVerdict::kRefused || batch[1].error_number != EAFNOSUPPORT)
    return false;
  if (socket.path_mtu(endpoint("10.9.0.2:1")) != 1500 || !wait_readable(far.fd())) return false;
  Batch received(2);
  std::ignore = far.receive(received);
  if (received.size() != 1 || received[0].remote != endpoint("10.9.0.1:9091")) return false;
  received[0].remote = endpoint("10.9.0.1:9091");
  far.send(received);
  if (!wait_readable(socket.fd())) return false;
  Batch answer(2);
  std::ignore = socket.receive(answer);
  return answer.size() == 1 && answer[0].remote == endpoint("10.9.0.2:4000") &&
         answer[0].local == ip("10.9.0.1");
}

TEST_F(UdpTest, WithoutIpv6InTheKernelIpv4Works) {
  const pid_t child = ::fork();
  if (child == 0) {
    refuse({.call = SYS_socket, .with = {{0, AF_INET6}}, .error_number = EAFNOSUPPORT});
    ::_exit(works_with_ipv4_only(there()) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// A whole tunnel by hand: what the host writes into one TUN leaves by UDP and is read from the TUN
// of the other host.
TEST_F(UdpTest, TwoHostsExchangePacketsThroughTunAndUdp) {
  Tun near_tun = Tun::open("tun0", TunKind::kTun);
  add_address(netlink(), near_tun.index(), prefix("192.168.53.99/24"));
  set_link_up(netlink(), near_tun.index(), true);
  std::optional<Tun> far_tun;
  std::optional<UdpSocket> far_program;
  {
    const NetnsScope scope(far());
    far_tun.emplace(Tun::open("tun0", TunKind::kTun));
    far_program.emplace(UdpSocket::bind(7));
  }
  add_address(far_netlink(), far_tun->index(), prefix("192.168.53.98/24"));
  set_link_up(far_netlink(), far_tun->index(), true);

  const auto carry = [](Tun& from, UdpSocket& out, const Endpoint& to, UdpSocket& in, Tun& into) {
    Batch batch;
    std::ignore = from.receive(batch);
    for (packet::Packet& packet : batch.packets()) packet.remote = to;
    out.send(batch);
    Batch arrived;
    std::ignore = in.receive(arrived);
    into.send(arrived);
  };
  UdpSocket program = UdpSocket::bind(5000);
  Batch request(1);
  request.append_copy(kPayload).remote = endpoint("192.168.53.98:7");
  program.send(request);
  Batch heard(1);
  EXPECT_TRUE(eventually([&] {
    carry(near_tun, here(), endpoint("10.9.0.2:4000"), there(), *far_tun);
    std::ignore = far_program->receive(heard);
    return heard.full();
  }));
  ASSERT_TRUE(heard.full());
  EXPECT_EQ(heard[0].remote, endpoint("192.168.53.99:5000"));
  far_program->send(heard);  // back to the sender, from the address that was asked
  Batch answer(1);
  EXPECT_TRUE(eventually([&] {
    carry(*far_tun, there(), endpoint("10.9.0.1:9090"), here(), near_tun);
    std::ignore = program.receive(answer);
    return answer.full();
  }));
  ASSERT_TRUE(answer.full());
  EXPECT_EQ(answer[0].remote, endpoint("192.168.53.98:7"));
  EXPECT_EQ(std::memcmp(answer[0].bytes.data(), kPayload, sizeof(kPayload)), 0);
}

}  // namespace
}  // namespace vpntun::os
