// The WireGuard transport between two data planes whose ports are wired together.
#include "dataplane/wireguard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "packet/ip_view.h"
#include "simulated.h"

namespace vpntun::dataplane {
namespace {

using namespace std::chrono_literals;

constexpr auto kWall = [] { return std::chrono::nanoseconds(1'700'000'000'000'000'000); };

// One end of the tunnel: like a worker, without its thread.
struct End {
  explicit End(bool frames, Endpoint place)
      : at(place), tables(frames, false, CaptureSource{frames, place.port, place.address}, 42) {
    tables.now = Instant(1h);
    tables.mtu = 1420;
  }

  void know(const End& other, const std::vector<std::string>& allowed, bool with_endpoint) {
    PeerConfig peer = learned("other", allowed);
    if (with_endpoint) peer.endpoint = other.at;
    peer.keys.public_key = crypto::public_key_of(other.key);
    set_peers({peer});
  }
  void set_peers(const std::vector<PeerConfig>& peers) {
    std::vector<wg::PeerSettings> keys;
    std::vector<std::shared_ptr<PeerRecord>> records;
    for (const PeerConfig& peer : peers) {
      keys.push_back(peer.keys);
      records.push_back(std::make_shared<PeerRecord>());
    }
    transport.set_private_key(key);
    PeerTable wanted(peers, records);
    const std::vector<PeerIndex> places = wanted.places_of(tables.peers);
    tables.replace_peers(std::move(wanted), places);
    transport.set_peers(keys);
    run_protocol();
  }
  void run_protocol() {
    packet::Batch own;
    transport.poll(own);
    outside.send(own);
    for (PeerIndex peer = transport.next_released(); peer != kNoPeer;
         peer = transport.next_released())
      outbound.send_staged(peer, transport.take_staged(peer));
  }
  void send(const Bytes& packet) {
    inside.waiting.push_back(packet);
    outbound.run(1000);
    run_protocol();
  }
  std::uint64_t drops(DropReason reason) const { return tables.drops.packets(reason); }

  const crypto::SecretKey key = crypto::SecretKey::generate_private();
  Endpoint at;
  Tables tables;
  SimulatedInside inside;
  SimulatedOutside outside;
  Wireguard transport{tables, wg::Surroundings{&crypto::random_bytes, kWall}};
  Outbound outbound{tables, transport, inside, outside};
  Inbound inbound{tables, transport, inside, outside, outbound};
};

// Carries datagrams until none is on its way.
struct Wire {
  void run(End& a, End& b) {
    while (!a.outside.sent.empty() || !b.outside.sent.empty()) {
      carry(a, b);
      carry(b, a);
    }
  }
  void carry(End& from, End& to) {
    for (Datagram& datagram : from.outside.sent) {
      seen.push_back(datagram);
      to.outside.waiting.push_back(
          {datagram.bytes, from.at, to.at.address, false,
           mark ? static_cast<std::uint8_t>(datagram.traffic_class | 3) : datagram.traffic_class});
    }
    from.outside.sent.clear();
    to.inbound.run(1000);
    to.run_protocol();
  }
  std::vector<Datagram> seen;
  bool mark = false;  // "congestion experienced"
};

class WireguardTest : public ::testing::Test {
 protected:
  void meet(bool frames = false) {
    client.emplace(frames, endpoint("10.0.2.7:1000"));
    server.emplace(frames, endpoint("10.0.2.8:9090"));
    client->know(*server, {"192.168.0.0/16", "fd53::/64"}, true);
    server->know(*client, {"192.168.53.99/32", "fd53::99/128"}, false);
  }
  void run() { wire.run(*client, *server); }

