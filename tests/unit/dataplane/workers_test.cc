// Workers with several threads, over socket pairs: what they share stays right while all of them
// use it and the control thread changes it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "packet/pcapng.h"
#include "simulated.h"
#include "wires.h"

namespace vpntun::dataplane {
namespace {

constexpr std::size_t kThreads = 3;

// What keepalives, unlike packets, are lost by when the other end is slow to read.
constexpr DropReason kFullWire = DropReason::kQueueFull;

std::vector<Event> wait_for_events(Workers& workers) {
  pollfd waiting{workers.event_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 60000), 1);
  return workers.take_events();
}

// Two ends with a queue, a thread and a wire for each number.
class SeveralWorkers : public ::testing::Test {
 protected:
  void meet(bool encrypted, bool frames = false) {
    WorkerOptions options;
    options.frames = frames;
    options.encrypted = encrypted;
    std::vector<Ports> left_ports;
    std::vector<Ports> right_ports;
    for (std::size_t i = 0; i < kThreads; ++i) {
      auto [left_kernel, left_inside] = wire();
      auto [right_kernel, right_inside] = wire();
      auto [left_outside, right_outside] = wire();
      left_end[i] = std::move(left_kernel);
      left_to_right[i] = one_more(left_outside);
      right_end[i] = std::move(right_kernel);
      left_ports.push_back(ports(std::move(left_inside), std::move(left_outside), "10.0.2.8:9090"));
      right_ports.push_back(ports(std::move(right_inside), std::move(right_outside), "10.0.2.7:1"));
    }
    left.emplace(std::move(left_ports), options);
    right.emplace(std::move(right_ports), options);
    PeerConfig to_right = configured("right", "10.0.2.8:9090", {"10.1.0.2/32"});
    PeerConfig to_left = learned("left", {"10.1.0.1/32"});
    to_right.keys.public_key = crypto::public_key_of(right_key);
    to_left.keys.public_key = crypto::public_key_of(left_key);
    to_right.allowed_ips.push_back(*IpPrefix::parse("fd53::/64"));
    left->set_private_key(left_key);
    right->set_private_key(right_key);
    left_peers = {to_right};
    right_peers = {to_left};
    left->set_peers(left_peers);
    right->set_peers(right_peers);
    left->start();
    right->start();
  }

  // The first packet waits for the session, and goes with whichever worker finds it.
  void begin() {
    write_packet(left_end[0], numbered(0, 0));
    EXPECT_TRUE(eventually([&] {
      return std::ranges::any_of(
          right_end, [](const UniqueFd& end) { return read_packet(end, 0).has_value(); });
    }));
  }

  // Packets of a flow, one by one through a queue of the left end: the right end has them all, in
  // their order. No more are on their way at a time than the wires hold.
  void carry(std::size_t queue, int count) {
    constexpr int kAtATime = 25;
    for (int sent = 0, got = 0; got < count;) {
      for (; sent < count && sent - got < kAtATime; ++sent)
        write_packet(left_end[queue], numbered(queue, sent));
      const auto packet = read_packet(right_end[queue]);
      ASSERT_TRUE(packet) << "queue " << queue << ", after " << got;
      ASSERT_EQ(*packet, numbered(queue, got)) << "queue " << queue;
      ++got;
    }
  }
  static Bytes numbered(std::size_t queue, int number) {
    Bytes packet = ip_packet("10.1.0.1", "10.1.0.2", 60 + static_cast<std::size_t>(number) % 1300);
    packet[28] = static_cast<std::uint8_t>(queue);
    packet[29] = static_cast<std::uint8_t>(number >> 8);
    packet[30] = static_cast<std::uint8_t>(number);
    return packet;
  }
  // On all queues at once, while the control thread does what it can.
  void carry_while(int count, const std::function<void()>& change) {
    std::atomic<std::size_t> left_to_do{kThreads};
    std::array<std::thread, kThreads> flows;
    for (std::size_t queue = 0; queue < kThreads; ++queue)
      flows[queue] = std::thread([this, queue, count, &left_to_do] {
        carry(queue, count);
        --left_to_do;
      });
    while (left_to_do > 0) change();
    for (std::thread& flow : flows) flow.join();
  }
  // The peer that carries the flows stays, at another place in the table.
  void change_peers() {
    const bool alone = turn_++ % 2 == 0;
    std::vector<PeerConfig> peers = left_peers;
    if (!alone) peers.insert(peers.begin(), stranger());
    left->set_peers(peers);
    peers = right_peers;
    if (alone) peers.insert(peers.begin(), stranger());
    right->set_peers(peers);
  }
  static PeerConfig stranger() {
    static const crypto::SecretKey key = crypto::SecretKey::generate_private();
    PeerConfig peer = learned("stranger", {"10.7.0.0/16"});
    peer.keys.public_key = crypto::public_key_of(key);
    return peer;
  }

