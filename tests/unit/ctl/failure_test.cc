#include <gtest/gtest.h>

#include "ctl/client.h"
#include "dbus/error_names.h"

namespace vpntun::ctl {
namespace {

TEST(Failure, HasTheExitCodeOfItsErrorName) {
  for (const dbus::ErrorName& entry : dbus::kErrorNames) {
    const Failure failure = failure_of(entry.name, "because", "start", "lab");
    EXPECT_EQ(failure.exit_code(), entry.exit_code) << entry.name;
    EXPECT_EQ(failure.kind(), entry.kind);
    EXPECT_STREQ(failure.what(), "cannot start lab: because");
  }
}

TEST(Failure, OfAnAbsentDaemonSaysHowToStartIt) {
  for (const char* name :
       {"ServiceUnknown", "NameHasNoOwner", "NoReply", "NoServer", "Spawn.ChildExited"}) {
    const Failure failure =
        failure_of(std::string("org.freedesktop.DBus.Error.") + name, "nobody", "start", "lab");
    EXPECT_EQ(failure.exit_code(), 8) << name;
    EXPECT_NE(failure.advice().find("systemctl start vpntund"), std::string::npos);
    EXPECT_NE(failure.advice().find("vpnctl lab env"), std::string::npos);
  }
}

TEST(Failure, OfTheBusItself) {
  EXPECT_EQ(failure_of("org.freedesktop.DBus.Error.Timeout", "", "start", "lab").exit_code(), 7);
  EXPECT_EQ(
      failure_of("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "", "start", "lab")
          .exit_code(),
      5);
  EXPECT_EQ(failure_of("org.example.Unheard", "x", "start", "lab").exit_code(), 1);
}

TEST(Failure, NamesWhatMayHelp) {
  EXPECT_NE(failure_of("org.freedesktop.DBus.Error.AccessDenied", "", "start", "lab")
                .advice()
                .find("sudo vpnctl start lab"),
            std::string::npos);
  EXPECT_NE(failure_of("org.freedesktop.DBus.Error.AccessDenied", "", "capture", "lab")
                .advice()
                .find("sudo vpnctl capture lab"),
            std::string::npos);
  EXPECT_NE(
      failure_of("org.vpntun1.Error.AddressInUse", "", "start", "lab").advice().find("ss -lunp"),
      std::string::npos);
  EXPECT_NE(failure_of("org.vpntun1.Error.InvalidProfile", "", "start", "lab")
                .advice()
                .find("vpnctl check lab"),
            std::string::npos);
  EXPECT_NE(failure_of("org.vpntun1.Error.NotRunning", "", "capture", "lab")
                .advice()
                .find("vpnctl start lab"),
            std::string::npos);
}

TEST(Failure, OfAQuestionNamesNoTunnelAndNoCommandThatDoesNotExist) {
  for (const dbus::ErrorName& entry : dbus::kErrorNames) {
    const Failure failure = failure_of(entry.name, "because", "ask for the status", "");
    EXPECT_STREQ(failure.what(), "cannot ask for the status: because");
    EXPECT_EQ(failure.advice().find("vpnctl"), std::string::npos) << failure.advice();
  }
  EXPECT_NE(failure_of("org.freedesktop.DBus.Error.AccessDenied", "", "ask for the status", "")
                .advice()
                .find("org.vpntun1.conf"),
            std::string::npos);
}

TEST(Failure, NamesTheTunnelOnce) {
  EXPECT_STREQ(failure_of("org.vpntun1.Error.Failed", "tunnel lab: no room", "stop", "lab").what(),
               "cannot stop lab: no room");
}

TEST(Failure, EscapesTheMessage) {
  EXPECT_STREQ(failure_of("org.vpntun1.Error.Failed", "a\x1b[2J", "stop", "lab").what(),
               "cannot stop lab: a\\x1b[2J");
}

TEST(Failure, OfAnUnknownTunnelAsksWhatWasMeant) {
  const Failure failure = no_such_tunnel("start", "lba", {"lab", "office"});
  EXPECT_EQ(failure.exit_code(), 4);
  EXPECT_EQ(failure.advice(), "Did you mean \"lab\"? All tunnels: vpnctl list");
  EXPECT_EQ(no_such_tunnel("start", "home", {"lab"}).advice(), "All tunnels: vpnctl list");
}

}  // namespace
}  // namespace vpntun::ctl
