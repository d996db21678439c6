#include "ctl/capture_text.h"

#include <gtest/gtest.h>

#include "packet/build.h"

namespace vpntun::ctl {
namespace {

using packet::Direction;
using packet::LinkType;

// A stream as the daemon writes it, read back as records.
class Stream {
 public:
  explicit Stream(LinkType inner = LinkType::kRaw) {
    packet::append_section_header(bytes_, "vpntun");
    packet::append_interface(bytes_, {inner, "inner", "", 0});
    packet::append_interface(bytes_, {LinkType::kRaw, "outer", "", 0});
  }
  void add(std::uint32_t interface, const packet::Bytes& packet, Direction direction,
           const std::string& comment) {
    packet::append_packet(bytes_, {.interface = interface,
                                   .time = std::chrono::seconds(1),
                                   .bytes = packet,
                                   .more = {},
                                   .original_length = packet.size(),
                                   .direction = direction,
                                   .comment = comment});
  }
  std::vector<CaptureRecord> records() const {
    packet::PcapngReader reader;
    reader.feed(bytes_);
    std::vector<CaptureRecord> records;
    while (std::optional<CaptureRecord> record = reader.next())
      records.push_back(std::move(*record));
    EXPECT_EQ(reader.error(), "");
    return records;
  }
  std::string text(bool hex_dump = false) const {
    CaptureText text(hex_dump);
    std::string out;
    for (const CaptureRecord& record : records()) out += text.add(record);
    return out + "|" + text.rest();
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

packet::Bytes echo(const char* source, const char* destination, bool reply) {
  packet::IpFields fields;
  fields.source = ip(source);
  fields.destination = ip(destination);
  fields.ttl = 64;
  return packet::build_echo(fields, {reply, 77, 1}, std::vector<std::uint8_t>(56));
}

packet::Bytes carried(const char* source, const char* destination, const packet::Bytes& inner) {
  const packet::OuterHeaders headers =
      packet::wrap_udp(*Endpoint::parse(source), *Endpoint::parse(destination), inner);
  packet::Bytes out(headers.bytes().begin(), headers.bytes().end());
  out.insert(out.end(), inner.begin(), inner.end());
  return out;
}

const packet::Bytes kRequest = echo("192.168.53.99", "192.168.60.101", false);
const packet::Bytes kReply = echo("192.168.60.101", "192.168.53.99", true);

TEST(CaptureText, JoinsAnOutgoingPacketWithItsDatagram) {
  Stream stream;
  stream.add(0, kRequest, Direction::kOut, "pair 1, peer server, out");
  stream.add(1, carried("10.0.2.7:41872", "10.0.2.8:9090", kRequest), Direction::kOut,
             "pair 1, peer server, out");
  EXPECT_EQ(stream.text(),
            "From tun ==>: 192.168.53.99 --> 192.168.60.101 ICMP echo request id 77 seq 1 ttl 64\n"
            "    in UDP 10.0.2.7:41872 -> 10.0.2.8:9090, 20 IP + 8 UDP + 84 = 112 bytes\n|");
}

TEST(CaptureText, JoinsAnIncomingDatagramWithItsPacket) {
  Stream stream;
  stream.add(1, carried("[fd00::8]:9090", "[fd00::7]:41872", kReply), Direction::kIn,
             "pair 2, peer server, in");
  stream.add(0, kReply, Direction::kIn, "pair 2, peer server, in");
  EXPECT_EQ(stream.text(),
            "From socket <==: 192.168.60.101 --> 192.168.53.99 ICMP echo reply id 77 seq 1 ttl 64\n"
            "    in UDP [fd00::8]:9090 -> [fd00::7]:41872, 40 IP + 8 UDP + 84 = 132 bytes\n|");
}

TEST(CaptureText, JoinsPairsThatInterleave) {
  Stream stream;
  stream.add(0, kRequest, Direction::kOut, "pair 1, peer server, out");
  stream.add(0, kRequest, Direction::kOut, "pair 2, peer server, out");
  stream.add(1, carried("10.0.2.7:1", "10.0.2.8:1", kRequest), Direction::kOut,
             "pair 1, peer server, out");
  stream.add(1, carried("10.0.2.7:1", "10.0.2.8:2", kRequest), Direction::kOut,
             "pair 2, peer server, out");
  const std::string text = stream.text();
  EXPECT_LT(text.find("10.0.2.8:1,"), text.find("10.0.2.8:2,"));
  EXPECT_TRUE(text.ends_with("|")) << text;
}

TEST(CaptureText, ShowsAtOnceWhatWasDroppedOrInjected) {
  Stream stream;
  stream.add(0, kRequest, Direction::kOut, "pair 1, dropped: no-peer");
  stream.add(1, carried("10.0.2.9:1", "10.0.2.8:1", {1, 2, 3}), Direction::kIn,
             "dropped: malformed");
  stream.add(0, kReply, Direction::kIn, "injected");
  EXPECT_EQ(stream.text(),
            "From tun ==>: 192.168.53.99 --> 192.168.60.101 ICMP echo request id 77 seq 1 ttl 64\n"
            "    dropped: no-peer\n"
            "From socket <==: UDP 10.0.2.9:1 -> 10.0.2.8:1, 20 IP + 8 UDP + 3 = 31 bytes\n"
            "    dropped: malformed\n"
            "Injected <==: 192.168.60.101 --> 192.168.53.99 ICMP echo reply id 77 seq 1 ttl 64\n|");
}

TEST(CaptureText, ShowsAFloodedFrameWithEachDatagramAndCountsItOnce) {
  Stream stream;
  stream.add(0, kRequest, Direction::kOut, "pair 1, out, flooded");
  stream.add(1, carried("10.0.2.7:1", "10.0.2.8:1", kRequest), Direction::kOut,
             "pair 1, peer a, out");
  stream.add(1, carried("10.0.2.7:1", "10.0.2.9:1", kRequest), Direction::kOut,
             "pair 1, peer b, out");
  CaptureText text(false);
  std::string out;
  for (const CaptureRecord& record : stream.records()) out += text.add(record);
  const std::string inner =
      "From tun ==>: 192.168.53.99 --> 192.168.60.101 ICMP echo request id 77 seq 1 ttl 64\n";
  EXPECT_EQ(out, inner + "    in UDP 10.0.2.7:1 -> 10.0.2.8:1, 20 IP + 8 UDP + 84 = 112 bytes\n" +
                     inner +
                     "    in UDP 10.0.2.7:1 -> 10.0.2.9:1, 20 IP + 8 UDP + 84 = 112 bytes\n");
  EXPECT_EQ(text.rest(), "");
  EXPECT_EQ(text.packets(), 1u);
}

TEST(CaptureText, TellsTheDaemonsOwnAnswersFromPackets) {
  Stream stream;
  stream.add(0, kReply, Direction::kIn, "answer to a packet too big");
  EXPECT_EQ(
      stream.text(),
      "From vpntund <==: 192.168.60.101 --> 192.168.53.99 ICMP echo reply id 77 seq 1 ttl 64\n"
      "    answer to a packet too big\n|");
}

TEST(CaptureText, GivesOutHalvesThatStayAlone) {
  Stream stream;
  stream.add(0, kRequest, Direction::kOut, "pair 1, peer server, out");
  EXPECT_EQ(
      stream.text(),
      "|From tun ==>: 192.168.53.99 --> 192.168.60.101 ICMP echo request id 77 seq 1 ttl 64\n");
}

TEST(CaptureText, KeepsFewHalvesWaiting) {
  Stream stream;
  for (int pair = 1; pair <= 1000; ++pair)
    stream.add(0, kRequest, Direction::kOut, "pair " + std::to_string(pair) + ", out");
  const std::string text = stream.text();
  EXPECT_LT(
      std::count(text.begin() + static_cast<std::ptrdiff_t>(text.find('|')), text.end(), '\n'),
      100);
}

TEST(CaptureText, KnowsFrames) {
  Stream stream(LinkType::kEthernet);
  const MacAddress mac{{2, 0, 0, 0, 0, 1}};
  stream.add(0, packet::build_arp_request(mac, ip("192.168.53.99"), ip("192.168.53.1")),
             Direction::kOut, "");
  const std::string text = stream.text();
  EXPECT_TRUE(text.starts_with("From tap ==>: ARP who-has 192.168.53.1 tell 192.168.53.99"))
      << text;
}

TEST(CaptureText, ShowsBytesWhenAsked) {
  Stream stream;
  stream.add(0, {'e', 'v', 'i', 'a', 'n'}, Direction::kIn, "injected");
  EXPECT_NE(stream.text(true).find("65 76 69 61 6e"), std::string::npos) << stream.text(true);
}

TEST(CaptureText, CountsAPairAsOnePacket) {
  Stream stream;
  stream.add(0, kRequest, Direction::kOut, "pair 1, peer server, out");
  stream.add(1, carried("10.0.2.7:1", "10.0.2.8:1", kRequest), Direction::kOut,
             "pair 1, peer server, out");
  stream.add(0, kRequest, Direction::kOut, "dropped: no-peer");
  CaptureText text(false);
  for (const CaptureRecord& record : stream.records()) text.add(record);
  EXPECT_EQ(text.packets(), 2u);
}

TEST(ParseComment, TakesEveryPartAndForgivesOthers) {
  const CaptureComment comment =
      parse_comment("pair 612, peer bob, in, dropped: too-big, later words");
  EXPECT_EQ(comment.pair, 612u);
  EXPECT_EQ(comment.peer, "bob");
  EXPECT_EQ(comment.dropped, "too-big");
  EXPECT_EQ(comment.remark, "later words");
  EXPECT_EQ(comment.direction, Direction::kIn);
  EXPECT_FALSE(comment.injected);
  for (const char* text :
       {"", ", ", "pair ", "pair x", "pair -1", "pair 99999999999999999999999", "pair 1x"})
    EXPECT_FALSE(parse_comment(text).pair.has_value()) << text;
  EXPECT_EQ(parse_comment("dropped: \x1b[2J").dropped, "\\x1b[2J");
}

}  // namespace
}  // namespace vpntun::ctl
