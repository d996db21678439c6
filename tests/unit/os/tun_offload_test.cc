// Superpackets, in both directions: what we cut is what the kernel would have cut, what we merge
// the kernel takes for what it was, and without any of it packets pass one by one.
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fstream>

#include "../packet/traffic.h"
#include "kernel_test.h"
#include "os/address.h"
#include "os/route.h"
#include "os/tun.h"
#include "os/tun_reader.h"
#include "os/tun_writer.h"

namespace vpntun::os {
namespace {

using packet::Batch;
using packet::Bytes;
using packet::Chance;
using packet::Offload;
using packet::Shape;
using Header = std::array<std::uint8_t, packet::kVnetHeader>;

constexpr TunOptions kForbidden{.tcp_superpackets = false, .udp_superpackets = false};

bool is_flow(std::span<const std::uint8_t> bytes, TunKind kind) {
  const auto ip = packet::IpView::parse(kind == TunKind::kTun ? bytes : packet::ip_of_frame(bytes));
  return ip && (ip->protocol() == packet::kProtocolTcp || ip->protocol() == packet::kProtocolUdp);
}

// The TCP and UDP packets that wait, without what the kernel itself has to say.
std::vector<Bytes> waiting_flows(Tun& tun, TunKind kind,
                                 std::size_t capacity = packet::kBatchSize) {
  std::vector<Bytes> packets;
  Batch batch(capacity, 0);
  packet::Reading reading = packet::Reading::kMore;
  while (reading == packet::Reading::kMore) {
    batch.clear();
    reading = tun.receive(batch);
    for (const packet::Packet& each : batch.packets())
      if (is_flow(each.bytes, kind)) packets.emplace_back(each.bytes.begin(), each.bytes.end());
  }
  return packets;
}

// So many of them, or more: as many as there are when there are enough.
std::vector<Bytes> flows(Tun& tun, TunKind kind, std::size_t count,
                         std::size_t capacity = packet::kBatchSize) {
  std::vector<Bytes> packets;
  eventually([&] {
    std::ranges::move(waiting_flows(tun, kind, capacity), std::back_inserter(packets));
    return packets.size() >= count;
  });
  return packets;
}

// Sends what any program with CAP_NET_RAW may send out of an interface: bytes with work left
// undone.
class Injector {
 public:
  Injector() : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    EXPECT_EQ(::setsockopt(fd_.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
  }
  bool send(unsigned interface, const Bytes& bytes, const Offload& offload, const Shape& shape) {
    Header header{};
    packet::encode_vnet_header(offload, header);
    iovec pieces[] = {{header.data(), header.size()},
                      {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}};
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(interface);
    const bool tagged = shape.ethernet.size() > packet::kEthernetHeader;
    to.sll_protocol = htons(tagged ? ETH_P_8021Q : shape.v4 ? ETH_P_IP : ETH_P_IPV6);
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof(to);
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    return ::sendmsg(fd_.get(), &message, 0) >= 0;
  }

 private:
  UniqueFd fd_;
};

class TunOffloadTest : public KernelTest {
 protected:
  Tun open_up(const std::string& name, TunKind kind, const TunOptions& options = {}) {
    Tun tun = Tun::open(name, kind, options);
    set_link_mtu(netlink(), tun.index(), 9000);
    set_link_up(netlink(), tun.index(), true);
    return tun;
  }
  static bool has_udp(const Tun& tun) { return tun.offloads()[2].on(); }
};

TEST_F(TunOffloadTest, ASuperpacketIsCutAsTheKernelCutsIt) {
  Chance chance;
  PRINT_SEED(chance);
  Injector injector;
  for (const TunKind kind : {TunKind::kTun, TunKind::kTap}) {
    Tun ours = open_up("ours%d", kind);
    Tun kernels = open_up("kernels%d", kind, kForbidden);
    for (int round = 0; round < 150; ++round) {
      Shape shape = packet::random_shape(chance);
      if (!shape.tcp && !has_udp(ours)) continue;
      shape.ethernet =
          kind == TunKind::kTap ? packet::ethernet_header(chance.between(0, 1) != 0) : Bytes{};
      const Bytes payload = chance.bytes(chance.between(2, round % 10 == 0 ? 60000 : 9000));
      const std::size_t size =
          chance.between(payload.size() / 60 + 1, std::min<std::size_t>(payload.size() - 1, 8500));
      const Bytes superpacket = packet::unfinished(shape, payload);
      Offload offload = packet::offload_of(shape, size);
      offload.ecn = shape.tcp && (shape.flags & packet::TcpView::kCwr) != 0;
      for (const Tun* tun : {&ours, &kernels})
        ASSERT_TRUE(injector.send(tun->index(), superpacket, offload, shape))
            << std::strerror(errno);
      const std::size_t count = (payload.size() + size - 1) / size;
      const std::vector<Bytes> wanted = flows(kernels, kind, count);
      ASSERT_EQ(wanted.size(), count);
      ASSERT_EQ(flows(ours, kind, count, chance.between(1, 64)), wanted) << "round " << round;
    }
  }
}

TEST_F(TunOffloadTest, AMissingChecksumIsCompletedAsTheKernelCompletesIt) {
  Chance chance;
  PRINT_SEED(chance);
  Injector injector;
  Tun ours = open_up("ours%d", TunKind::kTun);
  Tun kernels = open_up("kernels%d", TunKind::kTun, kForbidden);
  for (int round = 0; round < 100; ++round) {
    Shape shape = packet::random_shape(chance);
    shape.ethernet.clear();
    const Bytes bytes = packet::unfinished(shape, chance.bytes(chance.between(0, 5000)));
    Offload offload = packet::offload_of(shape, 0);
    offload.segmentation = packet::Segmentation::kNone;
    for (const Tun* tun : {&ours, &kernels})
      ASSERT_TRUE(injector.send(tun->index(), bytes, offload, shape));
    const std::vector<Bytes> wanted = flows(kernels, TunKind::kTun, 1);
    ASSERT_EQ(wanted.size(), 1u);
    ASSERT_EQ(flows(ours, TunKind::kTun, 1), wanted);
  }
}

// What came in through an interface with superpackets goes out through one without, so that the
// kernel has to take them apart again.
class TunForwardTest : public TunOffloadTest {
 protected:
  void SetUp() override {
    TunOffloadTest::SetUp();
    std::ofstream("/proc/sys/net/ipv6/conf/all/forwarding") << "1";
    std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1";
    std::ofstream("/proc/sys/net/ipv4/conf/all/rp_filter") << "0";
    std::ofstream("/proc/sys/net/ipv4/conf/default/rp_filter") << "0";
    out_.emplace(open_up("out0", TunKind::kTun, kForbidden));
    for (const char* to : {"10.9.0.0/24", "fd00:9::/64"})
      add_route(netlink(), {.destination = prefix(to), .index = out_->index()});
  }
  // Each with the hop the kernel has counted.
  void expect_to_pass(Tun& in, const std::vector<Shape>& shapes, Chance& chance) {
    Batch batch;
    std::vector<Bytes> wanted;
    std::vector<Shape> next = shapes;
    for (std::size_t i = 0; i < 100; ++i) {
      Shape& shape = next[i % shapes.size()];
      const Bytes payload = chance.bytes(1000);
      batch.append_copy(packet::packet_of(shape, payload));
      Shape passed = shape;
      --passed.ttl;
      wanted.push_back(packet::packet_of(passed, payload));
      shape.sequence += 1000;
      ++shape.id;
    }
    in.send(batch);
    for (const packet::Packet& each : batch.packets())
      EXPECT_EQ(each.verdict, packet::SendVerdict::kSent);
    std::vector<Bytes> seen;
    std::ranges::move(flows(*out_, TunKind::kTun, wanted.size()), std::back_inserter(seen));
    // Flows may have passed each other.
    std::ranges::sort(seen);
    std::ranges::sort(wanted);
    EXPECT_EQ(seen, wanted);
  }
  static std::vector<Shape> all_kinds() {
    std::vector<Shape> shapes;
    for (const bool v4 : {true, false})
      for (const bool tcp : {true, false}) {
        Shape shape;
        shape.v4 = v4;
        shape.tcp = tcp;
        shape.traffic_class = 1;
        if (tcp) shape.tcp_options = packet::hex("0101080a 00000001 00000002");
        shapes.push_back(shape);
      }
    return shapes;
  }

