#include "manager/tunnel.h"

#include <gtest/gtest.h>

namespace vpntun::manager {
namespace {

TEST(Tunnel, ReasonCodesAreTheErrorNamesInKebabCase) {
  EXPECT_EQ(reason_code(ErrorKind::kAddressInUse), "address-in-use");
  EXPECT_EQ(reason_code(ErrorKind::kFailed), "failed");
  EXPECT_EQ(reason_code(ErrorKind::kAccessDenied), "access-denied");
}

TEST(Tunnel, RefusesAMoveThatTheStateMachineDoesNotHave) {
  Tunnel tunnel("lab", "");
  EXPECT_THROW(tunnel.transition(Lifecycle::kStopping), Error);
  EXPECT_EQ(tunnel.state(), Lifecycle::kStopped);
}

TEST(Tunnel, HealthAndInterfaceAreTheSessionsAndOnlyWhileItRuns) {
  Tunnel tunnel("lab", "");
  SessionFacts facts;
  facts.interface = "tun0";
  facts.health = Health::kDegraded;
  facts.reason = {.code = "no-reply", .text = "silence"};
  tunnel.transition(Lifecycle::kStarting);
  tunnel.set_session(facts);
  EXPECT_EQ(tunnel.health(), Health::kUnknown);
  EXPECT_EQ(tunnel.interface(), "");
  tunnel.transition(Lifecycle::kRunning);
  EXPECT_EQ(tunnel.health(), Health::kDegraded);
  EXPECT_EQ(tunnel.reason().code, "no-reply");
  EXPECT_EQ(tunnel.interface(), "tun0");
}

TEST(Tunnel, IsStaleWhenTheFileIsNotWhatRuns) {
  Tunnel tunnel("lab", "");
  ProfileEntry entry;
  entry.path = "/etc/vpntund/lab.toml";
  entry.time_usec = 5;
  SessionFacts facts;
  facts.profile_path = entry.path;
  facts.profile_time_usec = 5;
  tunnel.set_profile(entry);
  tunnel.set_session(facts);
  EXPECT_FALSE(tunnel.is_stale()) << "nothing runs";
  tunnel.transition(Lifecycle::kRunning);
  EXPECT_FALSE(tunnel.is_stale());
  entry.time_usec = 6;
  tunnel.set_profile(entry);
  EXPECT_TRUE(tunnel.is_stale());
  tunnel.set_profile(std::nullopt);
  EXPECT_TRUE(tunnel.is_stale());
}

}  // namespace
}  // namespace vpntun::manager
