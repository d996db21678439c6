#include "packet/fragment.h"

#include <algorithm>
#include <map>

#include "base/wire.h"
#include "bytes.h"
#include "packet/build.h"
#include "packet/checksum.h"
#include "packet/ip_view.h"

namespace vpntun::packet {
namespace {

Bytes packet_of(std::size_t payload_length, std::uint16_t id = 7) {
  Bytes payload(payload_length);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i * 7);
  return build_ip({.source = ip("10.0.0.1"), .destination = ip("10.0.0.2"), .id = id}, kProtocolUdp,
                  payload);
}

// An IPv4 packet whose options are the given bytes (a multiple of four).
Bytes packet_with_options(const Bytes& options, std::size_t payload_length) {
  Bytes packet = packet_of(payload_length);
  packet.insert(packet.begin() + 20, options.begin(), options.end());
  packet[0] = static_cast<std::uint8_t>(0x40 | ((20 + options.size()) / 4));
  store_be(&packet[2], static_cast<std::uint16_t>(packet.size()));
  store_be(&packet[10], std::uint16_t{0});
  store_be(&packet[10], internet_checksum(std::span(packet).first(20 + options.size())));
  return packet;
}

std::vector<Bytes> cut(const Bytes& packet, std::size_t mtu) {
  std::vector<Bytes> pieces;
  auto fragments = Ipv4Fragments::of(packet, mtu);
  if (!fragments) return pieces;
  while (const auto piece = fragments->next()) {
    Bytes& bytes = pieces.emplace_back(piece->header.begin(), piece->header.end());
    bytes.insert(bytes.end(), piece->payload.begin(), piece->payload.end());
    EXPECT_EQ(bytes.size(), piece->size());
  }
  EXPECT_FALSE(fragments->next());
  return pieces;
}

// RFC 791 3.2, from the point of view of a host: pieces in any order.
Bytes reassembled(const std::vector<Bytes>& pieces) {
  std::map<std::size_t, Bytes> by_offset;
  Bytes header;
  bool last_seen = false;
  for (const Bytes& piece : pieces) {
    const auto view = IpView::parse(piece);
    if (!view) return {};
    if (view->fragment_offset() == 0) header.assign(view->header().begin(), view->header().end());
    if (!view->more_fragments()) last_seen = true;
    by_offset[view->fragment_offset()].assign(view->payload().begin(), view->payload().end());
  }
  Bytes packet = header;
  for (const auto& [offset, payload] : by_offset) {
    if (offset + header.size() != packet.size()) return {};
    packet.insert(packet.end(), payload.begin(), payload.end());
  }
  if (header.empty() || !last_seen) return {};
  store_be(&packet[2], static_cast<std::uint16_t>(packet.size()));
  store_be(&packet[6], std::uint16_t{0});
  store_be(&packet[10], std::uint16_t{0});
  store_be(&packet[10], internet_checksum(std::span(packet).first(header.size())));
  return packet;
}

TEST(Ipv4Fragments, AreAsInTheBook) {
  // 1480 bytes of payload through an mtu of 620: 600, 600, 280.
  const auto pieces = cut(packet_of(1480), 620);
  ASSERT_EQ(pieces.size(), 3u);
  const std::size_t sizes[] = {620, 620, 300};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto view = IpView::parse(pieces[i]);
    ASSERT_TRUE(view);
    EXPECT_EQ(pieces[i].size(), sizes[i]);
    EXPECT_EQ(view->fragment_offset(), i * 600);
    EXPECT_EQ(view->more_fragments(), i < 2);
    EXPECT_EQ(view->id(), 7u);
    EXPECT_EQ(view->ttl(), 64);
    EXPECT_EQ(view->protocol(), kProtocolUdp);
    EXPECT_EQ(internet_checksum(view->header()), 0);
  }
}

TEST(Ipv4Fragments, PacketThatFitsIsOnePiece) {
  const Bytes packet = packet_of(100);
  EXPECT_EQ(cut(packet, 120), std::vector<Bytes>{packet});
  EXPECT_EQ(cut(packet, 65535), std::vector<Bytes>{packet});
  EXPECT_EQ(cut(packet, 119).size(), 2u);
}

TEST(Ipv4Fragments, PayloadOfAllButTheLastIsAMultipleOfEight) {
  const auto pieces = cut(packet_of(1000), 127);  // room 107, used 104
  for (std::size_t i = 0; i + 1 < pieces.size(); ++i) EXPECT_EQ(pieces[i].size(), 124u);
}

TEST(Ipv4Fragments, DontFragmentIsObeyed) {
  Bytes packet = packet_of(1000);
  packet[6] = 0x40;
  EXPECT_FALSE(Ipv4Fragments::of(packet, 600));
  EXPECT_FALSE(Ipv4Fragments::of(packet, 60000));
}

