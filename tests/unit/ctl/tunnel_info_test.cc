#include "ctl/tunnel_info.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "documents.h"

namespace vpntun::ctl {
namespace {

TEST(TunnelInfo, ReadsEveryKey) {
  const std::vector<TunnelInfo> tunnels = tunnels_of(parse_document(kDocument));
  ASSERT_EQ(tunnels.size(), 4u);
  const TunnelInfo& lab = tunnels[0];
  EXPECT_EQ(lab.name, "lab");
  EXPECT_TRUE(lab.running());
  EXPECT_EQ(lab.reason.code, "no-reply");
  EXPECT_EQ(lab.addresses.size(), 2u);
  EXPECT_EQ(lab.listen_port, 41872u);
  EXPECT_EQ(lab.workers, 2u);
  EXPECT_EQ(lab.traffic.tx_packets, 114u);
  ASSERT_EQ(lab.drops.size(), 1u);
  EXPECT_EQ(lab.drops[0].packets, 17u);
  ASSERT_EQ(lab.peers.size(), 1u);
  EXPECT_EQ(lab.peers[0].allowed_ips[1], "192.168.60.0/24");
  EXPECT_TRUE(lab.profile_stale);
  EXPECT_FALSE(tunnels[3].profile_valid);
}

TEST(TunnelInfo, ReadsTheKeysOfAnEncryptedTunnel) {
  const TunnelInfo office = tunnels_of(parse_document(kEncryptedDocument)).at(0);
  EXPECT_TRUE(office.encrypted());
  EXPECT_EQ(office.public_key, "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=");
  const PeerInfo& alice = office.peers.at(0);
  EXPECT_EQ(alice.public_key, "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=");
  EXPECT_TRUE(alice.has_preshared_key);
  EXPECT_EQ(alice.persistent_keepalive, 25u);
  EXPECT_EQ(alice.state, "fresh");
  EXPECT_EQ(alice.latest_handshake_usec, 999999998000000u);
}

TEST(TunnelInfo, TakesAbsentKeysAndOtherTypesAsDefaults) {
  const std::vector<TunnelInfo> tunnels = tunnels_of(parse_document(
      R"({"schema":"vpnctl.status/1","tunnels":[{},7,null,{"name":3,"mtu":"x","rx-bytes":-1,"addresses":{"a":1},
          "reason":"text","peers":[{"allowed-ips":[1,"10.0.0.0/8"]},null],"profile-valid":"no"}]})"));
  ASSERT_EQ(tunnels.size(), 4u);
  EXPECT_EQ(tunnels[3].name, "");
  EXPECT_EQ(tunnels[3].traffic.rx_bytes, 0u);
  EXPECT_TRUE(tunnels[3].profile_valid);
  EXPECT_TRUE(tunnels[3].addresses.empty());
  ASSERT_EQ(tunnels[3].peers.size(), 2u);
  EXPECT_EQ(tunnels[3].peers[0].allowed_ips.at(1), "10.0.0.0/8");
}

TEST(TunnelInfo, EscapesWhatTheBusSays) {
  const std::vector<TunnelInfo> tunnels = tunnels_of(parse_document(
      R"({"schema":"vpnctl.status/1","tunnels":[{"name":"a\u001b[2Jb\n","addresses":["\u0007"]}]})"));
  EXPECT_EQ(tunnels[0].name, "a\\x1b[2Jb\\x0a");
  EXPECT_EQ(tunnels[0].addresses[0], "\\x07");
}

TEST(TunnelInfo, RefusesAnotherDocument) {
  for (const char* text :
       {"", "{", "[]", "null", R"({"schema":"vpnctl.status/2","tunnels":[]})",
        R"({"schema":"vpnctl.status/1"})", R"({"schema":"vpnctl.status/1","tunnels":{}})"})
    EXPECT_THROW(parse_document(text), Error) << text;
}

TEST(Only, KeepsTheNamedTunnelsInTheSameSchema) {
  const nlohmann::json one = only(parse_document(kDocument), {"office", "nobody"});
  EXPECT_EQ(one["schema"], "vpnctl.status/1");
  ASSERT_EQ(one["tunnels"].size(), 1u);
  EXPECT_EQ(one["tunnels"][0]["name"], "office");
}

TEST(NearestName, FindsTyposAndBeginnings) {
  const std::vector<std::string> names{"lab", "lab-server", "office"};
  EXPECT_EQ(nearest_name("lba", names), "lab");
  EXPECT_EQ(nearest_name("ofice", names), "office");
  EXPECT_EQ(nearest_name("lab-s", names), "lab-server");
  EXPECT_EQ(nearest_name("home", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name("x", {"ab"}), "");
}

}  // namespace
}  // namespace vpntun::ctl
