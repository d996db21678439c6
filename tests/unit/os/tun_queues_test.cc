// An interface with several queues: which flow comes out of which, and what a later process may go
// on with.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <map>

#include "kernel_test.h"
#include "os/address.h"
#include "os/tun.h"
#include "os/udp.h"
#include "packet/build.h"
#include "packet/ethernet.h"
#include "packet/ip_view.h"
#include "packet/vnet_header.h"

namespace vpntun::os {
namespace {

using packet::Batch;

constexpr std::uint16_t kOwnPort = 5353;
constexpr std::uint16_t kFirstFlow = 1000;  // the port of a host behind the interface
constexpr std::uint16_t kFlows = 64;
constexpr std::size_t kQueues = 4;

std::vector<UniqueFd> copies_of(const std::vector<Tun>& queues) {
  std::vector<UniqueFd> copies;
  for (const Tun& queue : queues) copies.emplace_back(::fcntl(queue.fd(), F_DUPFD_CLOEXEC, 0));
  return copies;
}

// The flow of a packet that the host sent into the interface; 0: of none of ours.
std::uint16_t flow_of(std::span<const std::uint8_t> bytes, TunKind kind) {
  const auto ip = packet::IpView::parse(kind == TunKind::kTun ? bytes : packet::ip_of_frame(bytes));
  if (!ip || ip->protocol() != packet::kProtocolUdp) return 0;
  const auto udp = packet::UdpView::parse(ip->payload());
  return udp && udp->source_port() == kOwnPort ? udp->destination_port() : std::uint16_t{0};
}

class TunQueuesTest : public KernelTest {
 protected:
  // Number of datagrams by flow and queue.
  using Arrivals = std::map<std::uint16_t, std::map<std::size_t, std::size_t>>;

  void set_up(TunKind kind) {
    kind_ = kind;
    queues_ = Tun::open_queues("tun%d", kind, kQueues);
    set_link_up(netlink(), index(), true);
    add_address(netlink(), index(), prefix("192.168.53.99/24"));
    if (kind == TunKind::kTap) {
      ASSERT_EQ(std::system("ip neigh add 192.168.53.1 lladdr 02:00:00:00:00:01 dev tun0"), 0);
    }
    socket_.emplace(UdpSocket::bind(kOwnPort));
  }
  unsigned index() const { return queues_[0].index(); }

  // The host sends so many datagrams in each flow, and they arrive. `before_each` comes right
  // before those of a flow: the kernel remembers for three seconds where a flow belongs.
  Arrivals send_flows(
      std::size_t count, const std::function<void(std::uint16_t)>& before_each = [](auto) {}) {
    for (std::uint16_t flow = kFirstFlow; flow < kFirstFlow + kFlows; ++flow) {
      Batch batch;
      for (std::size_t i = 0; i < count; ++i) batch.append(500).remote = {ip("192.168.53.1"), flow};
      before_each(flow);
      socket_->send(batch);
    }
    Arrivals arrivals;
    std::size_t total = 0;
    EXPECT_TRUE(eventually([&] {
      for (std::size_t i = 0; i < queues_.size(); ++i) total += drain(i, arrivals);
      return total == kFlows * count;
    })) << total;
    return arrivals;
  }
  std::size_t drain(std::size_t queue, Arrivals& arrivals) {
    std::size_t count = 0;
    packet::Reading reading = packet::Reading::kMore;
    while (reading == packet::Reading::kMore) {
      Batch batch(packet::kBatchSize, 0);
      reading = queues_[queue].receive(batch);
      for (const packet::Packet& each : batch.packets()) {
        const std::uint16_t flow = flow_of(each.bytes, kind_);
        if (flow == 0) continue;
        ++arrivals[flow][queue];
        ++count;
      }
    }
    return count;
  }
  // What belongs to the other direction of a flow, written by the worker of this queue.
  void answer(std::size_t queue, std::uint16_t flow) {
    constexpr std::uint8_t kPayload[] = {'y', 'e', 's'};
    packet::Bytes bytes =
        packet::build_udp({.source = ip("192.168.53.1"), .destination = ip("192.168.53.99")}, flow,
                          kOwnPort, kPayload);
    if (kind_ == TunKind::kTap) {
      packet::Bytes frame = {2, 0, 0, 0, 0, 1, 8, 0};  // of the host behind it, IPv4
      const MacAddress to = get_link(netlink(), index()).mac;
      frame.insert(frame.begin(), to.bytes.begin(), to.bytes.end());
      bytes.insert(bytes.begin(), frame.begin(), frame.end());
    }
    Batch batch;
    batch.append_copy(bytes);
    queues_[queue].send(batch);
    EXPECT_EQ(batch[0].verdict, packet::SendVerdict::kSent);
  }