  std::optional<End> client;
  std::optional<End> server;
  Wire wire;
};

// More of them than the memory for copies holds.
TEST_F(WireguardTest, ManyFloodedFramesWaitForASession) {
  meet(true);
  const Bytes broadcast = frame("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff",
                                ip_packet("192.168.53.99", "192.168.53.255", 1400));
  constexpr std::size_t kFrames = 400;
  for (std::size_t i = 0; i < kFrames; ++i) {
    client->inside.waiting.push_back(broadcast);
    client->outbound.run(1000);
  }
  EXPECT_EQ(client->drops(DropReason::kNoSession), kFrames - Staging::kMaxPackets);
  client->run_protocol();
  run();
  EXPECT_EQ(server->inside.written.size(), Staging::kMaxPackets);
}

TEST_F(WireguardTest, CarriesPacketsBothWaysAfterTheFirstHasWaitedForTheHandshake) {
  meet();
  const Bytes there = ip_packet("192.168.53.99", "192.168.53.98");
  const Bytes back = ip_packet("192.168.53.98", "192.168.53.99", 700);
  client->send(there);
  run();
  EXPECT_THAT(server->inside.written, ::testing::ElementsAre(there));
  server->send(back);
  run();
  EXPECT_THAT(client->inside.written, ::testing::ElementsAre(back));
  EXPECT_EQ(server->tables.peers[0].endpoint, client->at);
  EXPECT_NE(client->tables.peers[0].record->handshakes().last, Instant{});
}

// Another worker may be about to send what waits.
TEST_F(WireguardTest, APacketDoesNotGoBeforeThoseThatWaitedForTheSession) {
  meet();
  const Bytes first = ip_packet("192.168.53.99", "192.168.53.1", 100);
  const Bytes second = ip_packet("192.168.53.99", "192.168.53.1", 200);
  client->send(first);
  wire.carry(*client, *server);
  for (const Datagram& datagram : server->outside.sent)
    client->outside.waiting.push_back({datagram.bytes, server->at, client->at.address});
  server->outside.sent.clear();
  client->inbound.run(1000);  // the session is there
  client->inside.waiting.push_back(second);
  client->outbound.run(1000);
  client->run_protocol();
  run();
  EXPECT_EQ(server->inside.written, (std::vector<Bytes>{first, second}));
}

TEST_F(WireguardTest, CountsPacketsButBytesOfTheProtocolToo) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  run();
  const Traffic sent = client->tables.peers[0].record->traffic.read();
  EXPECT_EQ(sent.tx_packets, 1u);
  EXPECT_EQ(sent.rx_packets, 0u);  // the response carries nothing
  EXPECT_GE(sent.rx_bytes, wg::kResponseSize);
  const Traffic received = server->tables.peers[0].record->traffic.read();
  EXPECT_EQ(received.rx_packets, 1u);
  EXPECT_GT(received.rx_bytes, wg::kInitiationSize);
}

TEST_F(WireguardTest, ShowsNothingOfThePayloadOutside) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98", 64));  // of bytes 0x5a
  run();
  for (const Datagram& datagram : wire.seen) {
    const Bytes needle(16, 0x5a);
    EXPECT_EQ(
        std::search(datagram.bytes.begin(), datagram.bytes.end(), needle.begin(), needle.end()),
        datagram.bytes.end());
  }
  EXPECT_EQ(wire.seen.back().bytes.size() % 16, 0u);
}

TEST_F(WireguardTest, CutsThePaddingOffSoThatEverySizeArrivesAsItWas) {
  meet();
  for (std::size_t size = 0; size < 40; ++size) {
    const Bytes packet = ip_packet("192.168.53.99", "192.168.53.98", size);
    server->inside.written.clear();
    client->send(packet);
    run();
    EXPECT_THAT(server->inside.written, ::testing::ElementsAre(packet)) << size;
  }
}

TEST_F(WireguardTest, DropsAPacketWhoseSourceThePeerMayNotUse) {
  meet();
  client->send(ip_packet("10.99.0.1", "192.168.53.98"));
  run();
  EXPECT_TRUE(server->inside.written.empty());
  EXPECT_EQ(server->drops(DropReason::kSourceNotAllowed), 1u);
}

