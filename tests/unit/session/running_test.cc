// Sessions that run: packets between two of them, endpoints that move, changes that others make to
// the host, captures and injected packets.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <array>
#include <optional>

#include "hosts.h"
#include "os/packet_socket.h"
#include "os/udp.h"
#include "packet/describe.h"
#include "packet/pcapng.h"

namespace vpntun::session {
namespace {

using testing::HasSubstr;

class Running : public testing::Test {
 protected:
  Running() { u_.connect(server_, "eth0", "10.0.2.7/24", "eth0", "10.0.2.8/24"); }

  // Waits until the session's first finding has the code.
  bool reason_becomes(const HostedSession& session, const std::string& code) {
    return run_until(loop_, [&] { return session->status().reason.code == code; });
  }

  service::Loop loop_;
  Host u_;
  Host server_;
};

TEST_F(Running, TwoSessionsPassPacketsAndTheServerLearnsTheClient) {
  const HostedSession server(server_, loop_, server_profile());
  const HostedSession client(u_, loop_, client_profile());
  EXPECT_FALSE(server->status().peers[0].endpoint);
  ASSERT_TRUE(u_.pings("192.168.53.98"));

  const Status at_client = client->status();
  EXPECT_EQ(at_client.health, Health::kHealthy);
  EXPECT_TRUE(at_client.findings.empty());
  EXPECT_EQ(at_client.traffic.tx_packets, 3u);
  EXPECT_EQ(at_client.traffic.rx_packets, 3u);
  EXPECT_EQ(at_client.traffic.rx_bytes, 3u * 84u);
  EXPECT_NE(at_client.peers[0].last_received_usec, 0u);
  EXPECT_NE(at_client.peers[0].last_sent_usec, 0u);

  const Status at_server = server->status();
  EXPECT_EQ(at_server.health, Health::kHealthy);
  const Endpoint learned{address("10.0.2.7"), at_client.listen_port};
  EXPECT_EQ(at_server.peers[0].endpoint, learned);
  EXPECT_EQ(at_server.peers[0].endpoint_source, EndpointSource::kLearned);
  EXPECT_EQ(at_server.peers[0].configured_endpoint, "");
  EXPECT_TRUE(server_.pings("192.168.53.99"));
}

TEST_F(Running, TellsWhenAPeersEndpointMoves) {
  const HostedSession server(server_, loop_, server_profile());
  int changes = 0;
  server->on_changed([&] { ++changes; });
  std::optional<Endpoint> first;
  {
    const HostedSession client(u_, loop_, client_profile());
    ASSERT_TRUE(u_.pings("192.168.53.98"));
    ASSERT_TRUE(run_until(loop_, [&] { return changes > 0; }));
    first = server->status().peers[0].endpoint;
  }
  changes = 0;
  auto moved = client_profile();
  moved.interface.listen_port = static_cast<std::uint16_t>(first->port == 4000 ? 4001 : 4000);
  const HostedSession client(u_, loop_, moved);
  ASSERT_TRUE(u_.pings("192.168.53.98"));
  EXPECT_TRUE(run_until(loop_, [&] { return changes > 0; }));
  EXPECT_EQ(server->status().peers[0].endpoint->port, moved.interface.listen_port);
}

TEST_F(Running, HearsAPeerWithItsFirstDatagram) {
  const HostedSession server(server_, loop_, server_profile());
  const HostedSession client(u_, loop_, client_profile());
  EXPECT_FALSE(server->heard());
  EXPECT_FALSE(client->heard());
  ASSERT_TRUE(u_.pings("192.168.53.98"));
  EXPECT_TRUE(server->heard());
  EXPECT_TRUE(client->heard());
}

TEST_F(Running, NamesTheDnsItWantsAndTellsWhyItIsNotThere) {
  auto profile = client_profile();
  profile.interface.dns = {{address("192.168.53.98")}, {{"corp.example", false}, {"lab", true}}};
  const HostedSession client(u_, loop_, profile);
  int changes = 0;
  client->on_changed([&] { ++changes; });
  EXPECT_THAT(client->status().dns_servers, testing::ElementsAre("192.168.53.98"));
  EXPECT_THAT(client->status().dns_domains, testing::ElementsAre("corp.example", "~lab"));
  client->set_dns_failure("nobody resolves here");
  EXPECT_EQ(client->status().health, Health::kDegraded);
  EXPECT_EQ(client->status().reason.code, "dns-unavailable");
  client->set_dns_failure("");
  EXPECT_NE(client->status().reason.code, "dns-unavailable");
  EXPECT_EQ(changes, 2);
}

TEST_F(Running, WantsNoDnsBeforeAPeerHasAnEndpoint) {
  auto profile = server_profile();
  profile.interface.dns = {{address("192.168.53.99")}, {{".", true}}};
  const HostedSession server(server_, loop_, profile);
  EXPECT_EQ(server->dns(), config::Dns{});
  const HostedSession client(u_, loop_, client_profile());
  ASSERT_TRUE(u_.pings("192.168.53.98"));
  EXPECT_EQ(server->dns(), profile.interface.dns);
}

TEST_F(Running, ATapTunnelCarriesEthernet) {
  auto server_tap = server_profile();
  auto client_tap = client_profile();
  for (config::Profile* profile : {&server_tap, &client_tap}) {
    profile->kind = config::Kind::kTap;
    profile->interface.name = "tap0";
    profile->peers[0].allowed_ips.clear();
  }
  const HostedSession server(server_, loop_, server_tap);
  const HostedSession client(u_, loop_, client_tap);
  EXPECT_TRUE(u_.pings("192.168.53.98"));
  EXPECT_EQ(client->status().kind, config::Kind::kTap);
}

TEST_F(Running, CountsDropsByReasonWithTheLastOffender) {
  auto profile = client_profile();
  profile.peers[0].allowed_ips = prefixes({"192.168.53.98/32"});
  const HostedSession client(u_, loop_, profile);
  // The last one may also be what the kernel itself says to its neighbours.
  std::optional<DropStatus> drop;
  EXPECT_TRUE(run_until(loop_, [&] {
    u_.runs("ping -n -q -c 1 -W 0.2 192.168.53.77 >/dev/null");
    const Status status = client->status();
    const auto found = std::ranges::find(status.drops, "no-peer", &DropStatus::reason);
    if (found != status.drops.end()) drop = *found;
    return drop && drop->last.find("192.168.53.77") != std::string::npos;
  }));
  ASSERT_TRUE(drop);
  EXPECT_GE(drop->packets, 1u);
  EXPECT_FALSE(drop->text.empty());
  EXPECT_NE(drop->last_usec, 0u);
}

TEST_F(Running, UsesAHostNameOnceItIsResolved) {
  auto profile = client_profile();
  profile.peers[0].endpoints = {endpoint_spec("localhost", 9090)};
  const HostedSession client(u_, loop_, profile);
  EXPECT_EQ(client->status().reason.code, "resolving");
  ASSERT_TRUE(run_until(loop_, [&] { return client->status().peers[0].endpoint.has_value(); }));
  const Status status = client->status();
  EXPECT_TRUE(status.peers[0].endpoint->address.is_loopback());
  EXPECT_EQ(status.peers[0].endpoint_source, EndpointSource::kResolved);
  EXPECT_EQ(status.peers[0].configured_endpoint, "localhost:9090");
}

TEST_F(Running, StartsWithANameThatCannotBeResolved) {
  auto profile = client_profile();
  profile.peers[0].endpoints = {endpoint_spec("no-such-host.invalid", 9090)};
  const HostedSession client(u_, loop_, profile);
  EXPECT_TRUE(reason_becomes(client, "unresolved"));
  EXPECT_EQ(client->status().health, Health::kFailing);
}

TEST_F(Running, FailsWhenThePeersHostSaysThatNobodyListens) {
  const HostedSession client(u_, loop_, client_profile());
  EXPECT_TRUE(run_until(loop_, [&] {  // a host says so only so often, to all together
    EXPECT_FALSE(u_.runs("ping -n -q -c 1 -W 0.2 192.168.53.98 >/dev/null"));
    return client->status().reason.code == "refused";
  }));
  EXPECT_EQ(client->status().health, Health::kFailing);
  EXPECT_EQ(client->status().peers[0].refused_by, address("10.0.2.8"));
}

TEST_F(Running, FailsWhenPacketsGoOutAndNoneComeBack) {
  const auto nobody_reads =
      server_.at([](os::NetlinkSocket&) { return os::UdpSocket::bind(9090); });
  const HostedSession client(u_, loop_, client_profile());
  int changes = 0;
  client->on_changed([&] { ++changes; });
  EXPECT_FALSE(u_.runs("ping -n -q -c 2 -i 0.2 -W 1 192.168.53.98 >/dev/null"));
  EXPECT_TRUE(reason_becomes(client, "no-reply"));
  EXPECT_EQ(client->status().health, Health::kFailing);
  EXPECT_TRUE(run_until(loop_, [&] { return changes > 0; }));
}

TEST_F(Running, NoticesThatTheInterfaceWasSetDown) {
  const HostedSession client(u_, loop_, client_profile());
  int changes = 0;
  client->on_changed([&] { ++changes; });
  u_.at([](os::NetlinkSocket& netlink) {
    os::set_link_up(netlink, os::get_link(netlink, "tun0").index, false);
  });
  EXPECT_TRUE(reason_becomes(client, "interface-down"));
  EXPECT_EQ(client->status().health, Health::kFailing);
  EXPECT_TRUE(run_until(loop_, [&] { return changes > 0; }));
}

TEST_F(Running, ChangesThatNeverEndDoNotHideOne) {
  const HostedSession client(u_, loop_, client_profile());
  int changes = 0;
  client->on_changed([&] { ++changes; });
  bool there = false;
  const auto tells_while_the_host_changes = [&] {
    u_.at([&](os::NetlinkSocket& netlink) {
      const unsigned index = os::get_link(netlink, "eth0").index;
      there ? os::remove_address(netlink, index, prefix("10.9.9.9/32"))
            : os::add_address(netlink, index, prefix("10.9.9.9/32"));
      there = !there;
    });
    return changes > 0;
  };
  u_.at([](os::NetlinkSocket& netlink) {
    os::set_link_up(netlink, os::get_link(netlink, "tun0").index, false);
  });
  EXPECT_TRUE(run_until(loop_, tells_while_the_host_changes));
  EXPECT_EQ(client->status().reason.code, "interface-down");
}

TEST_F(Running, NoticesThatAnAddressWasRemoved) {
  const HostedSession client(u_, loop_, client_profile());
  u_.at([](os::NetlinkSocket& netlink) {
    os::remove_address(netlink, os::get_link(netlink, "tun0").index, prefix("192.168.53.99/24"));
  });
  EXPECT_TRUE(reason_becomes(client, "address-missing"));
}

TEST_F(Running, NoticesThatARouteWasRemovedAndPutBack) {
  const HostedSession client(u_, loop_, client_profile());
  os::Route route;
  route.destination = prefix("192.168.60.0/24");
  u_.at([&](os::NetlinkSocket& netlink) {
    route.index = os::get_link(netlink, "tun0").index;
    os::remove_route(netlink, route);
  });
  EXPECT_TRUE(reason_becomes(client, "route-missing"));
  u_.at([&](os::NetlinkSocket& netlink) { os::add_route(netlink, route); });
  EXPECT_TRUE(reason_becomes(client, "no-traffic"));
}

TEST_F(Running, NoticesThatForwardingWasSwitchedOff) {
  auto profile = server_profile();
  profile.routing.forwarding = true;
  const HostedSession server(server_, loop_, profile);
  server_.at([](os::NetlinkSocket& netlink) {
    os::set_forwarding_v4(netlink, os::get_link(netlink, "tun0").index, false);
  });
  EXPECT_TRUE(reason_becomes(server, "forwarding-off"));
  EXPECT_FALSE(server->status().forwarding);
}

TEST_F(Running, NoticesThatTheEndpointIsRoutedIntoTheTunnel) {
  auto profile = client_profile();
  profile.routing.mode = config::RouteMode::kListed;
  profile.routing.routes = prefixes({"10.0.2.8/32"});
  const HostedSession client(u_, loop_, profile);
  EXPECT_EQ(client->status().reason.code, "endpoint-through-tunnel");
}

TEST_F(Running, BreaksOnceWhenTheInterfaceIsDeleted) {
  const HostedSession client(u_, loop_, client_profile());
  std::vector<std::string> errors;
  client->on_broken([&](const Error& error) { errors.emplace_back(error.what()); });
  u_.at([](os::NetlinkSocket& netlink) {
    os::delete_link(netlink, os::get_link(netlink, "tun0").index);
  });
  ASSERT_TRUE(run_until(loop_, [&] { return !errors.empty(); }));
  // Both the worker and the kernel's notice tell; once is enough.
  int turns = 0;
  EXPECT_TRUE(run_until(loop_, [&] { return ++turns > 20; }));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0], HasSubstr("tun0"));
}

