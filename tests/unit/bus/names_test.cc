#include "dbus/names.h"

#include <gtest/gtest.h>

namespace vpntun::dbus {
namespace {

TEST(Names, AreEscapedAsSystemdDoes) {
  EXPECT_EQ(escape_label("lab"), "lab");
  EXPECT_EQ(escape_label("lab-server"), "lab_2dserver");
  EXPECT_EQ(escape_label("4b"), "_34b");
  EXPECT_EQ(escape_label("a4"), "a4");
  EXPECT_EQ(escape_label("a_b.c"), "a_5fb_2ec");
  EXPECT_EQ(escape_label(""), "_");
  EXPECT_EQ(escape_label("\xc3\xa4"), "_c3_a4");
  EXPECT_EQ(tunnel_path("lab-server"), "/org/vpntun1/tunnel/lab_2dserver");
}

TEST(Names, ComeBackFromTheirLabels) {
  for (const char* name : {"lab", "lab-server", "4b", "a_b.c", "", "_", "\xc3\xa4", "..", "a4"})
    EXPECT_EQ(unescape_label(escape_label(name)), name);
}

TEST(Names, ALabelThatIsNotOursHasNoName) {
  for (const char* label : {"4b", "_zz", "_4", "a_", "a-b", "_61", "_2D", ""})
    EXPECT_FALSE(unescape_label(label)) << label;
}

// D-Bus: at most 255 bytes, and no element begins with a digit.
TEST(Names, TheLongestTunnelNameFitsABusName) {
  EXPECT_LE(session_bus_name(std::string(64, '-')).size(), 255U);
  EXPECT_EQ(session_bus_name("4"), "org.vpntun1.session._34");
}

TEST(Names, ASessionsBusNameKeepsADash) {
  EXPECT_EQ(session_bus_name("lab-server"), "org.vpntun1.session.lab-server");
  EXPECT_EQ(session_bus_name("4.b-c_d"), "org.vpntun1.session._34_2eb-c_5fd");
  for (const char* name : {"lab", "lab-server", "4b", "a_b.c", "-"})
    EXPECT_EQ(tunnel_of_session(session_bus_name(name)), name);
  for (const char* name : {"org.vpntun1", "org.vpntun1.session.lab_2dserver",
                           "org.vpntun1.session.4b", "org.vpntun1.session.lab.x"})
    EXPECT_FALSE(tunnel_of_session(name)) << name;
}

TEST(Names, AUnitsInstanceIsTheTunnel) {
  EXPECT_EQ(unit_name("lab-server"), "vpntund@lab-server.service");
}

}  // namespace
}  // namespace vpntun::dbus
