// Captures: what they say, and that a slow or vanished reader hurts nobody.
#include "dataplane/capture.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "packet/ip_view.h"
#include "simulated.h"

namespace vpntun::dataplane {
namespace {

using packet::PcapngReader;
using Record = PcapngReader::Record;

struct Capture : ::testing::Test {
  Capture() {
    ::signal(SIGPIPE, SIG_IGN);  // the worker's thread blocks it
    sim.peers({configured("server", "10.0.2.9:9090", {"192.168.60.0/24"}),
               learned("bob-phone", {"192.168.53.2/32"})});
  }
  void open(Simulation& simulation, const CaptureOptions& options = {}) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reading = UniqueFd(ends[0]);
    simulation.tables.captures.add(1, UniqueFd(ends[1]), options);
  }
  CaptureTap& tap() { return sim.tables.captures.taps()[0]; }
  // What the reader has got so far.
  std::vector<Record> records(Simulation& simulation) {
    EXPECT_TRUE(simulation.tables.captures.taps()[0].flush());
    std::vector<std::uint8_t> buffer(1 << 20);
    ssize_t got = 0;
    while ((got = ::read(reading.get(), buffer.data(), buffer.size())) > 0)
      reader.feed(std::span(buffer).first(static_cast<std::size_t>(got)));
    std::vector<Record> result;
    while (auto record = reader.next()) result.push_back(*record);
    EXPECT_FALSE(reader.failed()) << reader.error();
    return result;
  }
  Simulation sim{false};
  UniqueFd reading;
  PcapngReader reader;
};

TEST_F(Capture, InnerAndOuterPacketAreAPair) {
  open(sim);
  const Bytes packet = ip_packet("192.168.53.99", "192.168.60.101");
  sim.from_inside(packet);
  const std::vector<Record> seen = records(sim);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(reader.interfaces()[0].properties.link, packet::LinkType::kRaw);
  EXPECT_EQ(seen[0].interface, 0u);
  EXPECT_EQ(seen[0].bytes, packet);
  EXPECT_EQ(seen[0].comment, "pair 1, peer server, out");
  EXPECT_EQ(seen[1].interface, 1u);
  EXPECT_EQ(seen[1].comment, "pair 1, peer server, out");
  EXPECT_EQ(seen[1].direction, packet::Direction::kOut);
  const auto outer = packet::IpView::parse(seen[1].bytes);
  ASSERT_TRUE(outer);
  EXPECT_EQ(outer->source(), address("10.0.2.8"));
  EXPECT_EQ(outer->destination(), address("10.0.2.9"));
  const auto udp = packet::UdpView::parse(outer->payload());
  EXPECT_EQ(udp->source_port(), 9090);
  EXPECT_EQ(Bytes(udp->payload().begin(), udp->payload().end()), packet);
  EXPECT_GT(seen[0].time, std::chrono::hours(24 * 365 * 50));
}

TEST_F(Capture, InboundPairHasTheRealAddresses) {
  open(sim);
  sim.from_outside(ip_packet("192.168.53.2", "192.168.53.98"), "10.0.7.7:4000", "10.0.7.8");
  const std::vector<Record> seen = records(sim);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].interface, 1u);
  EXPECT_EQ(seen[1].interface, 0u);
  EXPECT_EQ(seen[1].comment, "pair 1, peer bob-phone, in");
  const auto outer = packet::IpView::parse(seen[0].bytes);
  EXPECT_EQ(outer->source(), address("10.0.7.7"));
  EXPECT_EQ(outer->destination(), address("10.0.7.8"));
}