TEST_F(Running, ACaptureGivesPcapngOfWhatPasses) {
  const HostedSession server(server_, loop_, server_profile());
  const HostedSession client(u_, loop_, client_profile());
  const UniqueFd reader = client->capture({});
  EXPECT_EQ(::fcntl(reader.get(), F_GETFL) & O_NONBLOCK, 0) << "its reader may wait for packets";
  pollfd waiting{reader.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&waiting, 1, 60'000), 1) << "its header says that it has begun";
  ASSERT_TRUE(u_.pings("192.168.53.98"));
  packet::PcapngReader stream;
  using Record = packet::PcapngReader::Record;
  // The first that says so. Others may come before it: the kernel itself speaks to its neighbours.
  const auto await = [&](const std::function<bool(const Record&, const std::string&)>& is_it) {
    std::array<std::uint8_t, 65536> buffer{};
    while (true) {
      while (auto record = stream.next())
        if (is_it(*record, packet::describe(record->bytes))) return record;
      const ssize_t length =
          ::poll(&waiting, 1, 60'000) > 0 ? ::read(reader.get(), buffer.data(), buffer.size()) : 0;
      if (length <= 0) return std::optional<Record>();
      stream.feed(std::span(buffer).first(static_cast<std::size_t>(length)));
    }
  };
  const auto inside = await([](const Record&, const std::string& said) {
    return said.find("192.168.53.99 --> 192.168.53.98") != std::string::npos;
  });
  ASSERT_TRUE(inside) << stream.error();
  EXPECT_THAT(inside->comment, testing::MatchesRegex("pair [0-9]+, peer server, out"));
  const auto outside = await(
      [&](const Record& each, const std::string&) { return each.comment == inside->comment; });
  ASSERT_TRUE(outside) << stream.error();
  // Our own outer address is told before the peer was ever heard.
  EXPECT_THAT(packet::describe(outside->bytes), HasSubstr("10.0.2.7:"));
  EXPECT_THAT(packet::describe(outside->bytes), HasSubstr("10.0.2.8:9090"));
}

TEST_F(Running, OnlySoManyCapturesRunAtOnce) {
  const HostedSession client(u_, loop_, client_profile());
  std::vector<UniqueFd> readers;
  for (int i = 0; i < 8; ++i) readers.push_back(client->capture({}));
  EXPECT_THROW((void)client->capture({}), Error);
  readers.pop_back();
  EXPECT_TRUE(run_until(loop_, [&] {
    try {
      readers.push_back(client->capture({}));
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
}

TEST_F(Running, ACaptureEndsWithTheSession) {
  UniqueFd reader;
  {
    const HostedSession client(u_, loop_, client_profile());
    reader = client->capture({});
  }
  std::array<char, 4096> buffer{};
  ssize_t length = 1;
  while (length > 0) length = ::read(reader.get(), buffer.data(), buffer.size());
  EXPECT_EQ(length, 0);
}

TEST_F(Running, AnInjectedPacketAppearsOnTheInterface) {
  const HostedSession client(u_, loop_, client_profile());
  auto watcher = u_.at([](os::NetlinkSocket& netlink) {
    return os::PacketSocket::open(os::get_link(netlink, "tun0").index);
  });
  const std::array<std::uint8_t, 5> evian{'e', 'v', 'i', 'a', 'n'};
  std::optional<int> outcome;
  client->inject(evian, [&](int error_number) { outcome = error_number; });
  EXPECT_FALSE(outcome) << "never from inside the call";
  ASSERT_TRUE(run_until(loop_, [&] { return outcome.has_value(); }));
  EXPECT_EQ(*outcome, 0);
  bool seen = false;
  EXPECT_TRUE(run_until(loop_, [&] {
    while (const auto packet = watcher.receive())
      seen = seen ||
             std::equal(packet->bytes.begin(), packet->bytes.end(), evian.begin(), evian.end());
    return seen;
  }));
}

TEST_F(Running, AnInjectedPacketTheKernelRefusesIsReported) {
  const HostedSession client(u_, loop_, client_profile());
  const std::array<std::uint8_t, 5> no_ip_version{0, 1, 2, 3, 4};
  std::optional<int> outcome;
  client->inject(no_ip_version, [&](int error_number) { outcome = error_number; });
  ASSERT_TRUE(run_until(loop_, [&] { return outcome.has_value(); }));
  EXPECT_NE(*outcome, 0);
}

TEST_F(Running, NothingEmptyOrOversizeCanBeInjected) {
  const HostedSession client(u_, loop_, client_profile());
  EXPECT_THROW(client->inject({}, [](int) {}), Error);
  const std::vector<std::uint8_t> large(65536);
  EXPECT_THROW(client->inject(large, [](int) {}), Error);
}

}  // namespace
}  // namespace vpntun::session
