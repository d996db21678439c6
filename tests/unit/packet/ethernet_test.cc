#include "packet/ethernet.h"

#include "bytes.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

Bytes frame_with(std::string_view type, const Bytes& payload) {
  Bytes frame = hex("020000000002 020000000001");
  for (const Bytes& part : {hex(type), payload})
    frame.insert(frame.end(), part.begin(), part.end());
  return frame;
}

TEST(EthernetView, ReadsAFrame) {
  const Bytes frame = frame_with("0800", hex("45"));
  const auto view = EthernetView::parse(frame);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->destination().to_string(), "02:00:00:00:00:02");
  EXPECT_EQ(view->source().to_string(), "02:00:00:00:00:01");
  EXPECT_EQ(view->ethertype(), kEtherIpv4);
  EXPECT_FALSE(view->vlan());
  EXPECT_EQ(view->payload().size(), 1u);
}

TEST(EthernetView, SkipsOneVlanTag) {
  const Bytes frame = frame_with("8100 a005 86dd", hex("60"));
  const auto view = EthernetView::parse(frame);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->ethertype(), kEtherIpv6);
  EXPECT_EQ(view->vlan(), 5);
  EXPECT_EQ(view->header_length(), 18u);
  EXPECT_EQ(view->payload().size(), 1u);
}

TEST(EthernetView, HeaderMustBeThere) {
  const Bytes plain = frame_with("0800", {});
  EXPECT_TRUE(EthernetView::parse(plain));
  EXPECT_FALSE(EthernetView::parse(std::span(plain).first(13)));
  EXPECT_FALSE(EthernetView::parse({}));
  const Bytes tagged = frame_with("8100 0005 0800", {});
  EXPECT_TRUE(EthernetView::parse(tagged));
  EXPECT_FALSE(EthernetView::parse(std::span(tagged).first(17)));
}

TEST(ArpView, ReadsARequestWithPadding) {
  Bytes payload = hex("0001 0800 06 04 0001 020000000001 c0a83563 000000000000 c0a83501");
  payload.resize(46);
  const auto arp = ArpView::parse(payload);
  ASSERT_TRUE(arp);
  EXPECT_EQ(arp->operation(), ArpView::kRequest);
  EXPECT_EQ(arp->sender_mac().to_string(), "02:00:00:00:00:01");
  EXPECT_EQ(arp->sender_ip(), ip("192.168.53.99"));
  EXPECT_EQ(arp->target_mac(), MacAddress{});
  EXPECT_EQ(arp->target_ip(), ip("192.168.53.1"));
}

TEST(ArpView, RefusesOtherAddressKindsAndCuts) {
  const Bytes good = hex("0001 0800 06 04 0001 020000000001 c0a83563 000000000000 c0a83501");
  EXPECT_TRUE(ArpView::parse(good));
  EXPECT_FALSE(ArpView::parse(std::span(good).first(27)));
  for (std::size_t i = 0; i < 6; ++i) {
    Bytes bad = good;
    bad[i] ^= 0x10;
    EXPECT_FALSE(ArpView::parse(bad)) << i;
  }
}

TEST(IpOfFrame, LeavesPaddingOut) {
  Bytes packet = hex("4500 001c 0001 0000 4011 0000 0a000001 0a000002 0001 0002 0008 0000");
  packet.resize(46);
  const Bytes frame = frame_with("0800", packet);
  EXPECT_EQ(ip_of_frame(frame).size(), 28u);
  EXPECT_TRUE(IpView::parse(ip_of_frame(frame)));

  Bytes v6 =
      hex("6000 0000 0000 3b 40 fd000000000000000000000000000001 fd000000000000000000000000000002");
  v6.resize(46);
  EXPECT_EQ(ip_of_frame(frame_with("86dd", v6)).size(), 40u);
}

TEST(IpOfFrame, LeavesATruncatedPacketToTheView) {
  const Bytes frame = frame_with("0800", hex("4500 0100 0001 0000 4011 0000 0a000001 0a000002"));
  EXPECT_EQ(ip_of_frame(frame).size(), 20u);
  EXPECT_FALSE(IpView::parse(ip_of_frame(frame)));
}

TEST(IpOfFrame, IsEmptyForOtherTypes) {
  EXPECT_TRUE(ip_of_frame(frame_with("0806", lab_ping())).empty());
  EXPECT_TRUE(ip_of_frame(hex("020000000002")).empty());
}

TEST(IpOfFrame, StaysWithinRandomFrames) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 20000; ++round) {
    Bytes frame = chance.bytes(chance.between(0, 64));
    if (frame.size() > 13) {
      frame[12] = chance.byte() % 2 == 0 ? 0x08 : 0x86;
      frame[13] = frame[12] == 0x08 ? 0x00 : 0xdd;
    }
    const Bytes exact(frame);
    const auto packet = ip_of_frame(exact);
    ASSERT_LE(packet.size(), exact.size());
    IpView::parse(packet);
  }
}

}  // namespace
}  // namespace vpntun::packet