  TunKind kind_ = TunKind::kTun;
  std::vector<Tun> queues_;
  std::optional<UdpSocket> socket_;
};

TEST_F(TunQueuesTest, AllAreOfOneNewInterface) {
  set_up(TunKind::kTun);
  ASSERT_EQ(queues_.size(), kQueues);
  for (const Tun& queue : queues_) {
    EXPECT_EQ(queue.name(), "tun0");
    EXPECT_EQ(queue.index(), index());
    EXPECT_EQ(queue.offloads(), Tun::open("one%d", TunKind::kTun).offloads());
  }
  EXPECT_EQ(get_link(netlink(), "tun0").queues, kQueues);
  for (const std::size_t count : {1, 2})
    EXPECT_THAT(error_of([&] { Tun::open_queues("tun0", TunKind::kTun, count); }),
                IsError(ErrorKind::kInterfaceExists, "tun0"))
        << "nobody becomes a queue of it";
  EXPECT_EQ(get_link(netlink(), "tun0").queues, kQueues);
}

TEST_F(TunQueuesTest, AnInterfaceWithOneIsNoneForSeveral) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  EXPECT_EQ(get_link(netlink(), "tun0").queues, 0u);
  ifreq request{};
  ASSERT_EQ(::ioctl(tun.fd(), TUNGETIFF, &request), 0);
  EXPECT_EQ(request.ifr_flags & IFF_MULTI_QUEUE, 0);
}

TEST_F(TunQueuesTest, TheInterfaceLivesAsLongAsAnyOfThem) {
  set_up(TunKind::kTun);
  while (queues_.size() > 1) {
    queues_.erase(queues_.begin());
    EXPECT_EQ(get_link(netlink(), "tun0").queues, queues_.size());
  }
  queues_.clear();
  EXPECT_FALSE(find_link(netlink(), "tun0"));
}

TEST_F(TunQueuesTest, FlowsAreSpreadAndEachHasOne) {
  set_up(TunKind::kTun);
  std::map<std::size_t, std::size_t> flows_by_queue;
  for (const auto& [flow, queues] : send_flows(3)) {
    EXPECT_EQ(queues.size(), 1u) << "flow " << flow;
    ++flows_by_queue[queues.begin()->first];
  }
  EXPECT_EQ(flows_by_queue.size(), kQueues);
}

class TunAnswersTest : public TunQueuesTest, public testing::WithParamInterface<TunKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, TunAnswersTest, testing::Values(TunKind::kTun, TunKind::kTap),
                         [](const auto& kind) {
                           return kind.param == TunKind::kTun ? "Tun" : "Tap";
                         });

TEST_P(TunAnswersTest, AFlowFollowsItsOtherDirection) {
  set_up(GetParam());
  const auto is_where = [](std::uint16_t flow, std::size_t turn) {
    return (flow + turn) % kQueues;
  };
  for (std::size_t turn = 0; turn < 2; ++turn) {
    const auto answered = [&](std::uint16_t flow) { answer(is_where(flow, turn), flow); };
    for (const auto& [flow, queues] : send_flows(2, answered)) {
      EXPECT_EQ(queues.size(), 1u) << "flow " << flow;
      EXPECT_EQ(queues.begin()->first, is_where(flow, turn)) << "flow " << flow;
    }
  }
}

// Whether one of the packets that wait in a descriptor with IFF_VNET_HDR is one.
bool has_superpacket(int fd) {
  std::array<std::uint8_t, 65536> bytes{};
  while (::read(fd, bytes.data(), bytes.size()) > static_cast<ssize_t>(packet::kVnetHeader))
    if (bytes[1] != 0) return true;  // gso_type
  return false;
}

TEST_F(TunQueuesTest, SuperpacketsComeOutOfEach) {
  set_up(TunKind::kTun);
  for (std::uint16_t flow = kFirstFlow; flow < kFirstFlow + kFlows; ++flow) {
    Batch run;
    for (int i = 0; i < 4; ++i) run.append(500).remote = {ip("192.168.53.1"), flow};
    socket_->send(run);
  }
  for (const Tun& queue : queues_) {
    const auto has = [&] { return has_superpacket(queue.fd()); };
    EXPECT_TRUE(queue.offloads()[2].on() ? eventually(has) : !has());
  }
}