  std::optional<Tun> out_;
};

TEST_F(TunForwardTest, WhatWeMergeIsForTheKernelWhatItWas) {
  Chance chance;
  PRINT_SEED(chance);
  for (const TunOptions& options : {TunOptions{}, TunOptions{.udp_superpackets = false},
                                    TunOptions{.tcp_superpackets = false}, kForbidden}) {
    Tun in = open_up("in%d", TunKind::kTun, options);
    expect_to_pass(in, all_kinds(), chance);
    for (const Shape& shape : all_kinds()) expect_to_pass(in, {shape}, chance);
  }
}

TEST_F(TunForwardTest, AnAdoptedInterfaceGoesOnInItsOwnForm) {
  Chance chance;
  PRINT_SEED(chance);
  for (const TunOptions& before : {TunOptions{}, kForbidden}) {
    const Tun opened = open_up("in%d", TunKind::kTun, before);
    UniqueFd kept(::fcntl(opened.fd(), F_DUPFD_CLOEXEC, 0));
    Tun adopted = Tun::adopt(kept, "in%d", TunKind::kTun);
    EXPECT_EQ(adopted.offloads()[0].on(), before.tcp_superpackets);
    expect_to_pass(adopted, all_kinds(), chance);
    UniqueFd again(::fcntl(opened.fd(), F_DUPFD_CLOEXEC, 0));
    adopted = Tun::adopt(again, "in%d", TunKind::kTun, kForbidden);
    EXPECT_FALSE(adopted.offloads()[0].on());
    expect_to_pass(adopted, all_kinds(), chance);
  }
}

// A socket in the place of the device: what is written can be looked at, what is read chosen.
class TunPair : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ours_ = UniqueFd(ends[0]);
    theirs_ = UniqueFd(ends[1]);
  }
  std::vector<Bytes> arrived() {
    std::vector<Bytes> all;
    for (;;) {
      Bytes bytes(70000);
      const ssize_t length = ::recv(theirs_.get(), bytes.data(), bytes.size(), 0);
      if (length < 0) return all;
      bytes.resize(static_cast<std::size_t>(length));
      all.push_back(bytes);
    }
  }
  void limit_datagrams(int bytes) {
    ASSERT_EQ(::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
  }
  void arrive(const Offload& offload, const Bytes& bytes) {
    Header header{};
    packet::encode_vnet_header(offload, header);
    Bytes whole(header.begin(), header.end());
    packet::append(whole, bytes);
    ASSERT_EQ(::send(theirs_.get(), whole.data(), whole.size(), 0),
              static_cast<ssize_t>(whole.size()));
  }
  static std::vector<Bytes> stream(std::size_t count, std::size_t length) {
    std::vector<Bytes> packets;
    Shape shape;
    for (std::size_t i = 0; i < count; ++i) {
      packets.push_back(packet::packet_of(shape, Bytes(length, static_cast<std::uint8_t>(i))));
      shape.sequence += static_cast<std::uint32_t>(length);
      ++shape.id;
    }
    return packets;
  }
  static void fill(Batch& batch, const std::vector<Bytes>& packets) {
    for (const Bytes& each : packets) batch.append_copy(each);
  }
  static std::vector<packet::SendVerdict> verdicts(Batch& batch) {
    std::vector<packet::SendVerdict> all;
    for (const packet::Packet& each : batch.packets()) all.push_back(each.verdict);
    return all;
  }
  std::vector<Bytes> read(TunReader& reader, packet::Reading expected, std::size_t capacity = 64) {
    Batch batch(capacity, 0);
    EXPECT_EQ(reader.read(ours_.get(), batch), expected);
    std::vector<Bytes> packets;
    for (const packet::Packet& each : batch.packets())
      packets.emplace_back(each.bytes.begin(), each.bytes.end());
    return packets;
  }

  UniqueFd ours_;
  UniqueFd theirs_;
};

constexpr packet::Coalescer::Mergeable kAll{.tcp4 = true, .tcp6 = true, .udp = true};

TEST_F(TunPair, AFlowIsWrittenAtOnce) {
  TunWriter writer(packet::Layer::kIp, true, kAll);
  Batch batch;
  fill(batch, stream(10, 1000));
  batch.append_copy(packet::lab_ping());
  writer.write(ours_.get(), batch);
  const std::vector<Bytes> written = arrived();
  ASSERT_EQ(written.size(), 2u);
  EXPECT_EQ(written[0].size(), packet::kVnetHeader + 40 + 10'000u);
  EXPECT_EQ(written[0][1], 1) << "VIRTIO_NET_HDR_GSO_TCPV4";
  Bytes alone(packet::kVnetHeader);
  packet::append(alone, packet::lab_ping());
  EXPECT_EQ(written[1], alone);
  EXPECT_EQ(verdicts(batch), std::vector(11, packet::SendVerdict::kSent));
}

TEST_F(TunPair, WithoutAHeaderPacketsAreWrittenAsTheyAre) {
  TunWriter writer(packet::Layer::kIp, false, kAll);
  Batch batch;
  fill(batch, stream(3, 100));
  writer.write(ours_.get(), batch);
  EXPECT_EQ(arrived(), stream(3, 100));
}

TEST_F(TunPair, ManyPacketsAreWrittenInParts) {
  TunWriter writer(packet::Layer::kIp, true, kAll);
  Batch batch(600);
  fill(batch, stream(600, 10));
  writer.write(ours_.get(), batch);
  std::size_t payload = 0;
  for (const Bytes& each : arrived()) payload += each.size() - packet::kVnetHeader - 40;
  EXPECT_EQ(payload, 6000u);
  EXPECT_EQ(verdicts(batch), std::vector(600, packet::SendVerdict::kSent));
}

TEST_F(TunPair, ARefusedSuperpacketIsWrittenPacketByPacket) {
  limit_datagrams(5000);  // the kernel doubles it
  TunWriter writer(packet::Layer::kIp, true, kAll);
  Batch batch;
  fill(batch, stream(3, 6000));
  writer.write(ours_.get(), batch);
  // The buffer takes one of them, then it is full: what counts is that each was tried.
  const std::vector<Bytes> written = arrived();
  ASSERT_GE(written.size(), 1u);
  Bytes first(packet::kVnetHeader);
  packet::append(first, stream(3, 6000)[0]);
  EXPECT_EQ(written[0], first);
  EXPECT_EQ(batch[0].verdict, packet::SendVerdict::kSent);
  EXPECT_EQ(batch[2].verdict, packet::SendVerdict::kWouldBlock);
}

TEST_F(TunPair, AFullDeviceIsSaidOfEveryPacket) {
  TunWriter writer(packet::Layer::kIp, true, kAll);
  Batch batch;
  do {
    batch.clear();
    fill(batch, stream(4, 1000));
    writer.write(ours_.get(), batch);
  } while (batch[0].verdict == packet::SendVerdict::kSent);
  EXPECT_EQ(verdicts(batch), std::vector(4, packet::SendVerdict::kWouldBlock));
}

TEST_F(TunPair, ASuperpacketIsDeliveredOverSeveralReads) {
  TunReader reader(packet::Layer::kIp, true);
  const Shape shape;
  arrive(packet::offload_of(shape, 1000), packet::unfinished(shape, Bytes(9500)));
  arrive({}, packet::lab_ping());
  std::vector<Bytes> all;
  for (const auto& [count, expected] : {std::pair{4u, packet::Reading::kMore},
                                        {4u, packet::Reading::kMore},
                                        {3u, packet::Reading::kDrained}}) {
    const auto some = read(reader, expected, 4);
    EXPECT_EQ(some.size(), count);
    all.insert(all.end(), some.begin(), some.end());
  }
  ASSERT_EQ(all.size(), 11u);
  EXPECT_EQ(all[0].size(), 1040u);
  EXPECT_EQ(all[9].size(), 540u);
  EXPECT_EQ(all[10], packet::lab_ping());
}

TEST_F(TunPair, EveryPacketHasRoomInFrontAndBehind) {
  TunReader reader(packet::Layer::kIp, true);
  const Shape shape;
  for (int i = 0; i < 3; ++i) {
    arrive(packet::offload_of(shape, 1000), packet::unfinished(shape, Bytes(60000)));
    arrive({}, packet::lab_ping());
  }
  Batch batch(1000, 0);
  std::size_t packets = 0;
  packet::Reading reading = packet::Reading::kMore;
  while (reading == packet::Reading::kMore) {
    batch.clear();
    reading = reader.read(ours_.get(), batch);
    packets += batch.size();
    for (std::size_t i = 1; i < batch.size(); ++i)
      EXPECT_GE(batch[i].bytes.data() - (batch[i - 1].bytes.data() + batch[i - 1].bytes.size()),
                static_cast<std::ptrdiff_t>(packet::kHeadroom + packet::kTailroom));
  }
  EXPECT_EQ(packets, 183u);
}

TEST_F(TunPair, PacketsOfAnySizeArriveWhole) {
  Chance chance;
  PRINT_SEED(chance);
  for (const bool with_header : {true, false}) {
    TunReader reader(packet::Layer::kEthernet, with_header);
    for (const std::size_t length : {0u, 1u, 60u, 2047u, 2048u, 2049u, 9000u, 65535u, 65553u}) {
      const Bytes bytes = chance.bytes(length);
      if (with_header)
        arrive({}, bytes);
      else
        ASSERT_EQ(::send(theirs_.get(), bytes.data(), length, 0), static_cast<ssize_t>(length));
      const std::vector<Bytes> packets = read(reader, packet::Reading::kDrained);
      ASSERT_EQ(packets.size(), 1u);
      EXPECT_EQ(packets[0], bytes) << length;
    }
  }
}

TEST_F(TunPair, AnOffloadThatDoesNotFitGivesAnEmptyPacket) {
  TunReader reader(packet::Layer::kIp, true);
  const Shape shape;
  const Bytes good = packet::unfinished(shape, Bytes(100));
  Offload wrong = packet::offload_of(shape, 10);
  wrong.segmentation = packet::Segmentation::kTcp6;
  arrive(wrong, good);
  wrong = packet::offload_of(shape, 0);
  wrong.segmentation = packet::Segmentation::kNone;
  wrong.checksum_start = 4000;
  arrive(wrong, good);
  Bytes unknown{0, 3, 0, 0, 10, 0, 0, 0, 0, 0};  // UFO
  packet::append(unknown, good);
  ASSERT_GT(::send(theirs_.get(), unknown.data(), unknown.size(), 0), 0);
  arrive({}, packet::lab_ping());
  EXPECT_EQ(read(reader, packet::Reading::kDrained),
            (std::vector<Bytes>{{}, {}, {}, packet::lab_ping()}));
}

TEST_F(TunPair, LessThanAHeaderIsNoPacket) {
  TunReader reader(packet::Layer::kIp, true);
  ASSERT_EQ(::send(theirs_.get(), "evian", 5, 0), 5);
  EXPECT_TRUE(read(reader, packet::Reading::kDrained).empty());
}

}  // namespace
}  // namespace vpntun::os
