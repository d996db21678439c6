#include "ctl/peer_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vpntun::ctl {
namespace {

using testing::ElementsAre;

IpPrefix prefix(const char* text) {
  return IpPrefix::parse(text).value();
}

config::Profile server(std::vector<IpPrefix> addresses) {
  config::Profile profile;
  profile.name = "office";
  profile.encryption = config::Encryption::kWireguard;
  profile.interface.private_key = crypto::SecretKey::generate_private();
  profile.interface.addresses = std::move(addresses);
  return profile;
}

void add(config::Profile& profile, std::vector<IpPrefix> allowed) {
  profile.peers.emplace_back().allowed_ips = std::move(allowed);
}

TEST(FreeAddresses, AreTheFirstOfEachNetworkThatNobodyHas) {
  config::Profile profile = server({prefix("10.8.0.1/24"), prefix("fd42:8::1/64")});
  EXPECT_THAT(free_addresses(profile), ElementsAre(prefix("10.8.0.2/32"), prefix("fd42:8::2/128")));
  add(profile, {prefix("10.8.0.2/32"), prefix("fd42:8::/126")});
  add(profile, {prefix("10.8.0.3/32"), prefix("10.8.0.4/30")});
  EXPECT_THAT(free_addresses(profile), ElementsAre(prefix("10.8.0.8/32"), prefix("fd42:8::4/128")));
}

TEST(FreeAddresses, AreInsideTheNetworkAndNeitherItsOwnNorItsBroadcastAddress) {
  config::Profile profile = server({prefix("10.8.0.2/30")});
  EXPECT_THAT(free_addresses(profile), ElementsAre(prefix("10.8.0.1/32")));
  add(profile, {prefix("10.8.0.1/32")});
  EXPECT_THAT(free_addresses(profile), ElementsAre());
  EXPECT_THAT(free_addresses(server({prefix("10.8.0.0/31")})), ElementsAre(prefix("10.8.0.1/32")));
  EXPECT_THAT(free_addresses(server({prefix("10.8.0.1/32")})), ElementsAre());
  EXPECT_THAT(free_addresses(server({prefix("255.255.255.254/30")})),
              ElementsAre(prefix("255.255.255.253/32")));
}

TEST(FreeAddresses, AreNotTakenByADefaultRouteOrTheWholeNetwork) {
  config::Profile profile = server({prefix("10.8.0.1/24")});
  add(profile, {prefix("0.0.0.0/0"), prefix("10.8.0.0/24")});
  EXPECT_THAT(free_addresses(profile), ElementsAre(prefix("10.8.0.2/32")));
}

constexpr const char* kText =
    "[tunnel]\nencryption = \"wireguard\"\n\n"
    "# the first\n[[peer]]\nname = \"a\" # inside\n# about a\nallowed-ips = "
    "[\n\"10.0.0.0/8\",\n]\n\n"
    "# the second\n [[ peer ]] # b\nname = \"b\"\n\n# last words\n[access]\nactive-session = "
    "true\n";

TEST(WithoutPeer, KeepsAllElseWordForWord) {
  EXPECT_EQ(without_peer("[[peer]]\nname = \"a\"\n", 0), "");
  EXPECT_EQ(without_peer(kText, 1),
            "[tunnel]\nencryption = \"wireguard\"\n\n"
            "# the first\n[[peer]]\nname = \"a\" # inside\n# about a\nallowed-ips = "
            "[\n\"10.0.0.0/8\",\n]\n\n# the second\n\n# last words\n[access]\nactive-session = "
            "true\n");
  EXPECT_EQ(without_peer(kText, 0),
            "[tunnel]\nencryption = \"wireguard\"\n\n# the first\n\n"
            "# the second\n [[ peer ]] # b\nname = \"b\"\n\n# last words\n[access]\n"
            "active-session = true\n");
}

TEST(WithoutPeer, FindsOnlyTablesOfTheirOwn) {
  EXPECT_FALSE(without_peer(kText, 2));
  EXPECT_FALSE(without_peer("peer = [{ name = \"a\" }]\n", 0));
}

TEST(OtherEnd, HasThisTunnelAsItsOnlyPeer) {
  const config::Profile profile = server({prefix("10.8.0.1/24"), prefix("fd42:8::1/64")});
  config::Peer peer;
  peer.name = "phone";
  peer.allowed_ips = {prefix("10.8.0.2/32"), prefix("192.168.7.0/24")};
  peer.preshared_key = crypto::SecretKey::generate_preshared();
  OtherEnd end{crypto::SecretKey::generate_private(),
               config::EndpointSpec{"vpn.example.org", 51820, {}}, false};
  config::Profile other = other_end(profile, peer, end);
  EXPECT_EQ(other.interface.private_key, end.private_key);
  EXPECT_THAT(other.interface.addresses, ElementsAre(prefix("10.8.0.2/32")));
  ASSERT_EQ(other.peers.size(), 1u);
  EXPECT_EQ(other.peers[0].public_key, crypto::public_key_of(profile.interface.private_key));
  EXPECT_EQ(other.peers[0].preshared_key, peer.preshared_key);
  EXPECT_THAT(other.peers[0].allowed_ips,
              ElementsAre(prefix("10.8.0.0/24"), prefix("fd42:8::/64")));
  EXPECT_TRUE(other.interface.dns.domains.empty());
  end.dns_servers = {prefix("10.8.0.1/32").address};
  other = other_end(profile, peer, end);
  EXPECT_EQ(other.interface.dns.servers, end.dns_servers);
  EXPECT_THAT(other.interface.dns.domains, ElementsAre(config::DnsDomain{".", true}));
  end.all_traffic = true;
  EXPECT_THAT(other_end(profile, peer, end).peers[0].allowed_ips,
              ElementsAre(prefix("0.0.0.0/0"), prefix("::/0")));
}

}  // namespace
}  // namespace vpntun::ctl
