// Whole workers with their threads, over socket pairs.
#include "dataplane/workers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "packet/pcapng.h"
#include "simulated.h"
#include "wires.h"

namespace vpntun::dataplane {
namespace {

using namespace std::chrono_literals;

// Two workers back to back: "left" at 10.0.2.7:1, "right" at 10.0.2.8:9090, the left learned by the
// right.
struct Pair : ::testing::Test {
  Pair() {
    auto [left_kernel, left_inside] = wire();
    auto [right_kernel, right_inside] = wire();
    auto [left_outside, right_outside] = wire();
    left_end = std::move(left_kernel);
    right_end = std::move(right_kernel);
    left_to_right = one_more(left_outside);
    left = std::make_unique<Workers>(
        only(ports(std::move(left_inside), std::move(left_outside), "10.0.2.8:9090")),
        WorkerOptions{});
    right = std::make_unique<Workers>(
        only(ports(std::move(right_inside), std::move(right_outside), "10.0.2.7:1")),
        WorkerOptions{});
    left->set_peers({configured("right", "10.0.2.8:9090", {"10.1.0.2/32"})});
    right->set_peers({learned("left", {"10.1.0.1/32"})});
    left->start();
    right->start();
  }
  std::vector<Event> events(Workers& workers) {
    pollfd waiting{workers.event_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 60000), 1);
    return workers.take_events();
  }
  // What the slow "interface" of the right does not take is counted: nothing is lost in silence.
  void all_are_received_or_counted(std::size_t count) {
    std::size_t received = 0;
    std::uint64_t dropped = 0;
    EXPECT_TRUE(eventually([&] {
      for (; received < count; ++received) {
        const std::optional<Bytes> packet = read_packet(right_end, 100);
        if (!packet) break;
        EXPECT_EQ(packet, there);
      }
      dropped = 0;
      for (const Drop& drop : right->snapshot().drops) dropped += drop.packets;
      return received + dropped >= count;
    })) << received
        << " received, " << dropped << " counted";
    EXPECT_EQ(received + dropped, count);
  }
  const Bytes there = ip_packet("10.1.0.1", "10.1.0.2");
  const Bytes back = ip_packet("10.1.0.2", "10.1.0.1");
  UniqueFd left_end, right_end;  // where the kernel's network stack would be
  UniqueFd left_to_right;        // the outside of the left, to be looked at
  std::unique_ptr<Workers> left, right;
};

TEST_F(Pair, PacketsGoBothWaysAndTheLearnedEndpointIsAnnounced) {
  write_packet(left_end, there);
  EXPECT_EQ(read_packet(right_end), there);
  const std::vector<Event> seen = events(*right);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<PeerNews>(seen[0]));
  EXPECT_EQ(right->snapshot().peers[0].endpoint, endpoint("10.0.2.7:1"));
  write_packet(right_end, back);
  EXPECT_EQ(read_packet(left_end), back);
  ASSERT_TRUE(eventually([&] { return left->snapshot().peers[0].traffic.rx_packets == 1; }));
  const Snapshot snapshot = right->snapshot();
  EXPECT_EQ(snapshot.peers[0].endpoint, endpoint("10.0.2.7:1"));
  EXPECT_EQ(snapshot.peers[0].traffic.rx_bytes, there.size());
  EXPECT_EQ(snapshot.traffic.rx_packets, 1u);
}

TEST_F(Pair, TheSnapshotHasTheOffloadsOfInsideAndOutside) {
  EXPECT_EQ(left->snapshot().offloads,
            (packet::OffloadStates{WireInside::kInsideState, WireOutside::kOutsideState}));
}

TEST(Worker, WhatWaitedForItGoesToThePeersItStartsWith) {
  auto [kernel, inside] = wire();
  auto [network, outside] = wire();
  const Bytes waiting = ip_packet("10.1.0.1", "10.1.0.2");
  write_packet(kernel, waiting);
  Workers workers(only(ports(std::move(inside), std::move(outside), "10.0.2.8:9090")),
                  WorkerOptions{});
  workers.set_peers({configured("right", "10.0.2.8:9090", {"10.1.0.2/32"})});
  workers.start();
  EXPECT_EQ(read_packet(network), waiting);
}

// More than one turn makes.
TEST(Worker, AllOfManyHandshakesAreBegun) {
  auto [kernel, inside] = wire();
  auto [network, outside] = wire();
  WorkerOptions options;
  options.encrypted = true;
  Workers workers(only(ports(std::move(inside), std::move(outside), "10.0.2.8:9090")), options);
  workers.set_private_key(crypto::SecretKey::generate_private());
  std::vector<PeerConfig> peers;
  for (int i = 0; i < 100; ++i) {
    PeerConfig peer = configured("p" + std::to_string(i), "10.0.2.8:9090", {});
    peer.keys.public_key = crypto::public_key_of(crypto::SecretKey::generate_private());
    peers.push_back(peer);
  }
  workers.set_peers(peers);
  workers.start();
  workers.revive_peers();
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const std::optional<Bytes> datagram = read_packet(network);
    ASSERT_TRUE(datagram) << i;
    EXPECT_EQ(wg::type_of(*datagram), wg::MessageType::kInitiation);
  }
}

