// wg-quick's text and profiles: what is read, what is left out and said, and that nothing is lost
// on the way there and back.
#include "config/wg_quick.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "config/write_profile.h"

namespace vpntun::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Codes = std::vector<std::string>;

constexpr const char* kPrivate = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
constexpr const char* kPublic = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
constexpr const char* kOther = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

Loaded parse(const std::string& text) {
  return parse_wg_quick(text, "wg0.conf", "wg0");
}

Codes codes(const Loaded& loaded) {
  Codes codes;
  for (const Finding& finding : loaded.findings) codes.push_back(finding.code);
  return codes;
}

std::string minimal(const std::string& interface = "", const std::string& peer = "") {
  return fmt::format("[Interface]\nPrivateKey = {}\n{}\n[Peer]\nPublicKey = {}\n{}\n", kPrivate,
                     interface, kPublic, peer);
}

IpPrefix prefix(const std::string& text) {
  return IpPrefix::parse(text).value();
}

TEST(WgQuick, ReadsEveryKeyInAnySpelling) {
  const Loaded loaded = parse(fmt::format(R"(# comment
[interface]
privatekey={0}
LISTENPORT = 51820 # trailing
FwMark = 0xca6c
Address = 10.8.0.2/24, fd42:8::2
address = 10.9.0.2
DNS = 10.8.0.1, corp.example
DNS = fd42:8::1
MTU = 1380
Table = 1234
SaveConfig = false

[Peer]
# Name = gateway
PublicKey = {1}
PresharedKey = {0}
AllowedIPs = 0.0.0.0/0,::/0
AllowedIPs = 10.8.0.0/24
Endpoint = [2001:db8::1]:51820
PersistentKeepalive = 25

[PEER]
PublicKey = {2}
PersistentKeepalive = off
Endpoint = vpn.example.org:51821
AllowedIPs =
)",
                                          kPrivate, kPublic, kOther));
  EXPECT_EQ(to_text(loaded.findings, false), "");
  ASSERT_TRUE(loaded.profile);
  Profile expected;
  expected.name = "wg0";
  expected.encryption = Encryption::kWireguard;
  expected.interface.name = "wg0";
  expected.interface.private_key = crypto::SecretKey::parse(kPrivate).value();
  expected.interface.listen_port = 51820;
  expected.interface.fwmark = 0xca6c;
  expected.interface.addresses = {prefix("10.8.0.2/24"), prefix("fd42:8::2/128"),
                                  prefix("10.9.0.2/32")};
  expected.interface.dns.servers = {IpAddress::parse("10.8.0.1").value(),
                                    IpAddress::parse("fd42:8::1").value()};
  expected.interface.dns.domains = {{"corp.example", false}, {".", true}};
  expected.interface.mtu = 1380;
  expected.routing.table = 1234;
  expected.routing.unrouted_family = UnroutedFamily::kBlock;
  Peer gateway;
  gateway.name = "gateway";
  gateway.public_key = crypto::PublicKey::parse(kPublic).value();
  gateway.preshared_key = crypto::SecretKey::parse(kPrivate).value();
  gateway.allowed_ips = {prefix("0.0.0.0/0"), prefix("::/0"), prefix("10.8.0.0/24")};
  gateway.endpoints = {EndpointSpec{"2001:db8::1", 51820, IpAddress::parse("2001:db8::1")}};
  gateway.persistent_keepalive = 25;
  Peer other;
  other.name = "peer2";
  other.public_key = crypto::PublicKey::parse(kOther).value();
  other.endpoints = {EndpointSpec{"vpn.example.org", 51821, std::nullopt}};
  expected.peers = {gateway, other};
  EXPECT_EQ(*loaded.profile, expected);
}

