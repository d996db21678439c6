#include "bus/systemd_launcher.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace vpntun::bus {
namespace {

Dictionary service(const std::string& result, std::int32_t code, std::int32_t status,
                   const std::string& text = "") {
  return {{"Result", sdbus::Variant(result)},
          {"ExecMainCode", sdbus::Variant(code)},
          {"ExecMainStatus", sdbus::Variant(status)},
          {"StatusText", sdbus::Variant(text)}};
}

constexpr std::int32_t kExited = 1;
constexpr std::int32_t kKilled = 2;

TEST(SystemdLauncher, ASessionsStatusAndWordsAreTheReason) {
  const auto outcome = outcome_of_unit(service("exit-code", kExited, 72, "UDP port 9090 is taken"));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, ErrorKind::kAddressInUse);
  EXPECT_EQ(outcome->text, "UDP port 9090 is taken");
}

TEST(SystemdLauncher, AUnitThatIsStartedAgainSaysSo) {
  Dictionary properties = service("exit-code", kExited, 64, "no such device");
  EXPECT_FALSE(outcome_of_unit(properties)->again);
  properties["SubState"] = sdbus::Variant(std::string("auto-restart"));
  EXPECT_TRUE(outcome_of_unit(properties)->again);
  EXPECT_EQ(outcome_of_unit(properties)->text, "no such device");
}

TEST(SystemdLauncher, ACleanEndIsNoFailure) {
  EXPECT_FALSE(outcome_of_unit(service("success", kExited, 0)));
}

TEST(SystemdLauncher, WhatIsNotASessionsOwnStatusIsTheLaunchers) {
  EXPECT_EQ(outcome_of_unit(service("exit-code", kExited, 203))->kind, ErrorKind::kLauncherFailed);
  EXPECT_EQ(outcome_of_unit(service("signal", kKilled, 9, "up on tun0"))->kind,
            ErrorKind::kLauncherFailed);
  EXPECT_NE(outcome_of_unit(service("signal", kKilled, 9, "up on tun0"))->text, "up on tun0");
  EXPECT_EQ(outcome_of_unit(service("timeout", kKilled, 15))->kind, ErrorKind::kTimeout);
  EXPECT_EQ(outcome_of_unit(service("timeout", kKilled, 15, "no peer was heard yet"))->text,
            "systemd: it took too long; no peer was heard yet");
  EXPECT_EQ(outcome_of_unit({})->kind, ErrorKind::kLauncherFailed);
}

}  // namespace
}  // namespace vpntun::bus