TEST_F(Pair, AWorkerAnswersThatItIsAlive) {
  left->ask_alive();
  const std::vector<Event> seen = events(*left);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Alive>(seen[0]));
}

TEST(StuckWorker, GivesNoAnswerUntilItComesBack) {
  auto [kernel, inside] = wire();
  auto [outside, other_end] = wire();
  const auto stuck = std::make_shared<std::atomic<bool>>(true);
  Workers workers(only({std::make_unique<WireInside>(std::move(inside)),
                        std::make_unique<StuckOutside>(std::move(outside), stuck)}),
                  WorkerOptions{});
  workers.set_peers({configured("right", "10.0.2.8:9090", {"10.1.0.2/32"})});
  workers.start();
  write_packet(kernel, ip_packet("10.1.0.1", "10.1.0.2"));
  int waiting = 1;  // bytes: until the worker has read the packet and sends it
  EXPECT_TRUE(
      eventually([&] { return ::ioctl(kernel.get(), SIOCOUTQ, &waiting) == 0 && !waiting; }));
  workers.ask_alive();
  pollfd answer{workers.event_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&answer, 1, 100), 0);
  *stuck = false;
  EXPECT_EQ(::poll(&answer, 1, 60000), 1);
  EXPECT_TRUE(std::holds_alternative<Alive>(workers.take_events().at(0)));
}

TEST_F(Pair, ManyPacketsWhileEverybodyAsksAndChanges) {
  std::thread writer([&] {
    for (int i = 0; i < 20000; ++i) write_packet(left_end, there);
  });
  std::thread asker([&] {
    for (int i = 0; i < 200; ++i) {
      (void)right->snapshot();
      (void)left->snapshot();
      std::this_thread::sleep_for(1ms);
    }
  });
  for (int i = 0; i < 50; ++i) left->set_endpoint(0, endpoint("10.0.2.8:9090"));
  all_are_received_or_counted(20000);
  writer.join();
  asker.join();
  EXPECT_TRUE(eventually([&] { return right->snapshot().traffic.rx_packets == 20000; }));
  // Counted after they were sent.
  EXPECT_TRUE(eventually([&] { return left->snapshot().traffic.tx_packets == 20000u; }));
  EXPECT_TRUE(left->snapshot().drops.empty());
}

TEST_F(Pair, BlockedOutsideWaitsWithoutSpinningAndLosesNothing) {
  right->stop();  // nobody reads the outside any more
  std::size_t written = 0;
  ASSERT_TRUE(eventually([&] {
    while (::send(left_end.get(), there.data(), there.size(), MSG_NOSIGNAL) > 0) ++written;
    return is_full(left_to_right);
  }));
  rusage before{};
  rusage after{};
  ::getrusage(RUSAGE_SELF, &before);
  std::this_thread::sleep_for(300ms);
  ::getrusage(RUSAGE_SELF, &after);
  const auto used = [](const rusage& usage) {
    return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  EXPECT_LT(used(after) - used(before), 100ms);
  EXPECT_LT(left->snapshot().traffic.tx_packets, written);
  right->start();
  all_are_received_or_counted(written);
  EXPECT_TRUE(left->snapshot().drops.empty());
}

TEST_F(Pair, InjectedBytesAreWrittenAndReported) {
  left->inject({'e', 'v', 'i', 'a', 'n'}, 77);
  EXPECT_EQ(read_packet(left_end), (Bytes{'e', 'v', 'i', 'a', 'n'}));
  const std::vector<Event> seen = events(*left);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(std::get<InjectDone>(seen[0]).token, 77u);
  EXPECT_EQ(std::get<InjectDone>(seen[0]).error_number, 0);
}

TEST_F(Pair, CaptureStreamsUntilItsReaderLeaves) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reading(ends[0]);
  const auto id = left->add_capture(UniqueFd(ends[1]), {});
  ASSERT_TRUE(id);
  packet::PcapngReader reader;
  reader.feed(*read_packet(reading));  // the file's head: the capture is on
  write_packet(left_end, there);
  std::vector<std::string> comments;
  while (comments.size() < 2) {
    const auto bytes = read_packet(reading);
    ASSERT_TRUE(bytes);
    reader.feed(*bytes);
    while (const auto record = reader.next()) comments.push_back(record->comment);
  }
  EXPECT_EQ(comments[1], "pair 1, peer right, out");
  reading.reset();  // told without any traffic
  const std::vector<Event> seen = events(*left);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(std::get<CaptureEnded>(seen[0]).id, *id);
}

TEST_F(Pair, CapturesAreBounded) {
  std::vector<UniqueFd> readers;
  for (std::size_t i = 0; i <= kMaxCaptures; ++i) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    readers.emplace_back(ends[0]);
    EXPECT_EQ(left->add_capture(UniqueFd(ends[1]), {}).has_value(), i < kMaxCaptures);
  }
  readers.clear();
  std::size_t ended = 0;
  while (ended < kMaxCaptures) ended += events(*left).size();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]);
  EXPECT_TRUE(left->add_capture(UniqueFd(ends[1]), {}));
}

