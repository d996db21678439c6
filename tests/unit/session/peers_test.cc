// The turns of listed endpoints; what names do is in peer_name_test.cc.
#include "session/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "values.h"

namespace vpntun::session {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant kStart{100000s};

class PeersTest : public testing::Test {
 protected:
  static config::Profile profile() {
    config::Profile profile;
    profile.encryption = config::Encryption::kWireguard;
    config::Peer peer;
    peer.name = "server";
    for (const char* host : {"10.0.2.66", "10.0.2.8"})
      peer.endpoints.push_back({host, 9090, address(host)});
    profile.peers.push_back(peer);
    return profile;
  }

  // A look at a peer with so many handshakes since the last that succeeded.
  void look(Duration after, unsigned attempts, bool under_way = true, Instant last = {}) {
    dataplane::Snapshot snapshot;
    snapshot.peers.resize(1);
    snapshot.peers[0].handshakes.attempts = attempts;
    snapshot.peers[0].handshakes.under_way = under_way;
    snapshot.peers[0].handshakes.last = last;
    peers_.advance(snapshot, kStart + after);
  }

  service::Loop loop_;
  std::vector<Endpoint> used_;
  Peers peers_{profile(),
               loop_,
               {},
               [](const std::string&, std::uint16_t) { return NameAnswer{}; },
               [this](std::size_t, const std::optional<Endpoint>& endpoint) {
                 used_.push_back(endpoint.value());
               }};
};

TEST_F(PeersTest, ItIsTheNextEndpointsTurnBeforeAHandshakeIsRepeated) {
  for (const Duration after : {0ms, 1000ms, 2000ms, 3000ms}) look(after, 1);
  EXPECT_THAT(used_, IsEmpty());
  look(4000ms, 1);
  EXPECT_THAT(used_, ElementsAre(endpoint("10.0.2.8:9090")));
  look(4900ms, 1);
  look(5100ms, 2);
  look(8000ms, 2);
  EXPECT_EQ(used_.size(), 1u);
  look(9000ms, 2);
  EXPECT_THAT(used_, ElementsAre(endpoint("10.0.2.8:9090"), endpoint("10.0.2.66:9090")));
}

TEST_F(PeersTest, OneLostMessageTakesNoSessionAwayFromWhereItWorks) {
  const Instant last = kStart - 120s;
  for (const Duration after : {0ms, 2000ms, 4000ms, 5000ms}) look(after, 1, true, last);
  EXPECT_THAT(used_, IsEmpty());
  look(5100ms, 2, true, last);
  look(9200ms, 2, true, last);
  EXPECT_THAT(used_, ElementsAre(endpoint("10.0.2.8:9090")));
}

TEST_F(PeersTest, AnEndpointThatAnswersStaysInUse) {
  look(0s, 1);
  for (const Duration after : {1s, 5s, 60s}) look(after, 0, false);
  EXPECT_THAT(used_, IsEmpty());
}

TEST_F(PeersTest, NoEndpointHasATurnWhenHandshakesWereGivenUp) {
  look(0s, 1);
  for (const Duration after : {4s, 10s, 60s}) look(after, 1, false);
  EXPECT_THAT(used_, IsEmpty());
}

}  // namespace
}  // namespace vpntun::session
