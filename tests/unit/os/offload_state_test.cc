// What the ports say of the kernel's offloads: on, or off and why, with kernels that have less and
// with one that changes its mind.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cerrno>

#include "os/tun.h"
#include "refusing_kernel.h"
#include "two_sockets.h"

namespace vpntun::os {
namespace {

using packet::SendVerdict;
using testing::AnyOf;
using testing::ElementsAre;

constexpr unsigned kUdpSuperpackets = 0x60;  // TUN_F_USO4 | TUN_F_USO6

std::vector<std::string> said_by(const packet::OffloadStates& states) {
  std::vector<std::string> lines;
  for (const packet::OffloadState& state : states) {
    const Reason reason = packet::reason_of(state);
    EXPECT_EQ(state.on(), reason.code.empty());
    lines.push_back(std::string(to_string(state.kind)) + (state.on() ? " on" : ": " + reason.text));
  }
  return lines;
}

const std::string kNoSuchOption = ": not offered by the kernel: Protocol not available";
const std::string kInvalid = ": not offered by the kernel: Invalid argument";

class TunOffloadStates : public KernelTest {
 protected:
  static std::vector<std::string> of_new(const TunOptions& options = {}) {
    return said_by(Tun::open("tun%d", TunKind::kTun, options).offloads());
  }
  static Refusal no(unsigned flags) {
    return {.call = SYS_ioctl,
            .with = {{1, TUNSETOFFLOAD}, {.place = 2, .value = flags, .mask = flags}},
            .error_number = EINVAL};
  }
};

TEST_F(TunOffloadStates, AreOnWhereTheKernelHasThem) {
  // Linux before 6.2 has no superpackets of UDP.
  EXPECT_THAT(of_new(),
              AnyOf(ElementsAre("tso4 on", "tso6 on", "uso4 on", "uso6 on"),
                    ElementsAre("tso4 on", "tso6 on", "uso4" + kInvalid, "uso6" + kInvalid)));
}

TEST_F(TunOffloadStates, AreOffWhereTheyAreForbidden) {
  const std::vector<std::string> without_udp = of_new({.udp_superpackets = false});
  EXPECT_THAT(without_udp, ElementsAre("tso4 on", "tso6 on", "uso4: forbidden", "uso6: forbidden"));
  const std::vector<std::string> without_tcp = of_new({.tcp_superpackets = false});
  EXPECT_EQ(without_tcp[0], "tso4: forbidden");
  EXPECT_EQ(without_tcp[1], "tso6: forbidden");
  EXPECT_EQ(without_tcp[2], of_new()[2]) << "one has nothing to do with the other";
  EXPECT_THAT(
      of_new({.tcp_superpackets = false, .udp_superpackets = false}),
      ElementsAre("tso4: forbidden", "tso6: forbidden", "uso4: forbidden", "uso6: forbidden"));
}

TEST_F(TunOffloadStates, SayWhatAKernelWithoutThemSaid) {
  with_refusal(no(kUdpSuperpackets), [] {
    EXPECT_THAT(of_new(), ElementsAre("tso4 on", "tso6 on", "uso4" + kInvalid, "uso6" + kInvalid));
  });
  with_refusal(no(TUN_F_TSO4), [] {
    EXPECT_EQ(of_new()[0], "tso4" + kInvalid);
    EXPECT_EQ(of_new()[1], "tso6" + kInvalid);
  });
}

TEST_F(TunOffloadStates, OfAnAdoptedInterfaceAreThoseItWasOpenedFor) {
  const Tun before =
      Tun::open("tun0", TunKind::kTun, {.tcp_superpackets = false, .udp_superpackets = false});
  UniqueFd kept(::fcntl(before.fd(), F_DUPFD_CLOEXEC, 0));
  const Tun adopted = Tun::adopt(kept, "tun0", TunKind::kTun);
  for (const packet::OffloadState& state : adopted.offloads()) {
    EXPECT_EQ(packet::reason_of(state).code, "opened-without");
    EXPECT_EQ(packet::reason_of(state).text,
              "the interface was opened without by an earlier session");
  }
  EXPECT_EQ(adopted.offloads().size(), 4u);
  const Tun capable = Tun::open("tun1", TunKind::kTun, {.tcp_superpackets = false});
  UniqueFd also_kept(::fcntl(capable.fd(), F_DUPFD_CLOEXEC, 0));
  EXPECT_EQ(said_by(Tun::adopt(also_kept, "tun1", TunKind::kTun).offloads()), of_new())
      << "what was not used before can be";
}

class UdpOffloadStates : public TwoSocketsTest {
 protected:
  static std::vector<std::string> of_new(const UdpOptions& options = {}) {
    return said_by(UdpSocket::bind(0, options).offloads());
  }
  static Refusal no(int call, std::uint32_t option) {
    return {.call = call, .with = {{1, SOL_UDP}, {2, option}}, .error_number = ENOPROTOOPT};
  }
  // Sends `count` equal datagrams to the far socket in one batch.
  void send(packet::Batch& batch, std::size_t count) {
    batch.clear();
    for (std::size_t i = 0; i < count; ++i) {
      packet::Packet& packet = batch.append(1000);
      std::fill(packet.bytes.begin(), packet.bytes.end(), std::uint8_t{'x'});
      packet.remote = endpoint("10.9.0.2:4000");
    }
    here().send(batch);
  }
};

TEST_F(UdpOffloadStates, AreOnWhereTheKernelHasThem) {
  EXPECT_THAT(of_new(), ElementsAre("udp-segment on", "udp-gro on"));
}

TEST_F(UdpOffloadStates, AreOffWhereTheyAreForbidden) {
  EXPECT_THAT(of_new({.segments = false}), ElementsAre("udp-segment: forbidden", "udp-gro on"));
  EXPECT_THAT(of_new({.gathers = false}), ElementsAre("udp-segment on", "udp-gro: forbidden"));
}

TEST_F(UdpOffloadStates, SayWhatAKernelWithoutThemSaid) {
  with_refusal(no(SYS_getsockopt, UDP_SEGMENT), [] {
    EXPECT_THAT(of_new(), ElementsAre("udp-segment" + kNoSuchOption, "udp-gro on"));
  });
  with_refusal(no(SYS_setsockopt, UDP_GRO), [] {
    EXPECT_THAT(of_new(), ElementsAre("udp-segment on", "udp-gro" + kNoSuchOption));
  });
}

TEST_F(UdpOffloadStates, OfAnAdoptedSocketAreThoseOfToday) {
  UniqueFd kept(::fcntl(here().fd(), F_DUPFD_CLOEXEC, 0));
  EXPECT_THAT(said_by(UdpSocket::adopt(kept, 0, {.gathers = false}).offloads()),
              ElementsAre("udp-segment on", "udp-gro: forbidden"));
  UniqueFd again(::fcntl(here().fd(), F_DUPFD_CLOEXEC, 0));
  EXPECT_THAT(said_by(UdpSocket::adopt(again, 0).offloads()),
              ElementsAre("udp-segment on", "udp-gro on"));
}

// A run is one message, one alone is one of several.
TEST_F(UdpOffloadStates, OneThatIsRefusedInMidRunIsLostAndNoPacketWithIt) {
  packet::Batch batch(10);
  send(batch, 10);
  EXPECT_TRUE(here().offloads()[0].on());
  with_refusal({.call = SYS_sendmmsg, .with = {{2, 1}}, .error_number = EIO}, [&] {
    for (int turn = 0; turn < 2; ++turn) {
      send(batch, 10);
      for (const packet::Packet& packet : batch.packets())
        EXPECT_EQ(packet.verdict, SendVerdict::kSent);
    }
  });
  EXPECT_THAT(said_by(here().offloads()),
              ElementsAre("udp-segment: refused on the way out: Input/output error", "udp-gro on"));
  EXPECT_EQ(packet::reason_of(here().offloads()[0]).code, "refused");
}

}  // namespace
}  // namespace vpntun::os
