// The packets and capture files of this room, judged by another program: tshark must read them
// without complaint.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

#include "base/unique_fd.h"
#include "bytes.h"
#include "packet/build.h"
#include "packet/ethernet.h"
#include "packet/fragment.h"
#include "packet/icmp.h"
#include "packet/pcapng.h"

extern char** environ;

namespace vpntun::packet {
namespace {

using namespace std::chrono_literals;

struct Outcome {
  int status = -1;
  std::string output;  // standard output and error
};

Outcome run_tshark(const Bytes& file, std::vector<std::string> arguments) {
  char path[] = "/tmp/vpntun-packet-test-XXXXXX";
  const UniqueFd temporary(::mkstemp(path));
  EXPECT_EQ(::write(temporary.get(), file.data(), file.size()), static_cast<ssize_t>(file.size()));
  arguments.insert(arguments.begin(), {TSHARK, "-n", "-r", path});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), 2);
  pid_t child = -1;
  EXPECT_EQ(::posix_spawn(&child, TSHARK, &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  writer.reset();

  Outcome outcome;
  std::array<char, 4096> buffer;
  for (ssize_t n; (n = ::read(reader.get(), buffer.data(), buffer.size())) > 0;)
    outcome.output.append(buffer.data(), static_cast<std::size_t>(n));
  ::waitpid(child, &outcome.status, 0);
  ::unlink(path);
  // tshark says this to every root, on standard error.
  for (const char* remark :
       {"Running as user \"root\" and group \"root\". This could be dangerous.\n"})
    if (const auto at = outcome.output.find(remark); at != std::string::npos)
      outcome.output.erase(at, std::string(remark).size());
  return outcome;
}

std::vector<std::string> fields(std::initializer_list<const char*> names) {
  std::vector<std::string> arguments{"-T", "fields", "-E", "separator=|"};
  for (const char* name : names) {
    arguments.emplace_back("-e");
    arguments.emplace_back(name);
  }
  return arguments;
}

std::vector<std::string> with_checksums(std::vector<std::string> arguments) {
  for (const char* protocol : {"ip", "udp", "tcp"}) {
    arguments.emplace_back("-o");
    arguments.push_back(std::string(protocol) + ".check_checksum:TRUE");
  }
  return arguments;
}

class CaptureFile {
 public:
  CaptureFile() {
    append_section_header(bytes_, "vpntund 0.1");
    append_interface(bytes_, {.link = LinkType::kRaw, .name = "tun0", .description = "inside"});
    append_interface(bytes_, {.link = LinkType::kRaw, .name = "udp", .description = "outside"});
    append_interface(bytes_, {.link = LinkType::kEthernet, .name = "tap0"});
  }
  void add(std::uint32_t interface, const Bytes& packet, std::string_view comment = {},
           Direction direction = Direction::kUnknown) {
    time_ += 1ms;
    append_packet(bytes_, {.interface = interface,
                           .time = time_,
                           .bytes = packet,
                           .original_length = packet.size(),
                           .direction = direction,
                           .comment = comment});
  }
  Bytes& bytes() { return bytes_; }

 private:
  Bytes bytes_;
  std::chrono::nanoseconds time_ = 1'700'000'000s;
};

TEST(Tshark, ReadsInnerAndOuterPacketsWithTheirComments) {
  CaptureFile file;
  const Bytes inner = lab_ping();
  file.add(0, inner, "pair 1, peer server, out", Direction::kOut);
  const auto from = Endpoint::parse("10.0.2.7:40000").value();
  const auto to = Endpoint::parse("10.0.2.8:9090").value();
  append_packet(file.bytes(), {.interface = 1,
                               .time = 1'700'000'000'123'456'789ns,
                               .bytes = wrap_udp(from, to, inner).bytes(),
                               .more = inner,
                               .original_length = 112,
                               .direction = Direction::kIn,
                               .comment = "pair 1, peer \xc3\xa9, in"});
  append_statistics(file.bytes(), 0, 1'700'000'001s, 10, 3);
  const Outcome outcome = run_tshark(
      file.bytes(),
      with_checksums(fields({"frame.interface_name", "frame.interface_description",
                             "frame.time_epoch", "frame.len", "frame.packet_flags_direction",
                             "frame.comment", "ip.src", "ip.dst", "icmp.seq", "udp.srcport",
                             "udp.dstport", "ip.checksum.status", "udp.checksum.status"})));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output,
            "tun0|inside|1700000000.001000000|84|0x00000002|pair 1, peer server, out|"
            "192.168.53.99|192.168.60.101|1|||1|\n"
            "udp|outside|1700000000.123456789|112|0x00000001|pair 1, peer \xc3\xa9, in|"
            "10.0.2.7|10.0.2.8||40000|9090|1|1\n");
}

TEST(Tshark, FindsNothingWrongWithBuiltPackets) {
  const IpFields v4{.source = ip("10.0.0.1"), .destination = ip("10.0.0.2")};
  const IpFields v6{.source = ip("fd00::1"), .destination = ip("fd00::2")};
  CaptureFile file;
  for (const IpFields& fields : {v4, v6}) {
    file.add(0, build_udp(fields, 40000, 4001, text("odd")));
    file.add(0, build_echo(fields, {.id = 1, .sequence = 1}, text("echo")));
    Bytes error(kMaxTooBig);
    error.resize(build_too_big(build_udp(fields, 1, 2, Bytes(1452)), 1400, error));
    file.add(0, error);
  }
  file.add(2, build_arp_request({{2, 0, 0, 0, 0, 1}}, ip("10.0.0.1"), ip("10.0.0.2")));
  file.add(2, build_frame({{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, kEtherIpv6,
                          build_udp(v6, 40000, 4001, text("x"))));
  const Outcome outcome = run_tshark(
      file.bytes(),
      with_checksums(fields({"_ws.col.Protocol", "ip.checksum.status", "udp.checksum.status",
                             "icmp.checksum.status", "icmpv6.checksum.status", "icmp.mtu",
                             "icmpv6.mtu", "_ws.malformed"})));
  EXPECT_EQ(outcome.status, 0);
  // 1: good; 2: not verified, of the datagram that an error quotes in part.
  EXPECT_EQ(outcome.output,
            "UDP|1|1|||||\n"
            "ICMP|1||1||||\n"
            "ICMP|1,1|2|1||1400||\n"
            "UDP||1|||||\n"
            "ICMPv6||||1|||\n"
            "ICMPv6||2||1||1400|\n"
            "ARP|||||||\n"
            "UDP||1|||||\n");
}

TEST(Tshark, ReassemblesOurFragments) {
  const Bytes payload(3000, 0x61);
  const Bytes packet = build_udp(
      {.source = ip("10.0.0.1"), .destination = ip("10.0.0.2"), .id = 99}, 40000, 4001, payload);
  CaptureFile file;
  auto fragments = Ipv4Fragments::of(packet, 1000);
  ASSERT_TRUE(fragments);
  while (const auto piece = fragments->next()) {
    Bytes bytes(piece->header.begin(), piece->header.end());
    bytes.insert(bytes.end(), piece->payload.begin(), piece->payload.end());
    file.add(0, bytes);
  }
  const Outcome outcome = run_tshark(
      file.bytes(), with_checksums(fields({"ip.checksum.status", "udp.length",
                                           "udp.checksum.status", "ip.fragment.count"})));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output, "1|||\n1|||\n1|||\n1|3008|1|4\n");
}

TEST(Tshark, SeesSnappedPackets) {
  CaptureFile file;
  const Bytes packet = lab_ping();
  append_packet(file.bytes(), {.bytes = std::span(packet).first(28), .original_length = 84});
  const Outcome outcome =
      run_tshark(file.bytes(), fields({"frame.len", "frame.cap_len", "ip.dst"}));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output, "84|28|192.168.60.101\n");
}

}  // namespace
}  // namespace vpntun::packet
