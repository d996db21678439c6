#include "dataplane/counters.h"

#include <gtest/gtest.h>

#include <set>

#include "simulated.h"

namespace vpntun::dataplane {
namespace {

TEST(DropReason, EachHasACodeAndOneSentence) {
  std::set<std::string_view> codes;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    EXPECT_TRUE(codes.insert(code(reason)).second);
    EXPECT_EQ(code(reason).find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string::npos);
    EXPECT_EQ(text(reason).back(), '.');
    EXPECT_EQ(text(reason).find('.'), text(reason).size() - 1);
  }
  EXPECT_EQ(code(DropReason::kInterfaceDown), "interface-down");  // the last one
}

TEST(TrafficCounter, CountsPacketsBytesAndTime) {
  TrafficCounter counter;
  EXPECT_EQ(counter.read().last_rx, Instant{});
  counter.count_rx(100, true, Instant(std::chrono::seconds(5)));
  counter.count_rx(40, true, Instant(std::chrono::seconds(5)));
  counter.count_rx(10, false, Instant(std::chrono::seconds(6)));  // of the protocol itself
  counter.count_tx(7, true, Instant(std::chrono::seconds(8)));
  counter.count_tx(2, false, Instant(std::chrono::seconds(9)));
  const Traffic traffic = counter.read();
  EXPECT_EQ(traffic.rx_packets, 2u);
  EXPECT_EQ(traffic.rx_bytes, 150u);
  EXPECT_EQ(traffic.tx_packets, 1u);
  EXPECT_EQ(traffic.tx_bytes, 9u);
  EXPECT_EQ(traffic.last_rx, Instant(std::chrono::seconds(6)));
  EXPECT_EQ(traffic.last_tx, Instant(std::chrono::seconds(9)));
}

TEST(DropCounters, NameOnlyWhatOccurredAndTheLastOffender) {
  DropCounters drops;
  EXPECT_TRUE(drops.read(false).empty());
  const Endpoint sender = endpoint("10.0.2.9:4000");
  drops.count(DropReason::kUnknownSender, ip_packet("192.168.53.7", "10.0.0.1", 1400),
              packet::Direction::kIn, &sender, Instant(std::chrono::seconds(3)));
  drops.count(DropReason::kUnknownSender, ip_packet("fd00::7", "fd00::1"), packet::Direction::kIn,
              &sender, Instant(std::chrono::seconds(4)));
  const std::vector<Drop> seen = drops.read(false);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].packets, 2u);
  EXPECT_EQ(seen[0].last, "fd00::7 -> fd00::1 from 10.0.2.9:4000");
  EXPECT_EQ(seen[0].last_time, Instant(std::chrono::seconds(4)));
}

TEST(DropCounters, OffendersOfAllShapesHaveAText) {
  DropCounters drops;
  const Instant now(std::chrono::seconds(1));
  const Endpoint there = endpoint("10.0.2.9:4000");
  drops.count(DropReason::kMalformed, Bytes{'e', 'v', 'i', 'a', 'n'}, packet::Direction::kIn,
              &there, now);
  drops.count(DropReason::kSendRefused, ip_packet("10.1.1.1", "10.2.2.2", 9000),
              packet::Direction::kOut, &there, now);
  drops.count(DropReason::kUnknownDestination, Bytes{}, packet::Direction::kOut, nullptr, now);
  const std::vector<Drop> seen = drops.read(false);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].last, "5 bytes from 10.0.2.9:4000");
  EXPECT_EQ(seen[1].last, "0 bytes");
  EXPECT_EQ(seen[2].last, "10.1.1.1 -> 10.2.2.2 to 10.0.2.9:4000");
}

TEST(DropCounters, FramesAreNamedByIpOrElseByMac) {
  DropCounters drops;
  const Instant now(std::chrono::seconds(1));
  drops.count(DropReason::kLoop, frame("02:00:00:00:00:01", "02:00:00:00:00:02"),
              packet::Direction::kIn, nullptr, now);
  EXPECT_EQ(drops.read(true)[0].last, "10.9.0.1 -> 10.9.0.2");
  drops.count(
      DropReason::kLoop,
      packet::build_arp_request(mac("02:00:00:00:00:01"), address("10.9.0.1"), address("10.9.0.2")),
      packet::Direction::kIn, nullptr, now);
  EXPECT_EQ(drops.read(true)[0].last, "02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff");
}

TEST(DropCounters, OfASealedDatagramOnlyTheSizeIsTold) {
  DropCounters drops;
  const Endpoint there = endpoint("10.0.2.9:4000");
  drops.count_sealed(DropReason::kSendRefused, 1452, packet::Direction::kOut, &there,
                     Instant(std::chrono::seconds(1)));
  EXPECT_EQ(drops.read(true)[0].last, "1452 bytes to 10.0.2.9:4000");
}

}  // namespace
}  // namespace vpntun::dataplane
