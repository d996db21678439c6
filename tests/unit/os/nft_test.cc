#include "os/nft.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "kernel_test.h"
#include "os/address.h"
#include "os/route.h"
#include "os/tun.h"
#include "os/udp.h"
#include "packet/build.h"
#include "packet/ip_view.h"

namespace vpntun::os {
namespace {

using NftTest = KernelTest;

TEST_F(NftTest, ATableIsInstalledReplacedAndRemoved) {
  EXPECT_FALSE(table_installed(NftTable::kMasquerade, "lab"));
  install_masquerade("lab", 21);
  install_masquerade("lab", 22);
  EXPECT_TRUE(table_installed(NftTable::kMasquerade, "lab"));
  EXPECT_FALSE(table_installed(NftTable::kMasquerade, "la"));
  EXPECT_FALSE(table_installed(NftTable::kMasquerade, "lab2"));
  EXPECT_EQ(std::system("nft list ruleset | grep -q 'iif 22 oif != 22 masquerade'"), 0);
  EXPECT_NE(std::system("nft list ruleset | grep -q 21"), 0);
  EXPECT_TRUE(remove_table(NftTable::kMasquerade, "lab"));
  EXPECT_FALSE(table_installed(NftTable::kMasquerade, "lab"));
  EXPECT_FALSE(remove_table(NftTable::kMasquerade, "lab"));
  EXPECT_EQ(std::system("test -z \"$(nft list ruleset)\""), 0);
}

TEST_F(NftTest, TunnelNamesWithDotsAndHyphensAreTablesOfTheirOwn) {
  for (const std::string name : {"lab-server", "a.b", "a-b", "a_b", "table", "9", "delete"}) {
    install_masquerade(name, 7);
    EXPECT_TRUE(table_installed(NftTable::kMasquerade, name)) << name;
  }
  EXPECT_TRUE(remove_table(NftTable::kMasquerade, "a-b"));
  EXPECT_TRUE(table_installed(NftTable::kMasquerade, "a.b"));
  EXPECT_TRUE(table_installed(NftTable::kMasquerade, "a_b"));
}

TEST_F(NftTest, NamesThatCouldBeCommandsAreRefused) {
  for (const std::string name : {"", "a b", "x; flush ruleset", "a\n", "a\"", "*", "{}"})
    EXPECT_THAT(error_of([&] { install_masquerade(name, 7); }),
                IsError(ErrorKind::kInvalidArguments, ""));
}

TEST_F(NftTest, AnInterfaceNamedLikeTheIndexOfAnotherIsNotTakenForIt) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  const Tun other = Tun::open(std::to_string(tun.index()), TunKind::kTun);
  install_masquerade("lab", tun.index());
  EXPECT_EQ(std::system("nft list ruleset | grep -q 'iif \"tun0\" oif != \"tun0\" masquerade'"), 0);
}

TEST_F(NftTest, ThePurposesOfATunnelHaveTablesThatNoOtherTunnelCanName) {
  install_masquerade("lab", 7);
  install_kill_switch("lab", {.mark = 7});
  install_reply_path("lab", {7, {prefix("10.8.0.2/24"), prefix("fd08::2/64")}, 9090, 7});
  for (const NftTable table :
       {NftTable::kMasquerade, NftTable::kKillSwitch, NftTable::kReplyPath}) {
    EXPECT_TRUE(table_installed(table, "lab")) << table_name(table, "lab");
    for (const std::string other : {"killswitch_lab", "routing_lab", "-routing_lab"})
      EXPECT_FALSE(table_installed(table, other));
    EXPECT_TRUE(remove_table(table, "lab"));
    EXPECT_FALSE(table_installed(table, "lab"));
  }
  EXPECT_EQ(std::system("test -z \"$(nft list ruleset)\""), 0);
}

TEST_F(NftTest, TheRulesInATableAreCounted) {
  EXPECT_EQ(rules_in_table(NftTable::kMasquerade, "lab"), 0u);
  const std::size_t masquerade = install_masquerade("lab", 7);
  const std::size_t open = install_kill_switch("lab", {.mark = 7});
  EXPECT_EQ(rules_in_table(NftTable::kKillSwitch, "lab"), open);
  const std::size_t lan = install_kill_switch(
      "lab", {.mark = 7, .lan = true, .inside = {prefix("10.8.0.2/24"), prefix("fd08::2/64")}});
  EXPECT_GT(lan, open);
  EXPECT_EQ(rules_in_table(NftTable::kKillSwitch, "lab"), lan);
  const std::size_t reply_path =
      install_reply_path("lab", {7, {prefix("10.8.0.2/24"), prefix("fd08::2/64")}, 9090, 7});
  EXPECT_EQ(rules_in_table(NftTable::kReplyPath, "lab"), reply_path);
  EXPECT_EQ(rules_in_table(NftTable::kMasquerade, "lab"), masquerade);
  EXPECT_EQ(rules_in_table(NftTable::kMasquerade, "other"), 0u);
}

TEST_F(NftTest, RulesThatSomebodyRemovesAreNotCounted) {
  const std::size_t rules = install_masquerade("lab", 7);
  ASSERT_EQ(std::system("nft 'add table ip vpntun_lab; add chain ip vpntun_lab forward; "
                        "add rule ip vpntun_lab forward drop'"),
            0);
  ASSERT_EQ(std::system("nft flush chain inet vpntun_lab postrouting"), 0);
  EXPECT_EQ(rules_in_table(NftTable::kMasquerade, "lab"), rules - 1);
  ASSERT_EQ(std::system("nft flush table inet vpntun_lab"), 0);
  EXPECT_EQ(rules_in_table(NftTable::kMasquerade, "lab"), 0u);
  EXPECT_TRUE(table_installed(NftTable::kMasquerade, "lab"));
}

TEST_F(NftTest, ARefusedTableLeavesTheOneThatIsThere) {
  install_kill_switch("lab", {.mark = 7});
  EXPECT_TRUE(error_of([] {
    replace_table(table_name(NftTable::kKillSwitch, "lab"), "add rule inet nowhere x drop\n", "");
  }));
  EXPECT_EQ(std::system("nft list ruleset | grep -q 'meta mark 0x00000007 accept'"), 0);
}

TEST_F(NftTest, LacksCapabilitySaysSo) {
  EXPECT_TRUE(without_capabilities([] {
    const auto error = error_of([] { install_masquerade("lab", 7); });
    return error && error->kind() == ErrorKind::kAccessDenied &&
           std::string(error->what()).find("vpntun_lab") != std::string::npos;
  }));
}

// What passes is seen on the far host: datagrams to its address, or the lack of them.
class KillSwitchTest : public TwoHostsTest {
 protected:
  void SetUp() override {
    TwoHostsTest::SetUp();
    const NetnsScope scope(far());
    far_socket_.emplace(UdpSocket::bind(4000));
  }
  // A datagram from a socket with this mark.
  packet::SendVerdict sent(std::uint32_t mark, std::string_view destination) {
    UdpSocket socket = UdpSocket::bind(0, {.mark = mark});
    packet::Batch batch(1);
    const std::uint8_t payload[] = {'h', 'i'};
    batch.append_copy(payload).remote = endpoint(destination);
    socket.send(batch);
    return batch[0].verdict;
  }
  bool passes(std::uint32_t mark, std::string_view destination = "10.9.0.2:4000") {
    if (sent(mark, destination) != packet::SendVerdict::kSent) return false;
    packet::Batch batch(4);
    if (!wait_readable(far_socket_->fd())) return false;
    std::ignore = far_socket_->receive(batch);
    return !batch.empty();
  }

