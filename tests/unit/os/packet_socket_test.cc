#include "os/packet_socket.h"

#include "kernel_test.h"
#include "os/address.h"
#include "os/tun.h"
#include "os/udp.h"
#include "packet/build.h"

namespace vpntun::os {
namespace {

using PacketSocketTest = TwoHostsTest;

packet::Bytes udp_packet() {
  const std::uint8_t payload[] = {'e', 'v', 'i', 'a', 'n'};
  return packet::build_udp({.source = ip("192.168.53.99"), .destination = ip("192.168.53.98")}, 1,
                           2, payload);
}

TEST_F(PacketSocketTest, BothDirectionsOfAnEthernetInterface) {
  PacketSocket capture = PacketSocket::open(left());
  EXPECT_TRUE(capture.ethernet());
  UdpSocket socket = UdpSocket::bind(0);
  packet::Batch batch(1);
  const std::uint8_t payload[] = {'h', 'i'};
  batch.append_copy(payload).remote = endpoint("10.9.0.2:4000");
  const auto before = std::chrono::system_clock::now();

  bool request = false;      // our datagram
  bool unreachable = false;  // the far host's ICMP answer: nobody listens there
  EXPECT_TRUE(eventually([&] {
    socket.send(batch);  // again: a host says so only so often, to all together
    while (const auto packet = capture.receive()) {
      EXPECT_GE(packet->time, before - std::chrono::seconds(1));
      EXPECT_LE(packet->time, std::chrono::system_clock::now());
      EXPECT_EQ(packet->original_length, packet->bytes.size());
      if (packet->bytes.size() < 34 || packet->bytes[12] != 0x08 || packet->bytes[13] != 0)
        continue;
      if (packet->bytes[23] == 17) request |= packet->outgoing;
      if (packet->bytes[23] == 1) unreachable |= !packet->outgoing;
    }
    return request && unreachable;
  }));
}

TEST_F(PacketSocketTest, ATunGivesBareIpPackets) {
  Tun tun = Tun::open("tun0", TunKind::kTun);
  set_link_up(netlink(), tun.index(), true);
  PacketSocket capture = PacketSocket::open(tun.index());
  EXPECT_FALSE(capture.ethernet());
  packet::Batch batch(1);
  const packet::Bytes sent = udp_packet();
  batch.append_copy(sent);
  tun.send(batch);
  std::vector<std::uint8_t> seen;
  EXPECT_TRUE(eventually([&] {
    while (const auto packet = capture.receive()) {
      if (packet->outgoing) continue;
      seen.assign(packet->bytes.begin(), packet->bytes.end());
    }
    return seen == sent;
  }));
}

TEST_F(PacketSocketTest, NothingWaitsNothingIsGiven) {
  Tun tun = Tun::open("tun0", TunKind::kTun);
  PacketSocket capture = PacketSocket::open(tun.index());
  EXPECT_FALSE(capture.receive());
  { const Tun gone = std::move(tun); }
  EXPECT_FALSE(capture.receive());
}

TEST_F(PacketSocketTest, LossIsCountedOnce) {
  Tun tun = Tun::open("tun0", TunKind::kTun);
  set_link_up(netlink(), tun.index(), true);
  PacketSocket capture = PacketSocket::open(tun.index());
  packet::Batch batch(1);
  batch.append(60000);
  std::fill(batch[0].bytes.begin(), batch[0].bytes.end(), std::uint8_t{0});
  batch[0].bytes[0] = 0x45;
  for (int i = 0; i < 600; ++i) tun.send(batch);
  EXPECT_TRUE(eventually([&] { return capture.take_lost() > 0; }));
  // What the kernel itself sends may be lost too.
  EXPECT_TRUE(eventually([&] { return capture.take_lost() == 0; }));
}

TEST_F(PacketSocketTest, ErrorsSayWhatIsMissing) {
  EXPECT_THAT(error_of([] { PacketSocket::open(4711); }),
              IsError(ErrorKind::kFailed, "capture on interface 4711"));
  const unsigned index = left();
  EXPECT_TRUE(without_capabilities([&] {
    const auto error = error_of([&] { PacketSocket::open(index); });
    return error && error->kind() == ErrorKind::kAccessDenied &&
           std::string(error->what()).find("CAP_NET_RAW") != std::string::npos;
  }));
}

}  // namespace
}  // namespace vpntun::os
