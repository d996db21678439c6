// What workers share, and the changes of it that are not seen from outside of a worker.
#include "dataplane/plane.h"

#include <gtest/gtest.h>

#include "simulated.h"

namespace vpntun::dataplane {
namespace {

void change(Plane& plane, Change wanted) {
  const Hold hold(plane.tables.mutex);
  plane.obey(wanted);
}

// Of one WireGuard peer, whose endpoint was configured.
class PlaneTest : public ::testing::Test {
 protected:
  PlaneTest() {
    PeerConfig peer = learned("right", {"10.1.0.2/32"});
    peer.endpoint = endpoint("10.0.2.8:9090");
    peer.keys.public_key = crypto::public_key_of(crypto::SecretKey::generate_private());
    const std::vector<PeerConfig> peers{peer};
    const std::vector records{std::make_shared<PeerRecord>()};
    change(plane, SetPrivateKey{crypto::SecretKey::generate_private()});
    change(plane, SetPeers{PeerTable(peers, records), {peer.keys}});
  }
  static WorkerOptions encrypted() {
    WorkerOptions options;
    options.encrypted = true;
    return options;
  }

  Plane plane{encrypted()};
};

TEST_F(PlaneTest, APeerHearsFromUsOverAnotherWayWhereverItHasGone) {
  packet::Packet datagram;
  datagram.remote = endpoint("10.0.3.8:9091");
  datagram.local = address("10.0.3.7");
  plane.tables.move_peer(0, datagram);
  change(plane, ChangeWay{0});
  packet::Batch own;
  plane.wireguard->poll(own);
  ASSERT_EQ(own.packets().size(), 1u);
  EXPECT_EQ(own.packets()[0].remote, datagram.remote);
  EXPECT_EQ(own.packets()[0].local, IpAddress{}) << "the kernel chooses from the way as it is now";
  change(plane, ChangeWay{1});  // gone meanwhile
}

}  // namespace
}  // namespace vpntun::dataplane