TEST_F(Pair, CaptureNobodyReadsDoesNotDelayTraffic) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]);
  ASSERT_TRUE(left->add_capture(UniqueFd(ends[1]), {}));
  for (int i = 0; i < 5000; ++i) {
    write_packet(left_end, ip_packet("10.1.0.1", "10.1.0.2", 1000));
    ASSERT_TRUE(read_packet(right_end));
  }
}

TEST_F(Pair, DeletedInterfaceIsReportedOnce) {
  left_end.reset();
  const std::vector<Event> seen = events(*left);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<InsideGone>(seen[0]));
  write_packet(right_end, back);  // no endpoint yet: dropped there
  ASSERT_TRUE(eventually([&] { return !right->snapshot().drops.empty(); }));
  EXPECT_TRUE(left->take_events().empty());
}

TEST_F(Pair, PeersAreReplacedWhileRunningAndKeepTheirCounters) {
  write_packet(left_end, there);
  EXPECT_EQ(read_packet(right_end), there);
  right->set_peers({learned("other", {"10.5.0.0/16"}), learned("left", {"10.1.0.1/32"})});
  write_packet(right_end, back);  // goes to the endpoint learned before
  EXPECT_EQ(read_packet(left_end), back);
  const Snapshot snapshot = right->snapshot();
  ASSERT_EQ(snapshot.peers.size(), 2u);
  EXPECT_EQ(snapshot.peers[1].traffic.rx_packets, 1u);
  EXPECT_EQ(snapshot.peers[1].endpoint, endpoint("10.0.2.7:1"));
}

// Whoever sends from ever new places does not keep the control thread busy.
TEST_F(Pair, APeerThatMovesHasNewsOnceUntilItIsHeardAgain) {
  const auto move = [&] {
    right->set_endpoint(0, endpoint("10.0.2.9:1"));
    write_packet(left_end, there);
    EXPECT_EQ(read_packet(right_end), there);
    right->ask_alive();  // after the turn with the packet
    std::vector<Event> seen;
    EXPECT_TRUE(eventually([&] {
      for (const Event& event : right->take_events()) seen.push_back(event);
      return !seen.empty() && std::holds_alternative<Alive>(seen.back());
    }));
    return seen.size() - 1;
  };
  EXPECT_EQ(move(), 1u);
  EXPECT_EQ(move(), 0u);
  EXPECT_EQ(move(), 0u);
  right->hear_again();
  EXPECT_EQ(move(), 1u);
  EXPECT_EQ(move(), 0u);
}

// What a name was resolved to meanwhile is no other endpoint when all peers are given once more.
TEST_F(Pair, APeerThatMovedAwayFromAResolvedEndpointStaysWhereItIsWhenPeersAreReplaced) {
  right->set_endpoint(0, endpoint("10.0.2.9:1"));
  ASSERT_TRUE(eventually([&] { return right->snapshot().peers[0].endpoint.has_value(); }));
  write_packet(left_end, there);
  EXPECT_EQ(read_packet(right_end), there);
  ASSERT_EQ(right->snapshot().peers[0].endpoint, endpoint("10.0.2.7:1"));
  PeerConfig resolved = learned("left", {"10.1.0.1/32"});
  resolved.endpoint = endpoint("10.0.2.9:1");
  right->set_peers({resolved});
  write_packet(right_end, back);
  EXPECT_EQ(read_packet(left_end), back);
  EXPECT_EQ(right->snapshot().peers[0].endpoint, endpoint("10.0.2.7:1"));
}

TEST(Worker, AHandshakeThatFindsAFullQueueIsCountedAsThat) {
  auto [kernel, inside] = wire();
  auto [network, outside] = wire();
  const Bytes packet = ip_packet("10.1.0.1", "10.1.0.2");
  while (::send(outside.get(), packet.data(), packet.size(), MSG_NOSIGNAL) >= 0) continue;
  ASSERT_EQ(errno, EAGAIN);
  WorkerOptions options;
  options.encrypted = true;
  Workers workers(only(ports(std::move(inside), std::move(outside), "10.0.2.8:9090")), options);
  PeerConfig peer = configured("right", "10.0.2.8:9090", {"10.1.0.2/32"});
  peer.keys.public_key = crypto::public_key_of(crypto::SecretKey::generate_private());
  workers.set_private_key(crypto::SecretKey::generate_private());
  workers.set_peers({peer});
  workers.start();
  write_packet(kernel, packet);
  ASSERT_TRUE(eventually([&] { return !workers.snapshot().drops.empty(); }));
  EXPECT_EQ(workers.snapshot().drops[0].reason, DropReason::kQueueFull);
}

TEST_F(Pair, StopMayBeCalledTwice) {
  left->stop();
  left->stop();
}

}  // namespace
}  // namespace vpntun::dataplane
