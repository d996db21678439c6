// The example profiles are what people copy: each loads without a finding.
#include <gtest/gtest.h>

#include <filesystem>

#include "config/finding.h"

namespace vpntun::config {
namespace {

namespace fs = std::filesystem;

const fs::path kExamples = fs::path(VPNTUN_SOURCE) / "config" / "examples";

Profile example(const std::string& name) {
  const Loaded loaded = load_file((kExamples / (name + ".toml")).string(), name);
  EXPECT_EQ(to_text(loaded.findings, false), "");
  return loaded.profile.value();
}

TEST(Examples, all_load_without_a_finding) {
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(kExamples)) {
    ASSERT_EQ(entry.path().extension(), ".toml") << entry.path();
    example(entry.path().stem());
    ++seen;
  }
  EXPECT_GE(seen, 6u);
}

TEST(Examples, lab_is_host_u) {
  const Profile lab = example("lab");
  EXPECT_EQ(lab.interface.name, "tun0");
  EXPECT_EQ(lab.interface.addresses, std::vector{*IpPrefix::parse("192.168.53.99/24")});
  ASSERT_EQ(lab.peers.size(), 1u);
  EXPECT_EQ(lab.peers[0].endpoints.at(0).to_string(), "10.0.2.8:9090");
  EXPECT_EQ(lab.peers[0].allowed_ips, (std::vector{*IpPrefix::parse("192.168.53.0/24"),
                                                   *IpPrefix::parse("192.168.60.0/24")}));
}

TEST(Examples, of_wireguard_have_keys_outside_of_the_profile) {
  for (const char* name : {"wireguard", "wireguard-server"}) {
    const Profile profile = example(name);
    EXPECT_EQ(profile.encryption, Encryption::kWireguard);
    EXPECT_TRUE(profile.interface.private_key.is_zero()) << "nothing was read of its file";
  }
}

TEST(Examples, lab_server_learns_host_u_and_forwards) {
  const Profile server = example("lab-server");
  EXPECT_EQ(server.interface.addresses, std::vector{*IpPrefix::parse("192.168.53.98/24")});
  EXPECT_EQ(server.interface.listen_port, 9090);
  EXPECT_TRUE(server.routing.forwarding);
  ASSERT_EQ(server.peers.size(), 1u);
  EXPECT_EQ(server.peers[0].name, "host-u");
  EXPECT_TRUE(server.peers[0].endpoints.empty());
  EXPECT_EQ(server.peers[0].allowed_ips, std::vector{*IpPrefix::parse("192.168.53.99/32")});
}

}  // namespace
}  // namespace vpntun::config