  const crypto::SecretKey left_key = crypto::SecretKey::generate_private();
  const crypto::SecretKey right_key = crypto::SecretKey::generate_private();
  std::array<UniqueFd, kThreads> left_end, right_end;  // where the kernel's network stacks would be
  std::array<UniqueFd, kThreads> left_to_right;        // the outsides of the left, to be looked at
  std::vector<PeerConfig> left_peers, right_peers;
  std::optional<Workers> left, right;

 private:
  unsigned turn_ = 0;
};

TEST_F(SeveralWorkers, EachCarriesItsFlowsInOrderWhilePeersComeAndGo) {
  meet(false);
  carry_while(3000, [&] {
    change_peers();
    (void)left->take_events();
    (void)right->snapshot();
    std::this_thread::sleep_for(2ms);
  });
  EXPECT_EQ(right->snapshot().traffic.rx_packets, kThreads * 3000u);
  EXPECT_TRUE(eventually([&] {  // counted after they were sent
    return left->snapshot().peers.back().traffic.tx_packets == kThreads * 3000u;
  }));
}

// What a worker could not send yet goes on to where its peer is now.
TEST_F(SeveralWorkers, APacketThatWaitsForRoomStaysItsPeersWhenOthersCome) {
  meet(false);
  right->stop();  // nobody reads the wires any more
  constexpr std::size_t kBlocked = kThreads - 1;
  std::size_t written = 0;
  const auto write_what_fits = [&] {
    for (;; ++written) {
      const Bytes packet = numbered(kBlocked, static_cast<int>(written));
      if (::send(left_end[kBlocked].get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) return;
    }
  };
  ASSERT_TRUE(eventually([&] {
    write_what_fits();
    return is_full(left_to_right[kBlocked]);
  }));
  left->set_peers({stranger(), left_peers[0]});
  right->start();
  EXPECT_TRUE(
      eventually([&] { return left->snapshot().peers.at(1).traffic.tx_packets == written; }));
  EXPECT_EQ(left->snapshot().peers.at(0).traffic.tx_packets, 0u);
  EXPECT_EQ(read_packet(right_end[kBlocked]), numbered(kBlocked, 0));
}

TEST_F(SeveralWorkers, ShareTheSessionWithAPeerWhilePeersComeAndGo) {
  meet(true);
  begin();
  carry_while(3000, [&] {
    change_peers();
    left->revive_peers();
    (void)right->take_events();
    (void)left->snapshot();
    std::this_thread::sleep_for(2ms);
  });
  EXPECT_GE(right->snapshot().traffic.rx_packets, kThreads * 3000u);
  EXPECT_THAT(left->snapshot().drops, ::testing::Each(::testing::Field(&Drop::reason, kFullWire)));
  EXPECT_TRUE(right->snapshot().drops.empty());
}

TEST_F(SeveralWorkers, ACaptureHasThePacketsOfAllAndTheirDatagramsAsTheyCame) {
  meet(true);
  begin();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  ASSERT_TRUE(right->add_capture(UniqueFd(ends[1]), {}));
  pollfd waiting{reader.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&waiting, 1, 60000), 1) << "its header says that it has begun";
  packet::PcapngReader stream;
  std::array<std::size_t, kThreads> seen{};
  std::size_t outer = 0;
  std::size_t readable = 0;
  const Bytes payload(32, 0x5a);  // as ip_packet() has it
  const auto read_some = [&] {
    const std::optional<Bytes> some = read_packet(reader, 1);
    if (!some) return;
    stream.feed(*some);
    while (const auto record = stream.next()) {
      if (record->comment.find("peer left, in") == std::string::npos) continue;
      if (record->interface == 0 && record->bytes.size() > 28)
        ++seen[record->bytes[28] % kThreads];
      else if (++outer; !std::ranges::search(record->bytes, payload).empty())
        ++readable;
    }
  };
  for (std::size_t count = 20; count <= 200; count += 20) {  // a slow reader would lose some
    carry_while(20, read_some);
    ASSERT_TRUE(eventually([&] {
      read_some();
      return outer >= kThreads * count &&
             std::ranges::all_of(seen, [&](std::size_t number) { return number >= count; });
    })) << stream.error();
  }
  EXPECT_THAT(seen, ::testing::Each(200u));
  EXPECT_EQ(outer, kThreads * 200u);
  EXPECT_EQ(readable, 0u);
}

// A frame's source is learned by one thread, and known to all.
TEST_F(SeveralWorkers, ShareTheMacTable) {
  meet(false, true);
  const Bytes hello = frame("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff");
  write_packet(left_end[0], hello);
  EXPECT_EQ(read_packet(right_end[0]), hello);
  const Bytes answer = frame("02:00:00:00:00:02", "02:00:00:00:00:01");
  write_packet(right_end[1], answer);
  EXPECT_EQ(read_packet(left_end[1]), answer);
  EXPECT_TRUE(right->snapshot().drops.empty());
  write_packet(left_end[2], frame("02:00:00:00:00:03", "02:00:00:00:00:01"));
  EXPECT_TRUE(eventually([&] { return left->snapshot().drops.size() == 1; }));
  EXPECT_EQ(left->snapshot().drops.at(0).reason, DropReason::kLoop) << "it is on this side";
}

TEST_F(SeveralWorkers, TellOnceThatTheInterfaceIsGone) {
  meet(false);
  for (UniqueFd& end : left_end) end.reset();
  std::vector<Event> seen = wait_for_events(*left);
  left->ask_alive();
  EXPECT_TRUE(eventually([&] {
    for (Event& event : left->take_events()) seen.push_back(std::move(event));
    return !seen.empty() && std::holds_alternative<Alive>(seen.back());
  }));
  EXPECT_EQ(std::ranges::count_if(
                seen, [](const Event& event) { return std::holds_alternative<InsideGone>(event); }),
            1);
}

TEST(WorkersThatAreStuck, AreNotAliveUntilTheLastCameBack) {
  auto [kernel, inside] = wire();
  auto [outside, network] = wire();
  auto [other_kernel, other_inside] = wire();
  auto [other_outside, other_network] = wire();
  const auto stuck = std::make_shared<std::atomic<bool>>(true);
  std::vector<Ports> both;
  both.push_back(ports(std::move(inside), std::move(outside), "10.0.2.8:9090"));
  both.push_back({std::make_unique<WireInside>(std::move(other_inside)),
                  std::make_unique<StuckOutside>(std::move(other_outside), stuck)});
  Workers workers(std::move(both), {});
  workers.set_peers({configured("right", "10.0.2.8:9090", {"10.1.0.2/32"})});
  workers.start();
  const Bytes packet = ip_packet("10.1.0.1", "10.1.0.2");
  write_packet(other_kernel, packet);
  int waiting = 1;  // bytes: until that worker has read the packet and sends it
  EXPECT_TRUE(
      eventually([&] { return ::ioctl(other_kernel.get(), SIOCOUTQ, &waiting) == 0 && !waiting; }));
  write_packet(kernel, packet);
  EXPECT_EQ(read_packet(network), packet) << "one that is stuck does not hold up the others";
  for (int i = 0; i < 3; ++i) workers.ask_alive();
  pollfd answer{workers.event_fd(), POLLIN, 0};
  while (::poll(&answer, 1, 100) == 1) EXPECT_TRUE(workers.take_events().empty());
  *stuck = false;
  std::vector<Event> seen;
  EXPECT_TRUE(eventually([&] { return !(seen = workers.take_events()).empty(); }));
  EXPECT_TRUE(!seen.empty() && std::holds_alternative<Alive>(seen[0]));
}

TEST_F(SeveralWorkers, StopAndGoOn) {
  meet(true);
  begin();
  carry_while(50, [] { std::this_thread::sleep_for(1ms); });
  left->stop();
  left->stop();
  left->start();
  carry_while(50, [] { std::this_thread::sleep_for(1ms); });
  EXPECT_EQ(right->snapshot().traffic.rx_packets, kThreads * 100u + 1);
}

}  // namespace
}  // namespace vpntun::dataplane
