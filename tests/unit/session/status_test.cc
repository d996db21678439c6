#include "session/status.h"

#include <gtest/gtest.h>

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

TEST(Summary, SaysWhatIsWrong) {
  Status status = with_peers(Health::kDegraded, {1, 0});
  status.reason = {.code = "address-missing", .text = "an address is missing"};
  EXPECT_EQ(summary(status), "tun0: degraded: an address is missing");
}

}  // namespace
}  // namespace vpntun::session
