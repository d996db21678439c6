#include "packet/pcapng.h"

#include <algorithm>

#include "base/wire.h"
#include "bytes.h"

namespace vpntun::packet {
namespace {

using namespace std::chrono_literals;

Bytes two_interfaces() {
  Bytes file;
  append_section_header(file, "vpntund");
  append_interface(file, {.link = LinkType::kRaw, .name = "tun0", .description = "inside"});
  append_interface(file, {.link = LinkType::kEthernet, .name = "tap0", .snaplen = 96});
  return file;
}

Bytes one_packet() {
  Bytes file = two_interfaces();
  const Bytes packet = lab_ping();
  append_packet(file, {.interface = 0,
                       .time = 1'700'000'000'123'456'789ns,
                       .bytes = packet,
                       .original_length = packet.size(),
                       .direction = Direction::kOut,
                       .comment = "pair 1, peer server, out"});
  return file;
}

std::vector<PcapngReader::Record> all_of(PcapngReader& reader) {
  std::vector<PcapngReader::Record> records;
  while (auto record = reader.next()) records.push_back(std::move(*record));
  return records;
}

TEST(PcapngWriter, BlocksAreByteForByteAsTheDraftSays) {
  Bytes file;
  append_section_header(file, "x");
  EXPECT_EQ(file, hex("0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff"
                      "0400 0100 78000000 0000 0000 28000000"));
  file.clear();
  append_interface(file, {.link = LinkType::kRaw, .name = "tun0", .snaplen = 65535});
  EXPECT_EQ(file, hex("01000000 28000000 6500 0000 ffff0000 0200 0400 74756e30"
                      "0900 0100 09000000 0000 0000 28000000"));
  file.clear();
  const Bytes packet = hex("616263");
  append_packet(file, {.interface = 1,
                       .time = std::chrono::nanoseconds(0x0102030405060708),
                       .bytes = packet,
                       .original_length = 9,
                       .direction = Direction::kIn,
                       .comment = "hi"});
  EXPECT_EQ(file, hex("06000000 38000000 01000000 04030201 08070605 03000000 09000000 61626300"
                      "0100 0200 68690000 0200 0400 01000000 0000 0000 38000000"));
  file.clear();
  append_statistics(file, 1, std::chrono::nanoseconds(1), 5, 2);
  EXPECT_EQ(file, hex("05000000 34000000 01000000 00000000 01000000"
                      "0400 0800 0500000000000000 0500 0800 0200000000000000 0000 0000 34000000"));
}

TEST(PcapngWriter, KnowsTheSizeOfAPacketBlock) {
  const Bytes bytes(300);
  const std::string comment(70000, 'c');
  for (std::size_t length = 0; length < 9; ++length)
    for (const std::size_t more : {0u, 1u, 5u})
      for (const std::size_t comment_length : {0u, 1u, 4u, 65535u, 70000u}) {
        const PcapngPacket packet{.bytes = std::span(bytes).first(length),
                                  .more = std::span(bytes).first(more),
                                  .comment = std::string_view(comment).substr(0, comment_length)};
        Bytes out;
        append_packet(out, packet);
        EXPECT_EQ(out.size(), packet_block_size(packet)) << length << " " << more;
        EXPECT_EQ(out.size() % 4, 0u);
      }
}

TEST(PcapngWriter, SecretsBlockIsTypeLengthAndPaddedText) {
  Bytes file;
  append_secrets(file, SecretsType::kWireguardKeyLog, hex("4b 3d 31"));
  EXPECT_EQ(file, hex("0a000000 18000000 4c4b4757 03000000 4b3d3100 18000000"));
}

TEST(PcapngWriter, KnowsTheSizeOfASecretsBlock) {
  for (std::size_t length = 0; length < 9; ++length) {
    const Bytes secrets(length);
    Bytes out;
    append_secrets(out, SecretsType::kWireguardKeyLog, secrets);
    EXPECT_EQ(out.size(), secrets_block_size(secrets));
  }
}

TEST(PcapngWriter, CommentIsCutBetweenCharacters) {
  std::string comment(65534, 'c');
  comment += "\xc3\xa9";  // é across the limit
  Bytes file = two_interfaces();
  append_packet(file, {.comment = comment});
  PcapngReader reader;
  reader.feed(file);
  const auto record = reader.next();
  ASSERT_TRUE(record) << reader.error();
  EXPECT_EQ(record->comment, std::string(65534, 'c'));
}

TEST(PcapngReader, GivesBackWhatWasWritten) {
  Bytes file = one_packet();
  const Bytes head = hex("0102 03");
  const Bytes tail = hex("0405");
  append_packet(file, {.interface = 1,
                       .time = 5ns,
                       .bytes = head,
                       .more = tail,
                       .original_length = 1500,
                       .direction = Direction::kIn});
  append_statistics(file, 1, 6ns, 100, 7);

  PcapngReader reader;
  reader.feed(file);
  const auto records = all_of(reader);
  ASSERT_EQ(reader.error(), "");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].interface, 0u);
  EXPECT_EQ(records[0].link, LinkType::kRaw);
  EXPECT_EQ(records[0].time, 1'700'000'000'123'456'789ns);
  EXPECT_EQ(records[0].bytes, lab_ping());
  EXPECT_EQ(records[0].original_length, 84u);
  EXPECT_EQ(records[0].direction, Direction::kOut);
  EXPECT_EQ(records[0].comment, "pair 1, peer server, out");
  EXPECT_EQ(records[1].link, LinkType::kEthernet);
  EXPECT_EQ(records[1].bytes, hex("0102030405"));
  EXPECT_EQ(records[1].original_length, 1500u);
  EXPECT_EQ(records[1].direction, Direction::kIn);
  EXPECT_EQ(records[1].comment, "");
  ASSERT_EQ(reader.interfaces().size(), 2u);
  EXPECT_EQ(reader.interfaces()[0].properties.name, "tun0");
  EXPECT_EQ(reader.interfaces()[0].properties.description, "inside");
  EXPECT_EQ(reader.interfaces()[1].properties.snaplen, 96u);
  EXPECT_EQ(reader.interfaces()[1].received, 100u);
  EXPECT_EQ(reader.interfaces()[1].dropped, 7u);
  EXPECT_EQ(reader.pending(), 0u);
}

