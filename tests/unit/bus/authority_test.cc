#include "bus/authority.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>

namespace vpntun::bus {
namespace {

// A method that is added to an interface has to be decided on, or nobody may call it.
TEST(Authority, EveryMethodOfEveryInterfaceIsInTheTable) {
  int methods = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DBUS_FOLDER)) {
    if (entry.path().extension() != ".xml") continue;
    std::ifstream file(entry.path());
    const std::string xml{std::istreambuf_iterator<char>(file), {}};
    const std::string interface = entry.path().stem().string();
    const std::regex method("<method name=\"([A-Za-z]+)\"");
    for (std::sregex_iterator at(xml.begin(), xml.end(), method), end; at != end; ++at) {
      ++methods;
      EXPECT_TRUE(asked_of(interface, (*at)[1].str())) << interface << "." << (*at)[1].str();
    }
  }
  EXPECT_GE(methods, 14);
}

TEST(Authority, WhatChangesSomethingIsNotForEverybody) {
  for (const char* interface : {"org.vpntun1.Manager", "org.vpntun1.Tunnel"}) {
    EXPECT_EQ(asked_of(interface, "Start"), (Asked{Action::kManage, "start"}));
    EXPECT_EQ(asked_of(interface, "Stop"), (Asked{Action::kManage, "stop"}));
    EXPECT_EQ(asked_of(interface, "Restart"), (Asked{Action::kManage, "restart"}));
    EXPECT_EQ(asked_of(interface, "Reload"), (Asked{Action::kManage, "reload"}));
  }
  EXPECT_EQ(asked_of("org.vpntun1.Session", "Reload"), (Asked{Action::kManage, "reload"}));
  EXPECT_EQ(asked_of("org.vpntun1.Diagnostics", "Capture"), (Asked{Action::kCapture, "capture"}));
  EXPECT_EQ(asked_of("org.vpntun1.Diagnostics", "Inject"), (Asked{Action::kCapture, "inject"}));
  EXPECT_EQ(asked_of("org.vpntun1.Diagnostics", "CaptureWithSecrets"),
            (Asked{Action::kCaptureSecrets, "capture-with-secrets"}));
  EXPECT_EQ(asked_of("org.vpntun1.Manager", "Destroy"), std::nullopt);
}

// polkit denies an action that it does not know.
TEST(Authority, EveryActionIsInThePolicyAndNoOther) {
  std::ifstream file(std::string(DBUS_FOLDER) + "/org.vpntun1.policy");
  const std::string policy{std::istreambuf_iterator<char>(file), {}};
  const std::regex action("<action id=\"([a-z0-9.-]+)\"");
  std::set<std::string> written;
  for (std::sregex_iterator at(policy.begin(), policy.end(), action), end; at != end; ++at)
    written.insert((*at)[1].str());
  std::set<std::string> asked;
  for (const Action each : {Action::kInspect, Action::kInspectDetails, Action::kManage,
                            Action::kManageUser, Action::kCapture, Action::kCaptureSecrets})
    asked.insert(std::string(name_of(each)));
  EXPECT_EQ(written, asked);
}

TEST(TrustedUsers, AreRootAndOurOwn) {
  const TrustedUsers trusted;
  EXPECT_TRUE(trusted.contains(0));
  EXPECT_TRUE(trusted.contains(::geteuid()));
  EXPECT_FALSE(trusted.contains(65534));
}

}  // namespace
}  // namespace vpntun::bus