TEST_F(WireguardTest, MovesWithAPeerWhoseAddressChanges) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  run();
  client->at = endpoint("[2001:db8::7]:5000");
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  run();
  EXPECT_EQ(server->tables.peers[0].endpoint, client->at);
}

TEST_F(WireguardTest, RefusesReplayedAndForgedDatagramsWithACounterEach) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  run();
  Datagram data = wire.seen.back();
  ASSERT_EQ(wg::type_of(data.bytes), wg::MessageType::kData);
  const Endpoint attacker = endpoint("10.0.2.66:66");
  server->inside.written.clear();
  server->outside.waiting.push_back({data.bytes, attacker, server->at.address});
  server->inbound.run(10);
  data.bytes.back() ^= 1;
  data.bytes[8] = 200;  // another counter
  server->outside.waiting.push_back({data.bytes, attacker, server->at.address});
  server->inbound.run(10);
  EXPECT_TRUE(server->inside.written.empty());
  EXPECT_EQ(server->drops(DropReason::kReplayed), 1u);
  EXPECT_EQ(server->drops(DropReason::kNotAuthentic), 1u);
  EXPECT_EQ(server->tables.peers[0].endpoint, client->at);
}

TEST_F(WireguardTest, ForgetsAPeerThatIsRemoved) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  run();
  server->inside.written.clear();
  server->set_peers({});
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  run();
  EXPECT_TRUE(server->inside.written.empty());
  EXPECT_EQ(server->drops(DropReason::kUnknownSession), 1u);
}

TEST_F(WireguardTest, CarriesCongestionInAndOut) {
  meet();
  Bytes packet = ip_packet("192.168.53.99", "192.168.53.98");
  packet[1] = 2;  // ECT(0)
  packet[10] = packet[11] = 0;
  client->send(packet);
  run();
  EXPECT_EQ(wire.seen.back().traffic_class, 2);
  wire.mark = true;
  client->send(packet);
  run();
  ASSERT_EQ(server->inside.written.size(), 2u);
  EXPECT_EQ(packet::IpView::parse(server->inside.written[0])->traffic_class(), 2);
  EXPECT_EQ(packet::IpView::parse(server->inside.written[1])->traffic_class(), 3);
}

TEST_F(WireguardTest, MarksHandshakesAsTheKernelDoes) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  run();
  EXPECT_EQ(wire.seen[0].traffic_class, 0x88);
  EXPECT_EQ(wire.seen[1].traffic_class, 0x88);
}

TEST_F(WireguardTest, CountsWhatWaitedInVain) {
  meet();
  for (int i = 0; i < 3; ++i) client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  for (int second = 0; second < 120; ++second) {
    client->tables.now += 1s;
    client->run_protocol();
    client->outside.sent.clear();
  }
  EXPECT_EQ(client->drops(DropReason::kNoSession), 3u);
  EXPECT_GT(client->tables.peers[0].record->handshakes().attempts, 10u);
}

TEST_F(WireguardTest, CountsWhatWaitedForAPeerThatIsRemoved) {
  meet();
  for (int i = 0; i < 3; ++i) client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  EXPECT_EQ(client->drops(DropReason::kNoSession), 0u);
  client->set_peers({});
  EXPECT_EQ(client->drops(DropReason::kNoSession), 3u);
}

TEST_F(WireguardTest, AHandshakeEndsAlsoWhenEndpointsTakeTurns) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  std::set<std::string> tried;
  for (int second = 1; second <= 120; ++second) {
    client->tables.now += 1s;
    if (second % 5 == 4 && client->tables.peers[0].record->handshakes().under_way) {
      client->tables.peers.move(0, endpoint(second % 2 == 0 ? "10.0.2.9:1" : "10.0.2.10:2"), {});
      client->transport.moved(0, true);
    }
    client->run_protocol();
    for (const Datagram& datagram : client->outside.sent) tried.insert(datagram.remote.to_string());
    client->outside.sent.clear();
  }
  EXPECT_EQ(tried, (std::set<std::string>{server->at.to_string(), "10.0.2.9:1", "10.0.2.10:2"}));
  EXPECT_FALSE(client->tables.peers[0].record->handshakes().under_way);
  EXPECT_EQ(client->drops(DropReason::kNoSession), 1u);
}