TEST(Ipv4Fragments, OnlyIpv4PacketsAreCut) {
  const Bytes v6 =
      build_ip({.source = ip("fd00::1"), .destination = ip("fd00::2")}, 17, Bytes(1000));
  EXPECT_FALSE(Ipv4Fragments::of(v6, 600));
  EXPECT_FALSE(Ipv4Fragments::of(text("evian"), 600));
  EXPECT_FALSE(Ipv4Fragments::of({}, 600));
}

TEST(Ipv4Fragments, MtuMustLeaveRoomForEightBytes) {
  const Bytes packet = packet_of(100);
  EXPECT_FALSE(Ipv4Fragments::of(packet, 27));
  EXPECT_FALSE(Ipv4Fragments::of(packet, 0));
  EXPECT_EQ(cut(packet, 28).size(), 13u);
  EXPECT_EQ(reassembled(cut(packet, 28)), packet);
}

TEST(Ipv4Fragments, CopiedOptionsAreRepeatedTheOthersNot) {
  // Record route (7, not copied), no-operation, router alert (148, copied), end.
  const Bytes options = hex("07 07 04 00000000 01 94 04 0000");
  const auto pieces = cut(packet_with_options(options, 200), 100);
  ASSERT_GE(pieces.size(), 3u);
  const auto first = IpView::parse(pieces[0]);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->header_length(), 32u);
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    const auto view = IpView::parse(pieces[i]);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->header_length(), 24u);
    EXPECT_EQ(Bytes(view->header().begin() + 20, view->header().end()), hex("94 04 0000"));
    EXPECT_EQ(internet_checksum(view->header()), 0);
  }
  EXPECT_EQ(reassembled(pieces), packet_with_options(options, 200));
}

TEST(Ipv4Fragments, BrokenOptionsAreNotRepeated) {
  for (const char* options : {"94 ff 0000", "94 01 0000", "94 00 0000", "010101 94"}) {
    const auto pieces = cut(packet_with_options(hex(options), 200), 100);
    ASSERT_GE(pieces.size(), 3u) << options;
    EXPECT_EQ(IpView::parse(pieces[1])->header_length(), 20u) << options;
  }
}

TEST(Ipv4Fragments, FragmentIsCutFurther) {
  const Bytes whole = packet_of(2000);
  std::vector<Bytes> pieces;
  for (const Bytes& piece : cut(whole, 820))
    for (const Bytes& smaller : cut(piece, 300)) {
      EXPECT_LE(smaller.size(), 300u);
      pieces.push_back(smaller);
    }
  EXPECT_EQ(reassembled(pieces), whole);
}

TEST(Ipv4Fragments, OffsetsDoNotWrap) {
  Bytes packet = packet_of(100);
  store_be(&packet[6], std::uint16_t{0x1fff});
  EXPECT_FALSE(Ipv4Fragments::of(packet, 60));
}

TEST(Ipv4Fragments, ReassembleToTheOriginal) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 500; ++round) {
    Bytes options;
    for (std::size_t i = chance.between(0, 3); i > 0; --i) {
      const Bytes option = hex(chance.byte() % 2 == 0 ? "94040000" : "44040501");
      options.insert(options.end(), option.begin(), option.end());
    }
    const Bytes packet = packet_with_options(options, chance.between(0, 4000));
    const std::size_t mtu = chance.between(68, 2000);
    auto pieces = cut(packet, mtu);
    ASSERT_FALSE(pieces.empty());
    for (const Bytes& piece : pieces) {
      ASSERT_LE(piece.size(), mtu);
      ASSERT_EQ(internet_checksum(IpView::parse(piece)->header()), 0);
    }
    std::ranges::reverse(pieces);
    ASSERT_EQ(reassembled(pieces), packet) << "mtu " << mtu;
  }
}

TEST(Ipv4Fragments, RandomHeadersAreCutOrRefused) {
  Chance chance;
  PRINT_SEED(chance);
  for (int round = 0; round < 20000; ++round) {
    Bytes packet = chance.bytes(chance.between(20, 300));
    packet[0] = static_cast<std::uint8_t>(0x40 | chance.between(5, 15));
    packet[6] &= 0xbf;
    store_be(&packet[2], static_cast<std::uint16_t>(packet.size()));
    const std::size_t mtu = chance.between(0, 200);
    auto fragments = Ipv4Fragments::of(packet, mtu);
    if (!fragments) continue;
    std::size_t total = 0;
    while (const auto piece = fragments->next()) {
      ASSERT_LE(piece->size(), mtu);
      ASSERT_GE(piece->header.size(), 20u);
      total += piece->payload.size();
    }
    ASSERT_EQ(total, IpView::parse(packet)->payload().size());
  }
}

}  // namespace
}  // namespace vpntun::packet