TEST(PcapngReader, PassesOverSecrets) {
  Bytes file = two_interfaces();
  append_secrets(file, SecretsType::kWireguardKeyLog, Bytes(300, 'x'));
  append_packet(file, {.bytes = lab_ping()});
  PcapngReader reader;
  reader.feed(file);
  const auto records = all_of(reader);
  ASSERT_EQ(reader.error(), "");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].bytes, lab_ping());
}

TEST(PcapngReader, TakesTheStreamInAnyPieces) {
  const Bytes file = one_packet();
  PcapngReader reader;
  std::size_t records = 0;
  for (const std::uint8_t byte : file) {
    EXPECT_EQ(records, 0u);
    reader.feed({&byte, 1});
    records += all_of(reader).size();
  }
  EXPECT_EQ(records, 1u);
  EXPECT_EQ(reader.pending(), 0u);
}

TEST(PcapngReader, CutStreamWaitsAndShowsWhatIsPending) {
  const Bytes file = one_packet();
  for (std::size_t length = 0; length < file.size(); ++length) {
    PcapngReader reader;
    reader.feed(std::span(file).first(length));
    EXPECT_TRUE(all_of(reader).empty()) << length;
    EXPECT_FALSE(reader.failed()) << length << ": " << reader.error();
  }
  PcapngReader reader;
  reader.feed(std::span(file).first(file.size() - 1));
  EXPECT_FALSE(reader.next());
  EXPECT_GT(reader.pending(), 0u);
}

TEST(PcapngReader, ReadsTheOtherByteOrderAndMicroseconds) {
  PcapngReader reader;
  reader.feed(
      hex("0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c"
          "00000001 00000014 0065 0000 00000000 00000014"
          "00000006 00000024 00000000 00000000 00000002 00000001 00000001 ab000000 00000024"));
  const auto record = reader.next();
  ASSERT_TRUE(record) << reader.error();
  EXPECT_EQ(record->time, 2us);
  EXPECT_EQ(record->bytes, hex("ab"));
}