TEST(WgQuick, SaysWhichLinesItLeavesOutAndWhatDoesThemInstead) {
  const Loaded loaded = parse(
      minimal("PostUp = iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE\n"
              "PreUp = echo 1\nPreDown = iptables -A OUTPUT ! -o %i -j REJECT\nPostDown = echo 2\n"
              "SaveConfig = true\n"));
  EXPECT_TRUE(loaded.profile);
  EXPECT_EQ(codes(loaded), (Codes{"W0312", "W0312", "W0312", "W0312", "W0312"}));
  EXPECT_EQ(loaded.findings[0].line, 3u);
  EXPECT_THAT(loaded.findings[0].help, HasSubstr("masquerade = true"));
  EXPECT_THAT(loaded.findings[2].help, HasSubstr("kill-switch"));
  EXPECT_EQ(loaded.findings[4].line, 7u);
}

TEST(WgQuick, SaysWhichValuesItWritesAnotherWay) {
  const Loaded loaded =
      parse(minimal("", "AllowedIPs = 10.8.0.2/24, 10.9.0.0/24") +
            fmt::format("[Peer]\nPublicKey = {}\nAllowedIPs = 10.9.0.0/24\n", kOther));
  ASSERT_TRUE(loaded.profile);
  EXPECT_EQ(codes(loaded), (Codes{"N0303", "N0303"}));
  EXPECT_EQ(loaded.profile->peers[0].allowed_ips, std::vector{prefix("10.8.0.0/24")});
  EXPECT_EQ(loaded.profile->peers[1].allowed_ips, std::vector{prefix("10.9.0.0/24")});
}

TEST(WgQuick, RefusesWhatWgQuickWouldAndShowsTheLine) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"PrivateKey = x\n", "E0113"},  // before a section
      {minimal("Nonsense = 1"), "E0113"},
      {minimal("", "Nonsense = 1"), "E0113"},
      {minimal("no equals sign"), "E0113"},
      {minimal("[Nonsense]"), "E0113"},
      {minimal("Address = 10.8.0.300/24"), "E0206"},
      {minimal("ListenPort = 65536"), "E0205"},
      {minimal("FwMark = 0xg"), "E0205"},
      {minimal("MTU = -1"), "E0205"},
      {minimal("Table = nonsense"), "E0205"},
      {minimal("", "AllowedIPs = 10.8.0.0/33"), "E0204"},
      {minimal("", "Endpoint = 10.8.0.1"), "E0208"},
      {minimal("", "PersistentKeepalive = 65536"), "E0205"},
      {minimal("", "PublicKey = short"), "E0223"},
      {minimal("", "PresharedKey = short"), "E0221"},
      {minimal("PrivateKey = short"), "E0221"},
      {fmt::format("[Interface]\n[Peer]\nPublicKey = {}\n", kPublic), "E0202"},
      {fmt::format("[Interface]\nPrivateKey = {}\n[Peer]\n", kPrivate), "E0202"},
      {"", "E0202"},
      {std::string("[Interface]\0", 12), "E0106"},
  };
  for (const auto& [text, code] : cases) {
    const Loaded loaded = parse(text);
    EXPECT_FALSE(loaded.profile) << text;
    EXPECT_THAT(codes(loaded), testing::Contains(code)) << text;
  }
}

TEST(WgQuick, NeverShowsAKey) {
  for (const std::string& text :
       {minimal(fmt::format("PrivateKey = {}x", kPrivate)),
        minimal(fmt::format("Private_Key = {}", kPrivate)),
        minimal("", fmt::format("PresharedKey = {}x", kPrivate)),
        fmt::format("PrivateKey = {}\n", kPrivate), fmt::format("[Interface]\n{}\n", kPrivate)}) {
    const Loaded loaded = parse(text);
    EXPECT_FALSE(loaded.findings.empty());
    EXPECT_THAT(to_text(loaded.findings, false), Not(HasSubstr("5TF+lXX"))) << text;
    EXPECT_THAT(to_json(loaded.findings), Not(HasSubstr("5TF+lXX"))) << text;
  }
}

TEST(WgQuick, MeansTheSameByAllZerosAsByNoPresharedKey) {
  const Loaded loaded = parse(minimal("", "PresharedKey = " + std::string(43, 'A') + "="));
  ASSERT_TRUE(loaded.profile);
  EXPECT_FALSE(loaded.profile->peers[0].preshared_key);
}

