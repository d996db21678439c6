#include "session/status.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

namespace vpntun::session {
namespace {

Status with_peers(Health health, std::vector<std::uint64_t> last_received_usec) {
  Status status;
  status.interface = "tun0";
  status.health = health;
  for (const std::uint64_t last : last_received_usec)
    status.peers.emplace_back().last_received_usec = last;
  return status;
}

TEST(Summary, CountsThePeersThatWereHeard) {
  EXPECT_EQ(summary(with_peers(Health::kHealthy, {1'700'000'000'000'000})),
            "tun0: healthy, 1 of 1 peers heard");
  EXPECT_EQ(summary(with_peers(Health::kUnknown, {0, 0})), "tun0: unknown, 0 of 2 peers heard");
}

Status encrypted(std::initializer_list<std::pair<PeerState, std::uint64_t>> peers) {
  Status status;
  status.interface = "wg0";
  status.health = Health::kHealthy;
  status.encryption = config::Encryption::kWireguard;
  for (const auto& [state, last] : peers) {
    PeerStatus& peer = status.peers.emplace_back();
    peer.state = state;
    peer.latest_handshake_usec = last;
  }
  return status;
}

TEST(Summary, CountsTheFreshPeersOfAnEncryptedTunnel) {
  EXPECT_EQ(summary(encrypted({{PeerState::kFresh, 5}, {PeerState::kStale, 3}, {}})),
            "wg0: healthy, 1/3 peers fresh");
  EXPECT_EQ(summary(encrypted({{}})), "wg0: healthy, 0/1 peers fresh");
}

TEST(Summary, SaysWhenTheLastHandshakeWasWhereNobodyIsFresh) {
  EXPECT_EQ(summary(encrypted({{PeerState::kStale, 1'000'000'000'000'000},
                               {PeerState::kConnecting, 999'999'999'000'000}})),
            "wg0: healthy, 0/2 peers fresh, last handshake 2001-09-09 01:46:40 UTC");
}

TEST(PeerStatus, HasAStateOnlyWithWireguard) {
  PeerStatus peer;
  EXPECT_EQ(state_word(peer), "");
  peer.public_key = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
  EXPECT_EQ(state_word(peer), "never");
  peer.state = PeerState::kFresh;
  EXPECT_EQ(state_word(peer), "fresh");
}

TEST(Summary, SaysWhatIsWrong) {
  Status status = with_peers(Health::kDegraded, {1, 0});
  status.reason = {.code = "address-missing", .text = "an address is missing"};
  EXPECT_EQ(summary(status), "tun0: degraded: an address is missing");
}

}  // namespace
}  // namespace vpntun::session