std::optional<Error> refusal(std::vector<UniqueFd>& fds, TunKind kind = TunKind::kTun) {
  std::optional<Error> error = error_of([&] { Tun::adopt_queues(fds, "tun%d", kind); });
  for (const UniqueFd& fd : fds) EXPECT_TRUE(fd) << "it stays the caller's";
  return error;
}

TEST_F(TunQueuesTest, AllGoOnInALaterProcess) {
  set_up(TunKind::kTun);
  const unsigned before = index();
  std::vector<UniqueFd> kept = copies_of(queues_);
  queues_.clear();
  queues_ = Tun::adopt_queues(kept, "tun%d", TunKind::kTun);
  for (const UniqueFd& fd : kept) EXPECT_FALSE(fd) << "it is the object's now";
  for (const Tun& queue : queues_) {
    EXPECT_EQ(queue.index(), before);
    EXPECT_NE(::fcntl(queue.fd(), F_GETFL) & O_NONBLOCK, 0);
  }
  const auto answered = [&](std::uint16_t flow) { answer(flow % kQueues, flow); };
  for (const auto& [flow, queues] : send_flows(1, answered))
    EXPECT_EQ(queues.begin()->first, flow % kQueues) << "flow " << flow;
}

TEST_F(TunQueuesTest, TheirNumberHasToFit) {
  set_up(TunKind::kTun);
  std::vector<UniqueFd> kept = copies_of(queues_);
  kept.pop_back();
  EXPECT_THAT(refusal(kept), IsError(ErrorKind::kFailed, "4 attached queues, not 3"));
  kept.resize(1);
  EXPECT_THAT(refusal(kept), IsError(ErrorKind::kFailed, "several queues"));

  const Tun other = Tun::open("tun%d", TunKind::kTun);
  kept.clear();
  for (int i = 0; i < 2; ++i) kept.emplace_back(::fcntl(other.fd(), F_DUPFD_CLOEXEC, 0));
  EXPECT_THAT(refusal(kept), IsError(ErrorKind::kFailed, "one queue"));
}

TEST_F(TunQueuesTest, ADetachedOneIsRefused) {
  set_up(TunKind::kTun);
  std::vector<UniqueFd> kept = copies_of(queues_);
  ifreq request{};
  request.ifr_flags = IFF_DETACH_QUEUE;
  ASSERT_EQ(::ioctl(kept[1].get(), TUNSETQUEUE, &request), 0);
  EXPECT_THAT(refusal(kept), IsError(ErrorKind::kFailed, "3 attached queues, not 4"));
}

TEST_F(TunQueuesTest, ThoseOfTwoInterfacesAreRefused) {
  set_up(TunKind::kTun);
  const std::vector<Tun> others = Tun::open_queues("tun%d", TunKind::kTun, kQueues);
  std::vector<UniqueFd> kept = copies_of(queues_);
  kept.back() = std::move(copies_of(others).back());
  EXPECT_THAT(refusal(kept), IsError(ErrorKind::kFailed, "tun0 and tun1"));
}

TEST_F(TunQueuesTest, KindAndNamespaceHaveToFit) {
  set_up(TunKind::kTap);
  std::vector<UniqueFd> kept = copies_of(queues_);
  EXPECT_THAT(refusal(kept), IsError(ErrorKind::kFailed, "kind"));
  const Netns elsewhere = Netns::create_anonymous();
  const NetnsScope scope(elsewhere);
  EXPECT_THAT(refusal(kept, TunKind::kTap), IsError(ErrorKind::kFailed, "namespace"));
}

TEST_F(TunQueuesTest, OneOfThemDeletesTheInterfaceForAll) {
  set_up(TunKind::kTun);
  const std::vector<UniqueFd> kept = copies_of(queues_);
  delete_interface(kept[2].get());
  EXPECT_FALSE(find_link(netlink(), "tun0"));
  for (const UniqueFd& fd : kept) delete_interface(fd.get());  // gone already
  for (Tun& queue : queues_) {
    Batch batch;
    EXPECT_EQ(queue.receive(batch), packet::Reading::kGone);
  }
}

}  // namespace
}  // namespace vpntun::os
