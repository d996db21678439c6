// What the manager follows, because it did not bring it about: sessions that end, wait or say how
// they are, what others start and stop, profiles that vanish.
#include "manager/manager.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "manager_fixture.h"

namespace vpntun::manager {
namespace {

TEST_F(ManagerTest, ADeathIsFailedWithItsReasonAndACleanEndIsStopped) {
  bring_up();
  launcher.died("lab", LaunchFailure{ErrorKind::kLauncherFailed, "killed by signal 9"});
  EXPECT_EQ(state(), Lifecycle::kFailed);
  EXPECT_EQ(manager->tunnel("lab").reason().text, "killed by signal 9");
  manager->session_vanished("lab");
  EXPECT_EQ(manager->tunnel("lab").reason().text, "killed by signal 9");
  bring_up();
  launcher.died("lab", std::nullopt);
  EXPECT_EQ(state(), Lifecycle::kStopped);
}

// systemd starts it again after a while: Restart=on-failure.
TEST_F(ManagerTest, AnEndAfterWhichItIsStartedAgainIsStartingWithTheReason) {
  bring_up();
  launcher.died("lab", LaunchFailure{ErrorKind::kLauncherFailed, "killed by signal 9", true});
  EXPECT_EQ(state(), Lifecycle::kStarting);
  EXPECT_EQ(manager->tunnel("lab").reason().text, "killed by signal 9");
  launcher.died("lab", LaunchFailure{ErrorKind::kAddressInUse, "port 9090 is taken", true});
  EXPECT_EQ(manager->tunnel("lab").reason().text, "port 9090 is taken");
  manager->session_found("lab", 8);
  manager->session_appeared("lab", facts(8));
  EXPECT_EQ(state(), Lifecycle::kRunning);
  EXPECT_EQ(manager->tunnel("lab").reason().text, "");
  launcher.died("lab", LaunchFailure{ErrorKind::kLauncherFailed, "again", true});
  launcher.died("lab", LaunchFailure{ErrorKind::kLauncherFailed, "for good"});
  EXPECT_EQ(state(), Lifecycle::kFailed);
  EXPECT_EQ(manager->tunnel("lab").reason().text, "for good");
}

TEST_F(ManagerTest, AStartThatFailsAndIsTriedAgainFailsForItsCaller) {
  Call start;
  manager->start("lab", start.done());
  launcher.started("lab", LaunchFailure{ErrorKind::kFailed, "no such device", true});
  EXPECT_TRUE(start.failed_with(ErrorKind::kFailed));
  EXPECT_EQ(state(), Lifecycle::kStarting);
  EXPECT_EQ(manager->tunnel("lab").reason().text, "no such device");
}

TEST_F(ManagerTest, WhatSomebodyElseDoesIsFollowed) {
  told.clear();
  launcher.changing("lab", Lifecycle::kStarting);
  Call start;
  manager->start("lab", start.done());
  EXPECT_FALSE(launcher.starting["lab"]) << "it is being started";
  manager->session_found("lab", 7);
  manager->session_appeared("lab", facts());
  EXPECT_TRUE(start.succeeded());
  launcher.changing("lab", Lifecycle::kStarting);  // late
  EXPECT_EQ(state(), Lifecycle::kRunning);
  launcher.changing("lab", Lifecycle::kStopping);
  manager->session_vanished("lab");
  launcher.changing("lab", Lifecycle::kStarting);
  manager->session_found("lab", 8);
  manager->session_appeared("lab", facts(8));
  launcher.changing("lab", Lifecycle::kStopping);
  launcher.died("lab", std::nullopt);
  launcher.died("lab", std::nullopt);
  EXPECT_EQ(told, (std::vector<std::string>{"starting", "running", "stopping", "starting",
                                            "running", "stopping", "stopped"}));
}

TEST_F(ManagerTest, AStopWhileSomebodyElseStopsWaitsForTheEnd) {
  bring_up();
  launcher.changing("lab", Lifecycle::kStopping);
  Call stop;
  manager->stop("lab", stop.done());
  EXPECT_FALSE(stop.ended);
  launcher.died("lab", std::nullopt);
  launcher.stopped("lab");
  EXPECT_TRUE(stop.succeeded());
  EXPECT_EQ(state(), Lifecycle::kStopped);
}

TEST_F(ManagerTest, WhatSomebodyElseStartedInVainIsFailedUntilItIsForgotten) {
  launcher.died("lab", LaunchFailure{ErrorKind::kInvalidProfile, "no address"});
  EXPECT_EQ(state(), Lifecycle::kFailed);
  EXPECT_EQ(manager->tunnel("lab").reason().code, "invalid-profile");
  launcher.died("lab", std::nullopt);
  EXPECT_EQ(state(), Lifecycle::kStopped);
  launcher.died("lab", LaunchFailure{ErrorKind::kInvalidProfile, "no address"});
  Call stop;
  manager->stop("lab", stop.done());
  EXPECT_EQ(state(), Lifecycle::kFailed);
  launcher.stopped("lab");
  EXPECT_TRUE(stop.succeeded());
  EXPECT_EQ(state(), Lifecycle::kStopped);
}

TEST_F(ManagerTest, WhatSomebodyElseDoesWhileWeDoTheSameIsNotToldTwice) {
  told.clear();
  Call start;
  manager->start("lab", start.done());
  launcher.changing("lab", Lifecycle::kStarting);
  launcher.died("lab", LaunchFailure{ErrorKind::kFailed, "the launcher will say so itself"});
  EXPECT_EQ(state(), Lifecycle::kStarting);
  EXPECT_EQ(told, (std::vector<std::string>{"starting"}));
}

TEST_F(ManagerTest, ASessionThatLeavesTheBusAndNobodyKnowsWhyIsFailed) {
  bring_up();
  manager->session_vanished("lab");
  EXPECT_EQ(state(), Lifecycle::kRunning) << "the launcher may know more";
  EXPECT_TRUE(run_until(loop, [&] { return state() == Lifecycle::kFailed; }));
}

TEST_F(ManagerTest, ASessionThatIsReplacedBySomebodyElseGoesOnRunning) {
  bring_up();
  manager->session_vanished("lab");
  manager->session_found("lab", 8);
  manager->session_appeared("lab", facts());
  bool waited = false;
  const service::EventSource later =
      loop.add_timer(loop.now() + std::chrono::milliseconds(2500), [&waited] { waited = true; });
  EXPECT_TRUE(run_until(loop, [&] { return waited || state() != Lifecycle::kRunning; }));
  EXPECT_EQ(state(), Lifecycle::kRunning);
}

TEST_F(ManagerTest, ASessionFoundOnTheBusIsAdopted) {
  manager->session_found("lab", 42);
  EXPECT_EQ(state(), Lifecycle::kStarting);
  EXPECT_EQ(launcher.adopted["lab"], 42);
  Call start;
  manager->start("lab", start.done());
  EXPECT_FALSE(launcher.starting["lab"]) << "there is one already";
  manager->session_appeared("lab", facts());
  EXPECT_TRUE(start.succeeded());
  EXPECT_EQ(state(), Lifecycle::kRunning);
}

TEST_F(ManagerTest, AStartThatFindsAnotherSessionUpSucceeds) {
  Call start;
  manager->start("lab", start.done());
  manager->session_found("lab", 42);
  manager->session_appeared("lab", facts());
  launcher.started("lab", LaunchFailure{ErrorKind::kInProgress, "runs already"});
  EXPECT_TRUE(start.succeeded());
  EXPECT_EQ(state(), Lifecycle::kRunning);
}

TEST_F(ManagerTest, AStartThatFindsAnotherSessionWaitsForItsWord) {
  Call start;
  manager->start("lab", start.done());
  launcher.started("lab", LaunchFailure{ErrorKind::kInProgress, "runs already"});
  EXPECT_FALSE(start.ended);
  manager->session_found("lab", 42);
  manager->session_appeared("lab", facts());
  EXPECT_TRUE(start.succeeded());
  EXPECT_EQ(state(), Lifecycle::kRunning);
}

TEST_F(ManagerTest, AStartThatFindsAnotherSessionThatStaysSilentFails) {
  Call start;
  manager->start("lab", start.done());
  launcher.started("lab", LaunchFailure{ErrorKind::kInProgress, "runs already"});
  EXPECT_TRUE(run_until(loop, [&] { return start.failed_with(ErrorKind::kInProgress); }));
  EXPECT_EQ(state(), Lifecycle::kFailed);
}

// The bus may tell of a session only after its end was seen.
TEST_F(ManagerTest, ASessionFoundAfterItsEndChangesNothing) {
  Call start;
  manager->start("lab", start.done());
  launcher.started("lab", LaunchFailure{ErrorKind::kRouteConflict, "there is that route"});
  manager->session_found("lab", FakeLauncher::kGone);
  manager->session_found("ghost", FakeLauncher::kGone);
  EXPECT_EQ(state(), Lifecycle::kFailed);
  EXPECT_EQ(manager->tunnel("lab").reason().text, "there is that route");
  EXPECT_EQ(manager->tunnels().count("ghost"), 0U);
}

TEST_F(ManagerTest, ASessionWithoutProfileIsListedUntilItEnds) {
  manager->session_found("ghost", 42);
  manager->session_appeared("ghost", facts());
  EXPECT_EQ(manager->tunnel("ghost").state(), Lifecycle::kRunning);
  EXPECT_TRUE(manager->tunnel("ghost").is_stale());
  launcher.died("ghost", std::nullopt);
  EXPECT_EQ(manager->tunnels().count("ghost"), 0U);
  EXPECT_EQ(told.back(), "-ghost");
}

TEST_F(ManagerTest, AProfileThatVanishesWhileRunningStaysUntilStopped) {
  bring_up();
  std::filesystem::remove(folder / "lab.toml");
  catalogue->refresh();
  EXPECT_EQ(state(), Lifecycle::kRunning);
  Call stop;
  manager->stop("lab", stop.done());
  launcher.stopped("lab");
  EXPECT_TRUE(stop.succeeded());
  EXPECT_TRUE(manager->tunnels().empty());
}

TEST_F(ManagerTest, ASessionThatWaitsForItsPeerIsStartingUntilItSaysReady) {
  SessionFacts waiting = facts();
  waiting.ready = false;
  manager->session_found("lab", 42);
  manager->session_appeared("lab", waiting);
  EXPECT_EQ(state(), Lifecycle::kStarting);
  Call start;
  manager->start("lab", start.done());
  EXPECT_FALSE(start.ended);
  waiting.ready = true;
  manager->session_changed("lab", waiting);
  EXPECT_TRUE(start.succeeded());
  EXPECT_EQ(state(), Lifecycle::kRunning);
}

TEST_F(ManagerTest, HealthIsTheSessionsLastWord) {
  bring_up();
  SessionFacts said = manager->tunnel("lab").session().value();
  said.health = Health::kFailing;
  said.reason = {.code = "no-reply", .text = "silence"};
  manager->session_changed("lab", said);
  EXPECT_EQ(manager->tunnel("lab").health(), Health::kFailing);
  manager->session_changed("nobody", said);
  launcher.died("lab", std::nullopt);
  EXPECT_EQ(manager->tunnel("lab").health(), Health::kUnknown);
}

}  // namespace
}  // namespace vpntun::manager
