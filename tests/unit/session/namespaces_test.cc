// Sessions whose interface lives in a named network namespace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "hosts.h"

namespace vpntun::session {
namespace {

using testing::HasSubstr;

class InNamespace : public testing::Test {
 protected:
  InNamespace() { host_.connect(other_, "eth0", "10.0.2.7/24", "eth0", "10.0.2.8/24"); }
  ~InNamespace() override {
    if (os::netns_exists(name_)) os::remove_netns(name_);
  }

  config::Profile profile(config::Netns::Mode mode) {
    auto profile = client_profile();
    profile.netns.mode = mode;
    profile.netns.name = name_;
    return profile;
  }
  template <typename Work>
  auto inside(Work work) {
    const os::NetnsScope scope(os::Netns::open(name_));
    os::NetlinkSocket netlink;
    return work(netlink);
  }
  void refused(const config::Profile& wanted) {
    try {
      const HostedSession session(host_, loop_, wanted);
      ADD_FAILURE() << "the session started";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kNetworkNamespace) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(name_));
    }
  }

  const std::string name_ = "vpntun-test-" + std::to_string(std::random_device{}());
  service::Loop loop_;
  Host host_;
  Host other_;
};

TEST_F(InNamespace, CreatesItAndRemovesItAgain) {
  const auto before = host_.state("lab");
  {
    const HostedSession session(host_, loop_, profile(config::Netns::Mode::kCreate));
    EXPECT_EQ(session->status().netns, name_);
    inside([](os::NetlinkSocket& netlink) {
      EXPECT_TRUE(os::get_link(netlink, "tun0").up);
      EXPECT_TRUE(os::get_link(netlink, "lo").up);
      EXPECT_TRUE(os::find_owner(netlink, address("192.168.53.99")));
    });
    EXPECT_EQ(host_.state("lab"), before) << "the host itself has nothing of it";
  }
  EXPECT_FALSE(os::netns_exists(name_));
}

TEST_F(InNamespace, RemovesItAlsoWhenTheStartFailsLater) {
  auto wanted = profile(config::Netns::Mode::kCreate);
  wanted.routing.forwarding_interfaces = {"eth7"};
  EXPECT_THROW(HostedSession(host_, loop_, wanted), Error);
  EXPECT_FALSE(os::netns_exists(name_));
}

TEST_F(InNamespace, CarriesPacketsThroughASocketOutside) {
  const HostedSession server(other_, loop_, server_profile());
  const HostedSession session(host_, loop_, profile(config::Netns::Mode::kCreate));
  EXPECT_EQ(session->status().mtu_derivation, "1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)");
  EXPECT_TRUE(inside([](os::NetlinkSocket&) {
    return std::system("ping -n -q -c 1 -W 60 192.168.53.98 >/dev/null") == 0;
  }));
}

TEST_F(InNamespace, JoinsOneAndLeavesItThere) {
  os::Netns::create(name_);
  {
    const HostedSession session(host_, loop_, profile(config::Netns::Mode::kJoin));
    inside([](os::NetlinkSocket& netlink) { EXPECT_TRUE(os::find_link(netlink, "tun0")); });
  }
  ASSERT_TRUE(os::netns_exists(name_));
  inside([](os::NetlinkSocket& netlink) { EXPECT_FALSE(os::find_link(netlink, "tun0")); });
}

TEST_F(InNamespace, BindsTheSocketInsideWhenTheProfileSaysSo) {
  const auto bound_outside = [&](config::Netns::Socket where) {
    auto wanted = profile(config::Netns::Mode::kCreate);
    wanted.netns.socket = where;
    wanted.interface.listen_port = 9090;
    const HostedSession session(host_, loop_, wanted);
    // A second tunnel on the same port shows which namespace's port it is.
    try {
      const HostedSession second(host_, loop_, server_profile());
      return false;
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kAddressInUse;
    }
  };
  EXPECT_TRUE(bound_outside(config::Netns::Socket::kHost));
  EXPECT_FALSE(bound_outside(config::Netns::Socket::kInside));
}

TEST_F(InNamespace, IsRefusedToJoinOneThatIsNotThere) {
  refused(profile(config::Netns::Mode::kJoin));
}

TEST_F(InNamespace, IsRefusedToCreateOneThatIsInUse) {
  const os::Netns existing = os::Netns::create(name_);
  host_.at(
      [&](os::NetlinkSocket& netlink) { os::create_veth(netlink, "ve0", "ve1", existing.fd()); });
  refused(profile(config::Netns::Mode::kCreate));
  EXPECT_TRUE(os::netns_exists(name_));
}

TEST_F(InNamespace, IsRefusedToCreateOneThatSomebodyElseMade) {
  os::Netns::create(name_);
  refused(profile(config::Netns::Mode::kCreate));
  EXPECT_TRUE(os::netns_exists(name_));
}

TEST_F(InNamespace, TakesOverTheOneAnEarlierSessionLeft) {
  {
    const HostedSession session(host_, loop_, profile(config::Netns::Mode::kCreate));
    session->release();
  }
  ASSERT_TRUE(os::netns_exists(name_));
  auto of_another_tunnel = profile(config::Netns::Mode::kCreate);
  of_another_tunnel.name = "other";
  refused(of_another_tunnel);
  { const HostedSession session(host_, loop_, profile(config::Netns::Mode::kCreate)); }
  EXPECT_FALSE(os::netns_exists(name_));
}

TEST_F(InNamespace, MasqueradesThere) {
  auto wanted = profile(config::Netns::Mode::kCreate);
  wanted.routing.masquerade = true;
  const HostedSession session(host_, loop_, wanted);
  EXPECT_TRUE(inside(
      [](os::NetlinkSocket&) { return os::table_installed(os::NftTable::kMasquerade, "lab"); }));
  EXPECT_FALSE(host_.at(
      [](os::NetlinkSocket&) { return os::table_installed(os::NftTable::kMasquerade, "lab"); }));
}

}  // namespace
}  // namespace vpntun::session
