#include "dbus/names.h"

#include <gtest/gtest.h>

#include "bus/unit_name.h"

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

TEST(Names, UnitsAreEscapedAsSystemdEscapeDoes) {
  EXPECT_EQ(bus::unit_name("lab"), "vpntund@lab.service");
  EXPECT_EQ(bus::unit_name("lab-server"), "vpntund@lab\\x2dserver.service");
  EXPECT_EQ(bus::unit_name("a.b_c"), "vpntund@a.b_c.service");
  EXPECT_EQ(bus::unit_name(".a"), "vpntund@\\x2ea.service");
}

}  // namespace
}  // namespace vpntun::dbus