TEST_F(WireguardTest, WhatGoesUnansweredIsTriedFromAnotherAddress) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  run();
  client->tables.now += wg::kRejectAfterTime;
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  ASSERT_EQ(client->outside.sent.size(), 1u);
  EXPECT_EQ(client->outside.sent[0].local, client->at.address);
  client->tables.now += wg::kRekeyTimeout + 1s;
  client->run_protocol();
  ASSERT_EQ(client->outside.sent.size(), 2u);
  EXPECT_EQ(client->outside.sent[1].remote, server->at);
  EXPECT_TRUE(client->outside.sent[1].local.is_unspecified());
}

TEST_F(WireguardTest, ACookieLeavesFromWhereTheInitiationWent) {
  meet();
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  const Bytes initiation = client->outside.sent.at(0).bytes;
  std::optional<Datagram> cookie;
  for (int i = 0; i < 1000 && !cookie; ++i) {
    server->outside.waiting.push_back({initiation, client->at, address("10.0.9.9")});
    server->inbound.run(1000);
    server->run_protocol();
    for (const Datagram& sent : server->outside.sent)
      if (wg::type_of(sent.bytes) == wg::MessageType::kCookieReply) cookie = sent;
  }
  ASSERT_TRUE(cookie);
  EXPECT_EQ(cookie->remote, client->at);
  EXPECT_EQ(cookie->local, address("10.0.9.9"));
}

TEST_F(WireguardTest, AFirstEndpointIsTriedAtOnce) {
  client.emplace(false, endpoint("10.0.2.7:1000"));
  server.emplace(false, endpoint("10.0.2.8:9090"));
  client->know(*server, {"0.0.0.0/0"}, false);
  client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  EXPECT_EQ(client->outside.sent.size(), 0u);
  client->tables.now += 1s;
  client->tables.peers.move(0, server->at, {});
  client->transport.moved(0, false);
  client->run_protocol();
  EXPECT_EQ(client->outside.sent.size(), 1u);
}

TEST_F(WireguardTest, CountsWhatCanNeverGoToAPeerWithOurOwnKey) {
  meet();
  PeerConfig self = learned("self", {"192.168.0.0/16"});
  self.endpoint = server->at;
  self.keys.public_key = crypto::public_key_of(client->key);
  client->set_peers({self});
  for (int i = 0; i < 3; ++i) client->send(ip_packet("192.168.53.99", "192.168.53.98"));
  EXPECT_EQ(client->drops(DropReason::kNoSession), 3u);
  EXPECT_TRUE(client->transport.take_staged(0).empty());
}

TEST_F(WireguardTest, CarriesFramesBetweenItsOwnEnds) {
  meet(true);
  const Bytes there = frame("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff");
  client->send(there);
  run();
  ASSERT_EQ(server->inside.written.size(), 1u);
  EXPECT_EQ(server->inside.written[0], there) << "without padding: it is an IP packet";
  const Bytes back = frame("02:00:00:00:00:02", "02:00:00:00:00:01");
  server->send(back);
  run();
  ASSERT_EQ(client->inside.written.size(), 1u);
}

TEST_F(WireguardTest, ASealedFrameThatIsNotSentIsNotReadAsAFrame) {
  meet(true);
  client->send(frame("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"));
  run();
  client->outside.refuse = true;
  client->send(frame("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"));
  const std::vector<Drop> drops = client->tables.drops.read(true);
  ASSERT_EQ(drops.size(), 1u);
  EXPECT_EQ(drops[0].reason, DropReason::kSendRefused);
  EXPECT_EQ(drops[0].last, "112 bytes to 10.0.2.8:9090");
}

}  // namespace
}  // namespace vpntun::dataplane