TEST(WgQuick, LeavesOutDomainsThatNoServerIsAskedAbout) {
  const Loaded loaded = parse(minimal("DNS = corp.example, 127.0.0.1"));
  ASSERT_TRUE(loaded.profile);
  EXPECT_EQ(codes(loaded), (Codes{"W0312", "W0312"}));
  EXPECT_EQ(loaded.profile->interface.dns, Dns{});
}

TEST(WgQuick, IsNotWrittenForOtherTunnels) {
  Profile plain;
  EXPECT_THROW(to_wg_quick(plain), Error);
  Profile tap;
  tap.encryption = Encryption::kWireguard;
  tap.kind = Kind::kTap;
  EXPECT_THROW(to_wg_quick(tap), Error);
}

TEST(WgQuick, CannotSayEverythingAndItIsSaid) {
  Profile profile = parse(minimal("DNS = 10.8.0.1")).profile.value();
  EXPECT_THAT(to_wg_quick(profile).unsaid, ElementsAre());
  profile.interface.dns.domains.clear();
  profile.routing.forwarding = true;
  profile.routing.kill_switch = KillSwitch::kAlways;
  profile.netns = {Netns::Mode::kCreate, "x", Netns::Socket::kHost};
  profile.peers[0].endpoints = {EndpointSpec{"a.example", 1, {}}, EndpointSpec{"b.example", 1, {}}};
  EXPECT_EQ(to_wg_quick(profile).unsaid.size(), 5u);
}

// Profiles of every shape that loads; those for wg-quick have only what it can say.
class Shapes {
 public:
  explicit Shapes(unsigned seed) : random_(seed) {}

  Profile profile(bool for_wg_quick) {
    Profile profile;
    profile.name = "wg0";
    profile.encryption = for_wg_quick || chance() ? Encryption::kWireguard : Encryption::kNone;
    const bool wireguard = profile.encryption == Encryption::kWireguard;
    profile.routing.unrouted_family =
        !wireguard || (!for_wg_quick && chance()) ? UnroutedFamily::kAllow : UnroutedFamily::kBlock;
    Interface& interface = profile.interface;
    interface.name = "wg0";
    for (unsigned i = below(3); i > 0; --i)
      interface.addresses.push_back(
          chance() ? prefix(fmt::format("10.{}.0.{}/{}", 200 + i, 1 + below(200), 24 + below(9)))
                   : prefix(fmt::format("fd00:{:x}::{:x}/64", i, 1 + below(65535))));
    if (chance()) interface.mtu = 1280 + below(200);
    interface.listen_port = static_cast<std::uint16_t>(1024 + below(60000));
    if (wireguard) {
      interface.private_key = crypto::SecretKey::generate_private();
      if (chance()) interface.fwmark = 1 + below(1u << 31);
      if (chance()) profile.routing.table = 1 + below(1u << 31);
    }
    if (!for_wg_quick) decorate(profile);
    if (chance() && profile.routing.table == 0) profile.routing.mode = RouteMode::kOff;
    for (unsigned i = below(4); i > 0; --i) profile.peers.push_back(peer(wireguard, i));
    std::ranges::reverse(profile.peers);
    if (chance() && profile.netns.mode == Netns::Mode::kNone) {
      interface.dns.servers = {IpAddress::parse("10.1.0.53").value()};
      if (chance()) interface.dns.domains.push_back({"corp.example", false});
      interface.dns.domains.push_back({".", true});
    }
    return profile;
  }

