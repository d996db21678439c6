#include "bus/authority.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
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
      EXPECT_TRUE(action_of(interface, (*at)[1].str())) << interface << "." << (*at)[1].str();
    }
  }
  EXPECT_GE(methods, 13);
}

TEST(Authority, WhatChangesSomethingIsNotForEverybody) {
  for (const char* method : {"Start", "Stop", "Restart"}) {
    EXPECT_EQ(action_of("org.vpntun1.Manager", method), Action::kManage);
    EXPECT_EQ(action_of("org.vpntun1.Tunnel", method), Action::kManage);
  }
  EXPECT_EQ(action_of("org.vpntun1.Diagnostics", "Capture"), Action::kCapture);
  EXPECT_EQ(action_of("org.vpntun1.Diagnostics", "Inject"), Action::kCapture);
  EXPECT_EQ(action_of("org.vpntun1.Manager", "Destroy"), std::nullopt);
}

}  // namespace
}  // namespace vpntun::bus
