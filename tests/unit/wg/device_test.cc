// Device: what a handshake and a session do when all goes well.
#include "wg/device.h"

#include <gtest/gtest.h>

#include "two_devices.h"

namespace vpntun::wg {
namespace {

TEST(Device, PayloadsPassBothWaysAfterAHandshake) {
  TwoDevices wire;
  EXPECT_FALSE(wire.say(wire.a, "first"));
  wire.settle();
  EXPECT_TRUE(wire.say(wire.a, "from a"));
  EXPECT_TRUE(wire.say(wire.b, "from b"));
  EXPECT_EQ(wire.b.heard, std::vector<std::string>{"from a"});
  EXPECT_EQ(wire.a.heard, std::vector<std::string>{"from b"});
  EXPECT_EQ(wire.a.events, std::vector{EventKind::kKeypairReady});
  EXPECT_EQ(wire.b.events, std::vector{EventKind::kKeypairReady});
}

}  // namespace
}  // namespace vpntun::wg