 private:
  unsigned below(unsigned limit) {
    return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_);
  }
  bool chance() { return below(2) == 0; }

  void decorate(Profile& profile) {
    if (chance()) profile.description = R"(Büro "quoted" back\slash)";
    profile.interface.up = chance();
    profile.interface.workers = 1 + below(16);
    profile.routing.forwarding = chance();
    if (profile.routing.forwarding && chance()) profile.routing.forwarding_interfaces = {"eth1"};
    profile.routing.masquerade = profile.routing.forwarding && chance();
    profile.active_session = chance();
    if (chance()) profile.ready_when = ReadyWhen::kConfigured;
    if (chance()) profile.netns = {Netns::Mode::kJoin, "x", Netns::Socket::kInside};
    if (profile.encryption == Encryption::kNone) return;
    profile.interface.control_socket = chance();
    if (profile.netns.mode == Netns::Mode::kNone)
      profile.routing.kill_switch = static_cast<KillSwitch>(below(3));
    profile.routing.kill_switch_allows_lan = chance();
  }

  Peer peer(bool wireguard, unsigned i) {
    Peer peer;
    peer.name = chance() ? fmt::format("peer-{}", i) : fmt::format("branch.{}", i);
    for (unsigned j = wireguard ? below(3) : 1; j > 0; --j)
      peer.allowed_ips.push_back(chance() ? prefix(fmt::format("10.{}.{}.0/24", i, j))
                                          : prefix(fmt::format("fd42:{}:{}::/64", i, j)));
    if (chance())
      peer.endpoints = {chance() ? EndpointSpec{"vpn.example.org", 51820, std::nullopt}
                                 : EndpointSpec{"192.168.7.1", 1, IpAddress::parse("192.168.7.1")}};
    if (!wireguard) return peer;
    peer.public_key = crypto::public_key_of(crypto::SecretKey::generate_private());
    if (chance()) peer.preshared_key = crypto::SecretKey::generate_preshared();
    peer.persistent_keepalive = static_cast<std::uint16_t>(chance() ? below(65536) : 0);
    return peer;
  }

  std::mt19937 random_;
};

TEST(WgQuick, GivesBackEveryProfileItCanSay) {
  const unsigned seed = std::random_device{}();
  Shapes shapes(seed);
  for (int i = 0; i < 500; ++i) {
    const Profile profile = shapes.profile(true);
    const WgQuickText written = to_wg_quick(profile);
    EXPECT_THAT(written.unsaid, ElementsAre());
    const Loaded loaded = parse(written.text);
    ASSERT_EQ(loaded.profile, profile) << "seed " << seed << '\n' << written.text;
    EXPECT_EQ(to_wg_quick(*loaded.profile).text, written.text);
  }
}

TEST(Toml, GivesBackEveryProfile) {
  const unsigned seed = std::random_device{}();
  Shapes shapes(seed);
  for (int i = 0; i < 500; ++i) {
    const Profile profile = shapes.profile(i % 2 == 0);
    const std::string text = to_toml(profile);
    const Loaded loaded = load_text(text, profile.path, profile.name);
    ASSERT_EQ(loaded.profile, profile) << "seed " << seed << '\n'
                                       << text << to_text(loaded.findings, false);
  }
}

TEST(Toml, NamesTheFilesOfKeysInsteadOfThem) {
  Profile profile = parse(minimal("", fmt::format("PresharedKey = {}", kOther))).profile.value();
  const std::string text =
      to_toml(profile, {{"", "/etc/vpntund/wg0.key"}, {"peer1", "/etc/vpntund/wg0.peer1.psk"}});
  EXPECT_THAT(text, HasSubstr("private-key = \"/etc/vpntund/wg0.key\""));
  EXPECT_THAT(text, HasSubstr("preshared-key = \"/etc/vpntund/wg0.peer1.psk\""));
  EXPECT_THAT(text, Not(HasSubstr(kPrivate)));
  EXPECT_THAT(text, Not(HasSubstr(kOther)));
}

TEST(Toml, LooksLikeWrittenByHand) {
  EXPECT_EQ(to_toml(parse(minimal("Address = 10.8.0.2/24",
                                  "AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = vpn.example.org:51820"))
                        .profile.value()),
            fmt::format(R"(version = 1

[tunnel]
encryption = "wireguard"

[interface]
name = "wg0"
private-key = "{}"
address = "10.8.0.2/24"

[[peer]]
name = "peer1"
public-key = "{}"
endpoint = "vpn.example.org:51820"
allowed-ips = ["0.0.0.0/0", "::/0"]
)",
                        kPrivate, kPublic));
}

}  // namespace
}  // namespace vpntun::config
