#include "os/nft.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "kernel_test.h"
#include "os/address.h"
#include "os/route.h"
#include "os/tun.h"
#include "os/udp.h"
#include "packet/build.h"

namespace vpntun::os {
namespace {

using NftTest = KernelTest;

TEST_F(NftTest, ATableIsInstalledReplacedAndRemoved) {
  EXPECT_FALSE(masquerade_installed("lab"));
  install_masquerade("lab", "tun0");
  install_masquerade("lab", "tun1");
  EXPECT_TRUE(masquerade_installed("lab"));
  EXPECT_FALSE(masquerade_installed("la"));
  EXPECT_FALSE(masquerade_installed("lab2"));
  EXPECT_EQ(
      std::system("nft list ruleset | grep -q 'iifname \"tun1\" oifname != \"tun1\" masquerade'"),
      0);
  EXPECT_NE(std::system("nft list ruleset | grep -q tun0"), 0);
  EXPECT_TRUE(remove_masquerade("lab"));
  EXPECT_FALSE(masquerade_installed("lab"));
  EXPECT_FALSE(remove_masquerade("lab"));
  EXPECT_EQ(std::system("test -z \"$(nft list ruleset)\""), 0);
}

TEST_F(NftTest, TunnelNamesWithDotsAndHyphensAreTablesOfTheirOwn) {
  for (const std::string name : {"lab-server", "a.b", "a-b", "a_b", "table", "9", "delete"}) {
    install_masquerade(name, "tun-a.0");
    EXPECT_TRUE(masquerade_installed(name)) << name;
  }
  EXPECT_TRUE(remove_masquerade("a-b"));
  EXPECT_TRUE(masquerade_installed("a.b"));
  EXPECT_TRUE(masquerade_installed("a_b"));
}

TEST_F(NftTest, NamesThatCouldBeCommandsAreRefused) {
  for (const std::string name : {"", "a b", "x; flush ruleset", "a\n", "a\"", "*", "{}"}) {
    EXPECT_THAT(error_of([&] { install_masquerade(name, "tun0"); }),
                IsError(ErrorKind::kInvalidArguments, ""));
    EXPECT_THAT(error_of([&] { install_masquerade("lab", name); }),
                IsError(ErrorKind::kInvalidArguments, ""));
  }
  EXPECT_THAT(error_of([&] { install_masquerade("lab", "tun*"); }),
              IsError(ErrorKind::kInvalidArguments, "tun*"));
  EXPECT_FALSE(masquerade_installed("lab"));
}

TEST_F(NftTest, LacksCapabilitySaysSo) {
  EXPECT_TRUE(without_capabilities([] {
    const auto error = error_of([] { install_masquerade("lab", "tun0"); });
    return error && error->kind() == ErrorKind::kAccessDenied &&
           std::string(error->what()).find("vpntun_lab") != std::string::npos;
  }));
}

// A packet that came out of the tunnel and is forwarded to the far host.
class MasqueradeTest : public TwoHostsTest {
 protected:
  void SetUp() override {
    TwoHostsTest::SetUp();
    tun_.emplace(Tun::open("tun0", TunKind::kTun));
    set_link_up(netlink(), tun_->index(), true);
    add_address(netlink(), tun_->index(), prefix("192.168.53.98/24"));
    set_forwarding_v4(netlink(), tun_->index(), true);
    const NetnsScope scope(far());
    far_socket_.emplace(UdpSocket::bind(4000));
    add_route(
        far_netlink(),
        {.destination = prefix("192.168.53.0/24"), .index = right(), .gateway = ip("10.9.0.1")});
  }
  // The source the far host sees.
  std::optional<Endpoint> source_seen() {
    packet::Batch batch(4);
    const std::uint8_t payload[] = {'h', 'i'};
    batch.append_copy(packet::build_udp(
        {.source = ip("192.168.53.99"), .destination = ip("10.9.0.2")}, 1234, 4000, payload));
    tun_->send(batch);
    if (batch[0].verdict != packet::SendVerdict::kSent || !wait_readable(far_socket_->fd()))
      return std::nullopt;
    batch.clear();
    far_socket_->receive(batch);
    return batch.empty() ? std::nullopt : std::optional(batch[0].remote);
  }

 private:
  std::optional<Tun> tun_;
  std::optional<UdpSocket> far_socket_;
};

TEST_F(MasqueradeTest, ForwardedPacketsGetOurAddress) {
  EXPECT_EQ(source_seen(), endpoint("192.168.53.99:1234"));
  install_masquerade("lab", "tun0");
  // A flow keeps the address it started with: take away what the kernel remembers of the first
  // packet.
  const std::optional<Endpoint> masqueraded = source_seen();
  ASSERT_TRUE(masqueraded);
  EXPECT_EQ(masqueraded->address, ip("10.9.0.1"));
}

}  // namespace
}  // namespace vpntun::os