TEST(PcapngReader, SkipsBlocksItDoesNotKnow) {
  Bytes file = two_interfaces();
  const Bytes unknown = hex("ad0b0000 10000000 01020304 10000000");
  file.insert(file.end(), unknown.begin(), unknown.end());
  append_packet(file, {});
  PcapngReader reader;
  reader.feed(file);
  EXPECT_EQ(all_of(reader).size(), 1u);
}

TEST(PcapngReader, NewSectionForgetsTheInterfaces) {
  Bytes file = one_packet();
  append_section_header(file, "");
  append_packet(file, {});
  PcapngReader reader;
  reader.feed(file);
  EXPECT_EQ(all_of(reader).size(), 1u);
  EXPECT_EQ(reader.error(), "a packet of an interface that was not described");
}

struct Hostile {
  const char* name;
  std::size_t offset;  // in one_packet()
  Bytes bytes;         // written there
  const char* error;
};

TEST(PcapngReader, HostileStreamsEndTheReading) {
  Bytes prefix;
  append_section_header(prefix, "vpntund");
  const std::size_t interface = prefix.size();
  const std::size_t packet = two_interfaces().size();
  const std::vector<Hostile> cases{
      {"no pcapng", 0, hex("d4c3b2a1"), "this is no pcapng stream"},
      {"bad magic", 8, hex("00000000"), "the section header has no byte-order magic"},
      {"bad version", 12, hex("0200"), "the major version is not 1"},
      {"block too small", interface + 4, hex("08000000"), "a block of 8 bytes"},
      {"block odd", interface + 4, hex("29000000"), "a block of 41 bytes"},
      {"block huge", interface + 4, hex("fcffffff"), "a block of 4294967292 bytes"},
      {"block length zero", interface + 4, hex("00000000"), "a block of 0 bytes"},
      {"lengths differ", packet - 4, hex("00000000"), "the two lengths of a block differ"},
      {"option too long", interface + 18, hex("ffff"), "an option is longer than its block"},
      {"unknown interface", packet + 8, hex("02000000"),
       "a packet of an interface that was not described"},
      {"packet longer than block", packet + 20, hex("ffffffff"),
       "a packet is longer than its block"},
      {"time out of range", packet + 12, hex("ffffffff"), "a time stamp is out of range"},
  };
  for (const Hostile& hostile : cases) {
    Bytes file = one_packet();
    std::ranges::copy(hostile.bytes, file.begin() + static_cast<std::ptrdiff_t>(hostile.offset));
    PcapngReader reader;
    reader.feed(file);
    EXPECT_TRUE(all_of(reader).empty()) << hostile.name;
    EXPECT_EQ(reader.error(), hostile.error) << hostile.name;
    const std::size_t pending = reader.pending();
    reader.feed(one_packet());
    EXPECT_FALSE(reader.next()) << hostile.name;
    EXPECT_EQ(reader.pending(), pending) << hostile.name << ": a failed reader takes no more";
  }
}

TEST(PcapngReader, InterfacesAreBounded) {
  Bytes file;
  append_section_header(file, "");
  for (std::size_t i = 0; i <= PcapngReader::kMaxInterfaces; ++i) append_interface(file, {});
  PcapngReader reader;
  reader.feed(file);
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.error(), "too many interfaces");
}

TEST(PcapngReader, RandomDamageNeverBreaksIt) {
  Chance chance;
  PRINT_SEED(chance);
  Bytes file = one_packet();
  append_statistics(file, 1, 6ns, 100, 7);
  for (int round = 0; round < 20000; ++round) {
    Bytes damaged = file;
    for (std::size_t i = chance.between(1, 4); i > 0; --i)
      damaged[chance.between(0, damaged.size() - 1)] = chance.byte();
    PcapngReader reader;
    const std::size_t half = chance.between(0, damaged.size());
    reader.feed(std::span(damaged).first(half));
    std::size_t records = all_of(reader).size();
    reader.feed(std::span(damaged).subspan(half));
    records += all_of(reader).size();
    // Five blocks; damage may have turned one kind into another.
    ASSERT_LE(records + reader.interfaces().size(), 4u);
  }
}

}  // namespace
}  // namespace vpntun::packet
