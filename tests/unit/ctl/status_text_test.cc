#include "ctl/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ctl/watch.h"
#include "documents.h"

namespace vpntun::ctl {
namespace {

std::vector<TunnelInfo> tunnels() {
  return tunnels_of(parse_document(kDocument));
}

TEST(Overview, ShowsEveryTunnelAndWhatIsWorthSaying) {
  EXPECT_EQ(
      overview_text(tunnels(), {}, kNowUsec),
      R"(NAME        STATE    HEALTH   INTERFACE  ADDRESS                        PEERS  HANDSHAKE  RECEIVED  SENT
lab         running  failing  tun0       192.168.53.99/24, fd53::99/64  0/1    -          0 B       9.4 KiB
lab-server  running  healthy  tun1       192.168.53.98/24               1/2    -          1.2 GiB   84 MiB
office      failed   -        -          -                              -      -          -         -
l2          stopped  -        -          -                              -      -          -         -

lab: not encrypted. Packets go out, none come back (42 s). Run: vpnctl status lab
lab: the profile changed on disk. Run: vpnctl reload lab
lab-server: not encrypted.
office: UDP port 9090 is taken. Run: vpnctl status office
l2: the profile has errors. Run: vpnctl check l2
)");
}

TEST(Overview, HasRatesWhenWatched) {
  const RatesByName rates{{"lab", {0, 1536}}};
  const std::string text = overview_text(tunnels(), {}, kNowUsec, &rates);
  EXPECT_NE(text.find("RECEIVED  SENT     RECEIVED/S  SENT/S\n"), std::string::npos) << text;
  EXPECT_NE(text.find("9.4 KiB  0 B/s       1.5 KiB/s\n"), std::string::npos) << text;
}

TEST(Overview, WithoutProfilesSaysHowToBegin) {
  EXPECT_NE(overview_text({}, {}, kNowUsec).find("/etc/vpntund/NAME.toml"), std::string::npos);
}

TEST(Overview, OfATerminalFitsInto80Columns) {
  const std::string text =
      overview_text(tunnels(), {.colour = false, .columns = 80, .rows = 24}, kNowUsec);
  const std::string table = text.substr(0, text.find("\n\n"));
  std::size_t begin = 0;
  while (begin < table.size()) {
    const std::size_t end = std::min(table.find('\n', begin), table.size());
    EXPECT_LE(display_width(table.substr(begin, end - begin)), 80u);
    begin = end + 1;
  }
}

TEST(Detail, OfARunningTunnel) {
  EXPECT_EQ(detail_text(tunnels()[0], {}, kNowUsec),
            R"(● lab  SEED lab, Host U
   State       running, failing
   Reason      Packets go out, none come back (42 s)
   Also        The route 10.0.0.0/8 was refused
   Unit        vpntund@lab.service, pid 2114, up 10 s
   Interface   tun0 (tun, index 12, namespace u) 192.168.53.99/24, fd53::99/64
   Encryption  none - anyone on the path can read and change this traffic
   Port        UDP 41872
   MTU         1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)
   Routes      192.168.60.0/24
   DNS         192.168.60.53 for corp.example, ~lab
   Forwarding  on
   Workers     2
   Offloads    tso4 udp-gro, off: uso4 uso6 (not offered by the kernel: Invalid argument)
   Traffic     received 0 B in 1 packet, sent 9.4 KiB in 114 packets
   Dropped     17 packets: inner source not in the peer's allowed-ips (last: 192.168.1.20 -> 10.0.0.1 from 10.0.2.8:9090, 7 s ago)
   Profile     /etc/vpntund/lab.toml (changed on disk: vpnctl reload lab)

   PEER    HEALTH   ENDPOINT       ALLOWED                           LAST RECEIVED  RECEIVED  SENT
   server  failing  10.0.2.8:9090  192.168.53.0/24, 192.168.60.0/24  never          0 B       9.4 KiB
   server: Silent for 42 s.
)");
}

std::vector<TunnelInfo> encrypted() {
  return tunnels_of(parse_document(kEncryptedDocument));
}

TEST(Detail, ShowsTableMarkAndKillSwitchWhereThereAreSome) {
  TunnelInfo tunnel = tunnels()[0];
  EXPECT_EQ(detail_text(tunnel, {}, kNowUsec).find("Kill switch"), std::string::npos);
  tunnel.kill_switch = "off";
  EXPECT_EQ(detail_text(tunnel, {}, kNowUsec).find("Kill switch"), std::string::npos);
  tunnel.kill_switch = "while-up";
  tunnel.table = 51820;
  tunnel.fwmark = 0xca6c;
  const std::string text = detail_text(tunnel, {}, kNowUsec);
  EXPECT_THAT(text, testing::ContainsRegex("Kill switch +while-up\n"));
  EXPECT_THAT(text, testing::ContainsRegex("Routes +192.168.60.0/24 \\(table 51820\\)\n"));
  EXPECT_THAT(text, testing::ContainsRegex("Mark +0xca6c on the tunnel's own datagrams\n"));
}

TEST(Detail, ShowsWorkersWhereThereAreSeveral) {
  TunnelInfo tunnel = tunnels()[0];
  for (const std::uint64_t one_or_unknown : {0, 1}) {
    tunnel.workers = one_or_unknown;
    EXPECT_EQ(detail_text(tunnel, {}, kNowUsec).find("Workers"), std::string::npos);
  }
}

TEST(Detail, SaysOfOffloadsWhichAreOnAndWhyOthersAreOff) {
  TunnelInfo tunnel = tunnels()[0];
  const auto shown = [&](const std::vector<OffloadInfo>& offloads) {
    tunnel.offloads = offloads;
    const std::string text = detail_text(tunnel, {}, kNowUsec);
    const std::size_t begin = text.find("Offloads ");
    return begin == std::string::npos ? "" : text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_EQ(shown({}), "") << "an older daemon";
  EXPECT_EQ(shown({{"tso4", true, {}}, {"udp-gro", true, {}}}), "Offloads    tso4 udp-gro");
  EXPECT_EQ(shown({{"tso4", false, {"a", "one"}}, {"tso6", false, {"a", "one"}}}),
            "Offloads    off: tso4 tso6 (one)");
  EXPECT_EQ(shown({{"tso4", false, {"a", "one"}},
                   {"tso6", true, {}},
                   {"udp-segment", false, {"b", "two"}},
                   {"uso4", false, {"a", "one"}},
                   {"from-the-future", false, {}}}),
            "Offloads    tso6, off: tso4 uso4 (one), off: udp-segment (two), off: from-the-future");
}

TEST(Overview, ShowsFreshPeersAndTheLatestHandshakeOfAnEncryptedTunnel) {
  std::vector<TunnelInfo> both = encrypted();
  EXPECT_EQ(overview_text(both, {}, kNowUsec),
            R"(NAME    STATE    HEALTH    INTERFACE  ADDRESS      PEERS  HANDSHAKE  RECEIVED  SENT
office  running  degraded  office0    10.8.0.1/24  1/3    12 s ago   8.1 GiB   31 GiB

office: No answer to 6 handshakes with peer branch. Run: vpnctl status office
)");
  for (PeerInfo& peer : both[0].peers) peer.latest_handshake_usec = 0;
  EXPECT_NE(overview_text(both, {}, kNowUsec).find("  never      8.1 GiB"), std::string::npos);
  both[0].state = "stopped";
  EXPECT_NE(overview_text(both, {}, kNowUsec).find("-      -          -         -\n"),
            std::string::npos);
}

TEST(Detail, OfAnEncryptedTunnelHasKeysAndHandshakes) {
  EXPECT_EQ(detail_text(encrypted()[0], {}, kNowUsec),
            R"(● office
   State       running, degraded
   Reason      No answer to 6 handshakes with peer branch
   Interface   office0 (tun, index 12) 10.8.0.1/24
   Encryption  WireGuard, public key HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=, port 51820
   Traffic     received 8.1 GiB in 0 packets, sent 31 GiB in 0 packets
   Profile     /etc/vpntund/office.toml

   PEER    STATE       ENDPOINT                     ALLOWED                     HANDSHAKE  RECEIVED  SENT
   alice   fresh       203.0.113.9:40112 (learned)  10.8.0.2/32, fd42:8::2/128  12 s ago   6.0 GiB   28 GiB
   branch  connecting  198.51.100.7:51820           10.8.0.4/32                 3 min ago  77 MiB    12 MiB
   phone   never       not learned yet              10.8.0.3/32                 never      0 B       0 B
   alice: public key xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=, with a preshared key, keepalive every 25 s
   branch: No answer to 6 handshakes with peer branch. The ICMP came from 198.51.100.1.
   branch: public key TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=
)");
}

// The daemon leaves out what the caller may not know.
TEST(Detail, OfAnEncryptedTunnelForWhoMayNotSeeTheKeys) {
  TunnelInfo tunnel = encrypted()[0];
  tunnel.public_key.clear();
  for (PeerInfo& peer : tunnel.peers) peer.public_key.clear();
  const std::string text = detail_text(tunnel, {}, kNowUsec);
  EXPECT_NE(text.find("   Encryption  WireGuard, port 51820\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("public key"), std::string::npos) << text;
}

TEST(Detail, PaintsPeersByTheirHandshakes) {
  const std::string text =
      detail_text(encrypted()[0], {.colour = true, .columns = 0, .rows = 0}, kNowUsec);
  EXPECT_NE(text.find("\x1b[32mfresh\x1b[0m"), std::string::npos) << text;
  EXPECT_NE(text.find("\x1b[31mconnecting\x1b[0m"), std::string::npos) << text;
}

TEST(Detail, WrapsLongSentencesOnATerminal) {
  const std::string text =
      detail_text(tunnels()[0], {.colour = false, .columns = 60, .rows = 24}, kNowUsec);
  EXPECT_NE(text.find("   Dropped     17 packets: inner source not in the peer's\n"
                      "               allowed-ips (last: 192.168.1.20 -> 10.0.0.1\n"
                      "               from 10.0.2.8:9090, 7 s ago)\n"),
            std::string::npos)
      << text;
}

TEST(Detail, TellsWhichEndpointsWereLearned) {
  const std::string text = detail_text(tunnels()[1], {}, kNowUsec);
  EXPECT_NE(text.find("10.0.2.7:41872 (learned)"), std::string::npos) << text;
  EXPECT_NE(text.find("not learned yet"), std::string::npos) << text;
}

// The daemon leaves out what the caller may not know.
TEST(Detail, SaysThatAnEndpointIsHidden) {
  TunnelInfo tunnel = tunnels()[1];
  tunnel.peers[0].endpoint_hidden = true;
  EXPECT_NE(detail_text(tunnel, {}, kNowUsec).find("(hidden)"), std::string::npos);
}

TEST(Detail, OfAFailedTunnelSaysWhyAndWhatNext) {
  EXPECT_EQ(detail_text(tunnels()[2], {}, kNowUsec),
            R"(● office
   State       failed
   Reason      UDP port 9090 is taken
   Unit        vpntund@office.service
   Profile     /etc/vpntund/office.toml
   Next        remove the cause, then: vpnctl start office (log: journalctl -u vpntund@office.service)
)");
}

TEST(Detail, OfAStoppedTunnelWithMistakesLeadsToCheck) {
  EXPECT_EQ(detail_text(tunnels()[3], {}, kNowUsec),
            R"(● l2
   State       stopped
   Profile     /etc/vpntund/l2.toml (has errors: vpnctl check l2)
   Next        vpnctl check l2
)");
}

TEST(Detail, OfATunnelWhoseProfileIsGoneSaysSo) {
  TunnelInfo tunnel = tunnels()[0];
  tunnel.profile_path.clear();
  tunnel.profile_valid = false;
  const std::string text = detail_text(tunnel, {}, kNowUsec);
  EXPECT_NE(text.find("   Profile     gone; this is how it was started\n"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("vpnctl check"), std::string::npos) << text;
  const std::string overview = overview_text({tunnel}, {}, kNowUsec);
  EXPECT_NE(overview.find("lab: the profile is gone"), std::string::npos) << overview;
  EXPECT_EQ(overview.find("vpnctl check"), std::string::npos) << overview;
}

TEST(Detail, PaintsTheMissingEncryptionRed) {
  const std::string text =
      detail_text(tunnels()[0], {.colour = true, .columns = 0, .rows = 0}, kNowUsec);
  EXPECT_NE(text.find("\x1b[31mnone - anyone"), std::string::npos) << text;
}

TEST(Detail, OfNothingKnownIsStillText) {
  EXPECT_FALSE(detail_text(TunnelInfo{}, {}, kNowUsec).empty());
  TunnelInfo bare;
  bare.state = "running";
  EXPECT_NE(detail_text(bare, {}, kNowUsec).find("State       running"), std::string::npos);
}

TEST(List, ShowsProfiles) {
  EXPECT_EQ(list_text(tunnels(), {}),
            R"(NAME        STATE    PROFILE                   DESCRIPTION
lab         running  /etc/vpntund/lab.toml     SEED lab, Host U
lab-server  running  -                         -
office      failed   /etc/vpntund/office.toml  -
l2          stopped  /etc/vpntund/l2.toml      -
)");
}

TEST(Started, SaysWhereAndThatItIsNotEncrypted) {
  EXPECT_EQ(started_text(tunnels()[1]),
            "lab-server: running on tun1 (192.168.53.98/24). Not encrypted.\n");
  TunnelInfo sealed = tunnels()[1];
  sealed.encryption = "wireguard";
  EXPECT_EQ(started_text(sealed), "lab-server: running on tun1 (192.168.53.98/24).\n");
}

TEST(Rates, AreDifferencesOverTime) {
  std::vector<TunnelInfo> before = tunnels();
  std::vector<TunnelInfo> after = tunnels();
  after[0].traffic.rx_bytes += 3000;
  after[0].traffic.tx_bytes += 1000;
  after[1].traffic.rx_bytes = 0;  // restarted
  const RatesByName rates = rates_between(before, after, std::chrono::duration<double>(2.0));
  ASSERT_EQ(rates.size(), 1u);
  EXPECT_DOUBLE_EQ(rates.at("lab").rx, 1500);
  EXPECT_DOUBLE_EQ(rates.at("lab").tx, 500);
  EXPECT_TRUE(rates_between(before, after, std::chrono::duration<double>(0)).empty());
}

TEST(Frame, ClearsBehindEveryLineAndTheLast) {
  EXPECT_EQ(frame_text("a\nb\n", 0), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
}

TEST(Frame, NeverScrollsTheTerminal) {
  EXPECT_EQ(frame_text("a\nb\nc\nd\n", 3), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
}

}  // namespace
}  // namespace vpntun::ctl