 private:
  std::optional<UdpSocket> far_socket_;
};

TEST_F(KillSwitchTest, LetsTheTunnelsDatagramsOutAndNothingElse) {
  ASSERT_TRUE(passes(0));
  install_kill_switch("lab", {.mark = 7});
  for (const std::string_view to : {"10.9.0.2:4000", "[fd00:9::2]:4000"}) {
    EXPECT_TRUE(passes(7, to)) << to;
    EXPECT_EQ(sent(0, to), packet::SendVerdict::kRefused) << to;
    EXPECT_EQ(sent(8, to), packet::SendVerdict::kRefused) << to;
  }
  EXPECT_EQ(sent(0, "127.0.0.1:4000"), packet::SendVerdict::kSent) << "it stays on this host";
  EXPECT_EQ(sent(0, "10.9.0.1:4000"), packet::SendVerdict::kSent) << "so does this";
  remove_table(NftTable::kKillSwitch, "lab");
  EXPECT_TRUE(passes(0));
}

TEST_F(KillSwitchTest, LeavesTheLanAloneWhereThatIsWanted) {
  install_kill_switch("lab", {.mark = 7, .lan = true});
  EXPECT_TRUE(passes(0));
  EXPECT_TRUE(passes(0, "[fd00:9::2]:4000"));
  add_route(netlink(),
            {.destination = prefix("0.0.0.0/0"), .index = left(), .gateway = ip("10.9.0.2")});
  EXPECT_EQ(sent(0, "203.0.113.5:4000"), packet::SendVerdict::kRefused);
}

TEST_F(KillSwitchTest, ANetworkOfTheTunnelIsNoLan) {
  install_kill_switch("lab", {.mark = 7, .lan = true, .inside = {prefix("10.9.0.7/24")}});
  EXPECT_EQ(sent(0, "10.9.0.2:4000"), packet::SendVerdict::kRefused);
  EXPECT_TRUE(passes(0, "[fd00:9::2]:4000"));
}

TEST_F(KillSwitchTest, WhatGoesIntoATunnelPasses) {
  const Tun tun = Tun::open("tun0", TunKind::kTun);
  set_link_up(netlink(), tun.index(), true);
  add_address(netlink(), tun.index(), prefix("192.168.53.99/24"));
  install_kill_switch("lab", {.mark = 7});
  EXPECT_EQ(sent(0, "192.168.53.98:4000"), packet::SendVerdict::kSent);
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
  // The source the far host sees of what the client sends to its port 4000.
  std::optional<Endpoint> source_seen() {
    packet::Batch batch(4);
    const std::uint8_t payload[] = {'h', 'i'};
    batch.append_copy(packet::build_udp(
        {.source = ip("192.168.53.99"), .destination = ip("10.9.0.2")}, 1234, 4000, payload));
    tun_->send(batch);
    if (batch[0].verdict != packet::SendVerdict::kSent || !wait_readable(far_socket_->fd()))
      return std::nullopt;
    batch.clear();
    std::ignore = far_socket_->receive(batch);
    return batch.empty() ? std::nullopt : std::optional(batch[0].remote);
  }
  // One byte from the far host's port 4000.
  void far_sends(std::string_view destination, std::uint8_t byte) {
    packet::Batch batch(1);
    batch.append_copy(std::span(&byte, 1)).remote = endpoint(destination);
    far_socket_->send(batch);
    EXPECT_EQ(batch[0].verdict, packet::SendVerdict::kSent);
  }
  // The bytes that come out of the tunnel to the client, until `last` does.
  std::string arrived_until(char last) {
    std::string arrived;
    packet::Batch batch(4);
    while (!arrived.ends_with(last) && wait_readable(tun_->fd())) {
      batch.clear();
      std::ignore = tun_->receive(batch);
      for (const packet::Packet& packet : batch.packets()) {
        const auto view = packet::IpView::parse(packet.bytes);
        if (view && view->destination() == ip("192.168.53.99"))
          arrived += static_cast<char>(packet.bytes.back());
      }
    }
    return arrived;
  }

  std::optional<Tun> tun_;

 private:
  std::optional<UdpSocket> far_socket_;
};

TEST_F(MasqueradeTest, ForwardedPacketsGetOurAddress) {
  EXPECT_EQ(source_seen(), endpoint("192.168.53.99:1234"));
  install_masquerade("lab", tun_->index());
  // A flow keeps the address it started with: take away what the kernel remembers of the first
  // packet.
  const std::optional<Endpoint> masqueraded = source_seen();
  ASSERT_TRUE(masqueraded);
  EXPECT_EQ(masqueraded->address, ip("10.9.0.1"));
}

TEST_F(MasqueradeTest, OnlyAnswersAndWhatDnatDirectsComeIn) {
  set_forwarding_v4(netlink(), left(), true);
  far_sends("192.168.53.99:1234", 'a');
  EXPECT_EQ(arrived_until('a'), "a");
  // Ports apart: a flow that passed is remembered.
  install_masquerade("lab", tun_->index());
  const std::optional<Endpoint> masqueraded = source_seen();
  ASSERT_TRUE(masqueraded);
  far_sends("192.168.53.99:1235", 'b');
  far_sends(masqueraded->to_string(), 'c');
  EXPECT_EQ(arrived_until('c'), "c") << "the answer";
  ASSERT_EQ(std::system("nft 'add table ip admin; add chain ip admin pre "
                        "{ type nat hook prerouting priority -100; }; "
                        "add rule ip admin pre udp dport 8080 dnat to 192.168.53.99:1236'"),
            0);
  far_sends("10.9.0.1:8080", 'd');
  EXPECT_EQ(arrived_until('d'), "d") << "what somebody directs there";
  far_sends("192.168.53.99:1237", 'e');
  far_sends(masqueraded->to_string(), 'g');
  EXPECT_EQ(arrived_until('g'), "g");
  remove_table(NftTable::kMasquerade, "lab");
  far_sends("192.168.53.99:1238", 'f');
  EXPECT_EQ(arrived_until('f'), "f");
}

TEST_F(MasqueradeTest, ARenamedTunnelStaysGuarded) {
  set_forwarding_v4(netlink(), left(), true);
  install_masquerade("lab", tun_->index());
  set_link_up(netlink(), tun_->index(), false);
  set_link_name(netlink(), tun_->index(), "vpn0");
  set_link_up(netlink(), tun_->index(), true);
  const std::optional<Endpoint> masqueraded = source_seen();
  ASSERT_TRUE(masqueraded);
  EXPECT_EQ(masqueraded->address, ip("10.9.0.1"));
  far_sends("192.168.53.99:1235", 'b');
  far_sends(masqueraded->to_string(), 'c');
  EXPECT_EQ(arrived_until('c'), "c");
}

}  // namespace
}  // namespace vpntun::os