TEST_F(Capture, DropsAreRecordedWhereTheyWereSeen) {
  open(sim);
  sim.from_inside(ip_packet("192.168.53.99", "8.8.8.8"));
  sim.from_outside(ip_packet("192.168.1.1", "192.168.53.99"), "10.0.2.66:1");
  sim.outside.refuse = true;
  sim.from_inside(ip_packet("192.168.53.99", "192.168.60.1"));
  sim.inside.verdict = packet::SendVerdict::kWouldBlock;
  sim.from_outside(ip_packet("192.168.60.1", "192.168.53.99"), "10.0.2.9:9090");
  std::vector<std::string> comments;
  for (const Record& record : records(sim))
    comments.push_back(std::to_string(record.interface) + " " + record.comment);
  EXPECT_EQ(comments,
            (std::vector<std::string>{
                "0 dropped: no-peer", "1 dropped: unknown-sender", "0 pair 1, peer server, out",
                "1 pair 1, peer server, out, dropped: send-refused", "1 pair 2, peer server, in",
                "0 pair 2, peer server, in, dropped: queue-full"}));
}

TEST_F(Capture, InjectedPacketSaysSo) {
  open(sim);
  const Bytes evian{'e', 'v', 'i', 'a', 'n'};
  EXPECT_EQ(sim.inbound.inject(evian), 0);
  EXPECT_EQ(sim.inside.written, std::vector<Bytes>{evian});
  sim.inside.verdict = packet::SendVerdict::kRefused;
  sim.inside.error_number = EINVAL;
  EXPECT_EQ(sim.inbound.inject(evian), EINVAL);
  EXPECT_EQ(sim.inbound.inject(Bytes(packet::kMaxPacket + 1)), EMSGSIZE);
  const std::vector<Record> seen = records(sim);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].bytes, evian);
  EXPECT_EQ(seen[0].comment, "injected");
}

TEST_F(Capture, OptionsChooseSidesAndLength) {
  open(sim, {.snaplen = 40, .inner = false, .outer = true});
  const Bytes packet = ip_packet("192.168.53.99", "192.168.60.101", 500);
  sim.from_inside(packet);
  const std::vector<Record> seen = records(sim);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].interface, 1u);
  EXPECT_EQ(seen[0].bytes.size(), 40u);
  EXPECT_EQ(seen[0].original_length, packet.size() + 28);
}

TEST_F(Capture, FloodedFrameIsOneInnerAndSeveralOuterPackets) {
  Simulation tap_sim{true};
  tap_sim.peers({configured("a", "10.0.2.1:1"), configured("b", "10.0.2.2:1")});
  open(tap_sim);
  tap_sim.from_inside(frame("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"));
  const std::vector<Record> seen = records(tap_sim);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(reader.interfaces()[0].properties.link, packet::LinkType::kEthernet);
  EXPECT_EQ(seen[0].comment, "pair 1, out, flooded");
  EXPECT_EQ(seen[1].comment, "pair 1, peer a, out");
  EXPECT_EQ(seen[2].comment, "pair 1, peer b, out");
}

TEST_F(Capture, SlowReaderLosesWholeRecordsAndLearnsHowMany) {
  open(sim);
  const Bytes packet = ip_packet("192.168.53.99", "192.168.60.101", 1000);
  for (int i = 0; i < 3000; ++i) {
    sim.from_inside(packet);
    ASSERT_TRUE(tap().flush());
  }
  EXPECT_EQ(sim.outside.sent.size(), 3000u);  // the traffic does not notice
  EXPECT_GT(tap().lost(), 0u);
  std::size_t read = 0;
  while (tap().has_pending()) read += records(sim).size();
  read += records(sim).size();
  EXPECT_EQ(read + tap().lost(), 6000u);
  EXPECT_EQ(reader.pending(), 0u);
  EXPECT_EQ(reader.interfaces()[0].dropped + reader.interfaces()[1].dropped, tap().lost());
}

TEST_F(Capture, ReaderThatLeftEndsTheCapture) {
  open(sim);
  EXPECT_TRUE(tap().flush());
  reading.reset();
  sim.from_inside(ip_packet("192.168.53.99", "192.168.60.101"));
  EXPECT_FALSE(tap().flush());
}

TEST_F(Capture, WithoutOneNothingIsNumbered) {
  EXPECT_FALSE(sim.tables.captures.active());
  EXPECT_EQ(sim.tables.captures.next_pair(), 0u);
}

}  // namespace
}  // namespace vpntun::dataplane
