// What is asked of the manager: start, stop, restart, reload.
#include "manager/manager.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "manager_fixture.h"

namespace vpntun::manager {
namespace {

TEST_F(ManagerTest, AnUnknownTunnelIsAnError) {
  EXPECT_THROW(static_cast<void>(manager->tunnel("x")), Error);
  EXPECT_THROW(manager->start("x", {}), Error);
  EXPECT_THROW(manager->stop("x", {}), Error);
  EXPECT_THROW(manager->restart("x", {}), Error);
}

TEST_F(ManagerTest, StartEndsWhenLauncherAndSessionBothSaidSo) {
  Call call;
  manager->start("lab", call.done());
  EXPECT_EQ(state(), Lifecycle::kStarting);
  launcher.started("lab");
  EXPECT_FALSE(call.ended) << "the session has not told its interface";
  manager->session_found("lab", 7);
  manager->session_appeared("lab", facts());
  EXPECT_TRUE(call.succeeded());
  EXPECT_EQ(manager->tunnel("lab").interface(), "tun0");
  EXPECT_EQ(told, (std::vector<std::string>{"+lab", "starting", "running"}));
}

TEST_F(ManagerTest, ASessionThatNeverTellsIsRunningAfterAWhile) {
  Call call;
  manager->start("lab", call.done());
  launcher.started("lab");
  EXPECT_TRUE(run_until(loop, [&] { return call.succeeded(); }));
  EXPECT_EQ(state(), Lifecycle::kRunning);
}

TEST_F(ManagerTest, SeveralStartsShareOneOutcome) {
  Call first;
  Call second;
  manager->start("lab", first.done());
  manager->start("lab", second.done());
  launcher.started("lab", LaunchFailure{ErrorKind::kAddressInUse, "port 9090 is taken"});
  EXPECT_TRUE(first.failed_with(ErrorKind::kAddressInUse));
  EXPECT_TRUE(second.failed_with(ErrorKind::kAddressInUse));
  EXPECT_EQ(state(), Lifecycle::kFailed);
  EXPECT_EQ(manager->tunnel("lab").reason().code, "address-in-use");
  EXPECT_EQ(manager->tunnel("lab").reason().text, "port 9090 is taken");
}

TEST_F(ManagerTest, StartOfARunningAndStopOfAStoppedTunnelSucceedAtOnce) {
  Call stop;
  manager->stop("lab", stop.done());
  EXPECT_TRUE(stop.succeeded());
  bring_up();
  Call start;
  manager->start("lab", start.done());
  EXPECT_TRUE(start.succeeded());
  EXPECT_FALSE(launcher.starting["lab"]);
}

TEST_F(ManagerTest, StopWhileStartingFailsTheStart) {
  Call start;
  Call stop;
  manager->start("lab", start.done());
  manager->stop("lab", stop.done());
  EXPECT_EQ(state(), Lifecycle::kStopping);
  launcher.stopped("lab");
  EXPECT_TRUE(start.failed_with(ErrorKind::kFailed));
  EXPECT_TRUE(stop.succeeded());
  EXPECT_EQ(state(), Lifecycle::kStopped);
}

TEST_F(ManagerTest, StopBetweenReadyAndTheSessionsWordFailsTheStart) {
  Call start;
  Call stop;
  manager->start("lab", start.done());
  launcher.started("lab");
  manager->stop("lab", stop.done());
  EXPECT_TRUE(start.failed_with(ErrorKind::kFailed));
  manager->session_appeared("lab", facts());
  EXPECT_EQ(state(), Lifecycle::kStopping);
  launcher.stopped("lab");
  EXPECT_TRUE(stop.succeeded());
  EXPECT_FALSE(manager->tunnel("lab").session());
}

TEST_F(ManagerTest, StartAndRestartWhileStoppingAreRefused) {
  bring_up();
  Call stop;
  Call other;
  manager->stop("lab", stop.done());
  EXPECT_THROW(manager->start("lab", {}), Error);
  EXPECT_THROW(manager->restart("lab", {}), Error);
  manager->stop("lab", other.done());
  launcher.stopped("lab");
  EXPECT_TRUE(stop.succeeded() && other.succeeded());
}

TEST_F(ManagerTest, AStopThatFailsLeavesWhatIsTrue) {
  bring_up();
  Call stop;
  manager->stop("lab", stop.done());
  launcher.stopped("lab", LaunchFailure{ErrorKind::kLauncherFailed, "systemd says no"});
  EXPECT_TRUE(stop.failed_with(ErrorKind::kLauncherFailed));
  EXPECT_EQ(state(), Lifecycle::kRunning) << "its session is still there";
  EXPECT_EQ(manager->tunnel("lab").interface(), "tun0");
  Call again;
  manager->stop("lab", again.done());
  manager->session_vanished("lab");
  launcher.stopped("lab", LaunchFailure{ErrorKind::kTimeout, "it took too long"});
  EXPECT_EQ(state(), Lifecycle::kFailed);
  EXPECT_EQ(manager->tunnel("lab").reason().text, "it took too long");
}

TEST_F(ManagerTest, RestartReplacesTheSession) {
  bring_up();
  told.clear();
  Call call;
  manager->restart("lab", call.done());
  EXPECT_EQ(state(), Lifecycle::kStarting);
  manager->session_vanished("lab");
  manager->session_found("lab", 8);
  manager->session_appeared("lab", facts(8));
  launcher.started("lab");
  EXPECT_TRUE(call.succeeded());
  EXPECT_EQ(manager->tunnel("lab").session()->pid, 8U);
  EXPECT_EQ(told, (std::vector<std::string>{"starting", "running"}));
}

// The launcher may be faster than the bus.
TEST_F(ManagerTest, ARestartIsDoneWhenTheNewSessionSaidSoNotTheOld) {
  bring_up();
  Call call;
  manager->restart("lab", call.done());
  launcher.started("lab");
  EXPECT_FALSE(call.ended);
  manager->session_vanished("lab");
  manager->session_found("lab", 8);
  manager->session_appeared("lab", facts(8));
  EXPECT_TRUE(call.succeeded());
}

TEST_F(ManagerTest, ARestartThatIsRefusedLeavesTheOldSessionRunning) {
  bring_up();
  Call call;
  manager->restart("lab", call.done());
  launcher.started("lab", LaunchFailure{ErrorKind::kLauncherFailed, "systemd says no"});
  EXPECT_TRUE(call.failed_with(ErrorKind::kLauncherFailed));
  EXPECT_EQ(state(), Lifecycle::kRunning);
}

TEST_F(ManagerTest, ARestartWhoseNewSessionFailsIsFailed) {
  bring_up();
  Call call;
  manager->restart("lab", call.done());
  manager->session_vanished("lab");
  launcher.started("lab", LaunchFailure{ErrorKind::kAddressInUse, "port 9090 is taken"});
  EXPECT_TRUE(call.failed_with(ErrorKind::kAddressInUse));
  EXPECT_EQ(state(), Lifecycle::kFailed);
}

TEST_F(ManagerTest, ARestartWhileStartingEndsThatStart) {
  Call start;
  Call restart;
  manager->start("lab", start.done());
  manager->restart("lab", restart.done());
  EXPECT_TRUE(start.failed_with(ErrorKind::kFailed));
  EXPECT_EQ(state(), Lifecycle::kStarting);
  EXPECT_THROW(manager->restart("lab", {}), Error) << "one is under way";
  manager->session_found("lab", 8);
  manager->session_appeared("lab", facts(8));
  launcher.started("lab");
  EXPECT_TRUE(restart.succeeded());
}

TEST_F(ManagerTest, RestartOfAStoppedTunnelStartsIt) {
  Call call;
  manager->restart("lab", call.done());
  EXPECT_EQ(state(), Lifecycle::kStarting);
}

TEST_F(ManagerTest, StopDuringARestartEndsTheRestart) {
  bring_up();
  Call restart;
  Call stop;
  manager->restart("lab", restart.done());
  manager->stop("lab", stop.done());
  launcher.stopped("lab");
  EXPECT_TRUE(restart.failed_with(ErrorKind::kFailed));
  EXPECT_TRUE(stop.succeeded());
  EXPECT_EQ(state(), Lifecycle::kStopped);
}

TEST_F(ManagerTest, AnInvalidProfileIsRefusedBeforeAnythingIsStartedOrStopped) {
  bring_up();
  folder.write("lab.toml", "nonsense");
  EXPECT_THROW(manager->restart("lab", {}), Error);
  EXPECT_EQ(state(), Lifecycle::kRunning);
  Call stop;
  manager->stop("lab", stop.done());
  launcher.stopped("lab");
  try {
    manager->start("lab", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidProfile);
    EXPECT_NE(std::string(error.what()).find("vpnctl check lab"), std::string::npos);
  }
  EXPECT_EQ(state(), Lifecycle::kStopped);
}

TEST_F(ManagerTest, AReloadShowsUntilItsEnd) {
  bring_up();
  manager->begin_reload("lab");
  EXPECT_EQ(state(), Lifecycle::kReloading);
  EXPECT_EQ(kind_of([&] { manager->begin_reload("lab"); }), ErrorKind::kInProgress);
  manager->end_reload("lab");
  EXPECT_EQ(state(), Lifecycle::kRunning);
}

TEST_F(ManagerTest, OnlyARunningTunnelIsReloaded) {
  EXPECT_EQ(kind_of([&] { manager->begin_reload("lab"); }), ErrorKind::kNotRunning);
  EXPECT_EQ(kind_of([&] { manager->begin_reload("nobody"); }), ErrorKind::kNoSuchTunnel);
  Call start;
  manager->start("lab", start.done());
  EXPECT_EQ(kind_of([&] { manager->begin_reload("lab"); }), ErrorKind::kInProgress);
}

TEST_F(ManagerTest, ASessionThatDiesWhileReloadingHasFailed) {
  bring_up();
  manager->begin_reload("lab");
  launcher.died("lab", LaunchFailure{ErrorKind::kLauncherFailed, "killed"});
  manager->end_reload("lab");
  EXPECT_EQ(state(), Lifecycle::kFailed);
}

TEST_F(ManagerTest, AReloadedProfileIsNotStale) {
  bring_up();
  folder.write("lab.toml", profile_text("another text"));
  manager->begin_reload("lab");
  EXPECT_TRUE(manager->tunnel("lab").is_stale());
  SessionFacts said = manager->tunnel("lab").session().value();
  said.profile_time_usec = manager->tunnel("lab").profile()->time_usec;
  said.profile_path = manager->tunnel("lab").profile()->path;
  manager->session_changed("lab", said);
  manager->end_reload("lab");
  EXPECT_FALSE(manager->tunnel("lab").is_stale());
}

}  // namespace
}  // namespace vpntun::manager
