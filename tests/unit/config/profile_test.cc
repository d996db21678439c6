// What a good profile becomes: every key, every default.
#include "config/profile.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "config/finding.h"

namespace vpntun::config {
namespace {

IpPrefix prefix(std::string_view text) {
  return IpPrefix::parse(text).value();
}

Profile good(std::string_view text) {
  const Loaded loaded = load_text(text, "/etc/vpntund/good.toml", "good");
  EXPECT_EQ(to_text(loaded.findings, false), "");
  return loaded.profile.value();
}

TEST(Profile, takes_every_key_of_a_tun) {
  const Profile profile = good(R"(
version = 1
description = "Büro"
[tunnel]
kind = "tun"
encryption = "none"
allow-public-plaintext = true
[interface]
name = "lab%d"
address = ["192.168.53.99/24", "fd53::99/64"]
mtu = 1400
listen-port = 65535
up = false
workers = 16
[routing]
routes = ["192.168.60.0/24"]
forwarding = ["eth1", "eth2"]
masquerade = true
[netns]
mode = "join"
name = "office"
socket = "inside"
[access]
active-session = true
[[peer]]
name = "a"
endpoint = "[fd00::8]:9090"
allowed-ips = ["192.168.60.0/24", "fd60::/64"]
[[peer]]
endpoint = "vpn.example.org:1"
allowed-ips = "10.0.0.1"
[[peer]]
endpoint = "learn"
allowed-ips = ["10.0.0.2/32"]
)");
  Profile expected;
  expected.name = "good";
  expected.path = "/etc/vpntund/good.toml";
  expected.description = "Büro";
  expected.allow_public_plaintext = true;
  expected.interface.name = "lab%d";
  expected.interface.addresses = {prefix("192.168.53.99/24"), prefix("fd53::99/64")};
  expected.interface.mtu = 1400;
  expected.interface.listen_port = 65535;
  expected.interface.up = false;
  expected.interface.workers = 16;
  expected.routing.mode = RouteMode::kListed;
  expected.routing.routes = {prefix("192.168.60.0/24")};
  expected.routing.forwarding = true;
  expected.routing.forwarding_interfaces = {"eth1", "eth2"};
  expected.routing.masquerade = true;
  expected.netns = {Netns::Mode::kJoin, "office", Netns::Socket::kInside};
  expected.active_session = true;
  expected.peers = {
      {"a",
       {EndpointSpec{"fd00::8", 9090, IpAddress::parse("fd00::8")}},
       {prefix("192.168.60.0/24"), prefix("fd60::/64")}},
      {"peer2", {EndpointSpec{"vpn.example.org", 1, std::nullopt}}, {prefix("10.0.0.1/32")}},
      {"peer3", {}, {prefix("10.0.0.2/32")}},
  };
  EXPECT_EQ(profile, expected);
}

TEST(Profile, takes_dns_servers_and_domains) {
  const Profile profile = good(R"(
[tunnel]
encryption = "none"
ready-when = "handshake"
[interface]
listen-port = 9090
[interface.dns]
servers = ["192.168.60.53", "fd60::53"]
domains = ["corp.example.", "~Lab.example", "~."]
[[peer]]
allowed-ips = ["192.168.60.0/24", "fd60::/64"]
)");
  EXPECT_EQ(profile.ready_when, ReadyWhen::kHandshake);
  EXPECT_EQ(profile.interface.dns.servers,
            (std::vector{*IpAddress::parse("192.168.60.53"), *IpAddress::parse("fd60::53")}));
  EXPECT_EQ(profile.interface.dns.domains,
            (std::vector<DnsDomain>{{"corp.example", false}, {"Lab.example", true}, {".", true}}));
  EXPECT_EQ(profile.interface.dns.domains[1].to_string(), "~Lab.example");
}

TEST(Profile, has_a_default_for_every_key_but_the_encryption) {
  const Profile profile = good("[tunnel]\nencryption = \"none\"\n");
  Profile expected;
  expected.name = "good";
  expected.path = "/etc/vpntund/good.toml";
  EXPECT_EQ(profile, expected);
  EXPECT_EQ(profile.interface.name, "tun%d");
  EXPECT_FALSE(profile.interface.mtu);
  EXPECT_EQ(profile.interface.listen_port, 0);
  EXPECT_TRUE(profile.interface.up);
  EXPECT_EQ(profile.interface.workers, 1u);
  EXPECT_EQ(profile.routing.mode, RouteMode::kAuto);
  EXPECT_EQ(profile.netns.mode, Netns::Mode::kNone);
}

TEST(Profile, takes_a_tap_with_an_ethernet_address) {
  const Profile profile = good(R"(
tunnel = { kind = "tap", encryption = "none" }
[interface]
mac = "02:00:00:00:53:63"
mtu = 65521
[[peer]]
endpoint = "10.0.2.8:9091"
)");
  EXPECT_EQ(profile.kind, Kind::kTap);
  EXPECT_EQ(profile.interface.name, "tap%d");
  EXPECT_EQ(profile.interface.mac, MacAddress::parse("02:00:00:00:53:63"));
  EXPECT_TRUE(profile.peers.at(0).allowed_ips.empty());
}

TEST(Profile, takes_the_words_for_the_defaults) {
  const Profile profile = good(R"(
[tunnel]
encryption = "none"
[interface]
mtu = "auto"
[routing]
routes = "off"
forwarding = false
[netns]
mode = "none"
)");
  EXPECT_FALSE(profile.interface.mtu);
  EXPECT_EQ(profile.routing.mode, RouteMode::kOff);
  EXPECT_FALSE(profile.routing.forwarding);
}

TEST(Profile, lets_the_endpoint_lie_in_the_routes_when_they_are_in_another_namespace) {
  const std::string peer = "[[peer]]\nendpoint = \"10.0.2.8:9090\"\nallowed-ips = \"10.0.0.0/8\"\n";
  const std::string tunnel = "[tunnel]\nencryption = \"none\"\n";
  good(tunnel + "[netns]\nmode = \"create\"\nname = \"x\"\n" + peer);
  good(tunnel + "[routing]\nroutes = \"off\"\n" + peer);
  const Loaded inside = load_text(
      tunnel + "[netns]\nmode = \"create\"\nname = \"x\"\nsocket = \"inside\"\n" + peer, "x", "x");
  ASSERT_EQ(inside.findings.size(), 1u);
  EXPECT_EQ(inside.findings[0].code, "E0307");
}

TEST(Profile, accepts_a_longer_prefix_of_one_peer_inside_another_peers) {
  good(R"(
[tunnel]
encryption = "none"
[interface]
listen-port = 9090
[[peer]]
allowed-ips = "10.0.0.0/8"
[[peer]]
allowed-ips = "10.1.0.0/16"
)");
}

TEST(Profile, accepts_a_byte_order_mark_and_carriage_returns) {
  good("\xef\xbb\xbf[tunnel]\r\nencryption = \"none\"\r\n");
  const Loaded bad = load_text("\xef\xbb\xbf[tunnel]\r\nencryption = 1\r\n", "x", "x");
  ASSERT_EQ(bad.findings.size(), 1u);
  EXPECT_EQ(bad.findings[0].line, 2u);
  EXPECT_EQ(bad.findings[0].column, 14u);
  EXPECT_EQ(bad.findings[0].source_line, "encryption = 1");
}

TEST(EndpointSpec, writes_ipv6_in_brackets) {
  EXPECT_EQ((EndpointSpec{"10.0.2.8", 9090, IpAddress::parse("10.0.2.8")}).to_string(),
            "10.0.2.8:9090");
  EXPECT_EQ((EndpointSpec{"fd00::8", 9090, IpAddress::parse("fd00::8")}).to_string(),
            "[fd00::8]:9090");
  EXPECT_EQ((EndpointSpec{"vpn.example.org", 9090, std::nullopt}).to_string(),
            "vpn.example.org:9090");
}

TEST(TunnelName, is_short_plain_ascii) {
  for (const char* name : {"lab", "lab-server", "a", "A_b.9", "9"})
    EXPECT_TRUE(is_tunnel_name(name)) << name;
  EXPECT_TRUE(is_tunnel_name(std::string(64, 'a')));
  for (const char* name : {"", ".hidden", "-x", "a/b", "a b", "..", "b\xc3\xbcro", "a\n", "a%i"})
    EXPECT_FALSE(is_tunnel_name(name)) << name;
  EXPECT_FALSE(is_tunnel_name(std::string(65, 'a')));
}

TEST(Profile, says_its_kind_and_encryption_in_the_words_it_is_written_with) {
  for (const std::string word : {"tun", "tap"}) {
    const std::string text = "tunnel = { kind = \"" + word +
                             "\", encryption = \"none\" }\n"
                             "[interface]\naddress = \"192.168.53.99/24\"\n";
    const Profile profile = good("version = 1\n" + text);
    EXPECT_EQ(word_of(profile.kind), word);
    EXPECT_EQ(word_of(profile.encryption), "none");
  }
  EXPECT_EQ(word_of(Encryption::kWireguard), "wireguard");
}

constexpr const char* kPrivate = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
constexpr const char* kPublic = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

TEST(Profile, takes_every_key_of_wireguard) {
  const Profile profile = good(fmt::format(R"(
[tunnel]
encryption = "wireguard"
[interface]
private-key = "{0}"
fwmark = 0xca6c
control-socket = true
[routing]
table = 4294967295
unrouted-family = "allow"
[routing.kill-switch]
mode = "always"
allow-lan = true
[[peer]]
public-key = "{1}"
preshared-key = "{0}"
endpoint = ["8.8.8.8:51820", "vpn.example.org:51820"]
allowed-ips = ["0.0.0.0/0", "::/0"]
persistent-keepalive = "25s"
)",
                                           kPrivate, kPublic));
  Profile expected;
  expected.name = "good";
  expected.path = "/etc/vpntund/good.toml";
  expected.encryption = Encryption::kWireguard;
  expected.interface.private_key = crypto::SecretKey::parse(kPrivate).value();
  expected.interface.fwmark = 0xca6c;
  expected.interface.control_socket = true;
  expected.routing.table = 4294967295;
  expected.routing.unrouted_family = UnroutedFamily::kAllow;
  expected.routing.kill_switch = KillSwitch::kAlways;
  expected.routing.kill_switch_allows_lan = true;
  Peer& peer = expected.peers.emplace_back();
  peer.name = "peer1";
  peer.endpoints = {EndpointSpec{"8.8.8.8", 51820, IpAddress::parse("8.8.8.8")},
                    EndpointSpec{"vpn.example.org", 51820, std::nullopt}};
  peer.allowed_ips = {prefix("0.0.0.0/0"), prefix("::/0")};
  peer.public_key = crypto::PublicKey::parse(kPublic).value();
  peer.preshared_key = crypto::SecretKey::parse(kPrivate).value();
  peer.persistent_keepalive = 25;
  EXPECT_EQ(profile, expected);
}

TEST(Profile, has_a_default_for_every_key_of_wireguard_but_the_keys) {
  const Profile profile =
      good(fmt::format("[tunnel]\nencryption = \"wireguard\"\n[interface]\nprivate-key = \"{}\"\n"
                       "listen-port = 51820\n[[peer]]\npublic-key = \"{}\"\nallowed-ips = "
                       "\"10.0.0.2\"\n",
                       kPrivate, kPublic));
  EXPECT_EQ(profile.interface.fwmark, 0u);
  EXPECT_FALSE(profile.interface.control_socket);
  EXPECT_EQ(profile.routing.table, 0u);
  EXPECT_EQ(profile.routing.unrouted_family, UnroutedFamily::kBlock);
  EXPECT_EQ(profile.routing.kill_switch, KillSwitch::kOff);
  EXPECT_EQ(profile.peers[0].persistent_keepalive, 0);
  EXPECT_FALSE(profile.peers[0].preshared_key);
}

TEST(Profile, takes_a_keepalive_as_number_seconds_or_off) {
  const auto keepalive = [](const std::string& written) {
    return good(fmt::format("[tunnel]\nencryption = \"wireguard\"\n[interface]\nprivate-key = "
                            "\"{}\"\n[[peer]]\npublic-key = \"{}\"\nendpoint = \"10.0.0.1:1\"\n"
                            "allowed-ips = \"10.0.1.2\"\npersistent-keepalive = {}\n",
                            kPrivate, kPublic, written))
        .peers[0]
        .persistent_keepalive;
  };
  EXPECT_EQ(keepalive("25"), 25);
  EXPECT_EQ(keepalive("\"25\""), 25);
  EXPECT_EQ(keepalive("\"65535s\""), 65535);
  EXPECT_EQ(keepalive("\"off\""), 0);
}

TEST(Profile, carries_frames_inside_wireguard_for_peers_without_allowed_ips) {
  const Profile profile =
      good(fmt::format("[tunnel]\nkind = \"tap\"\nencryption = \"wireguard\"\n[interface]\n"
                       "private-key = \"{}\"\n[[peer]]\npublic-key = \"{}\"\nendpoint = "
                       "\"8.8.8.8:51820\"\n",
                       kPrivate, kPublic));
  EXPECT_EQ(profile.kind, Kind::kTap);
  EXPECT_EQ(profile.encryption, Encryption::kWireguard);
}

// Policy routing keeps the tunnel's own datagrams out of a default route; another table is not
// looked into unless somebody says so.
TEST(Profile, lets_the_endpoint_lie_in_a_default_route_or_another_table) {
  const auto load = [](const std::string& routing, const std::string& prefixes) {
    good(
        fmt::format("[tunnel]\nencryption = \"wireguard\"\n[interface]\nprivate-key = \"{}\"\n"
                    "[routing]\n{}\n[[peer]]\npublic-key = \"{}\"\nendpoint = \"192.0.2.8:1\"\n"
                    "allowed-ips = [{}]\n",
                    kPrivate, routing, kPublic, prefixes));
  };
  load("", "\"0.0.0.0/0\", \"10.0.0.0/8\"");
  load("table = 7", "\"192.0.2.0/24\"");
}

}  // namespace
}  // namespace vpntun::config
