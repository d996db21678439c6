#include "manager/manager.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "world.h"

namespace vpntun::manager {
namespace {

// The outcome of one call.
struct Call {
  bool ended = false;
  std::optional<Error> error;
  Manager::Done done() {
    return [this](const std::optional<Error>& outcome) {
      EXPECT_FALSE(ended) << "told twice";
      ended = true;
      error = outcome;
    };
  }
  bool succeeded() const { return ended && !error; }
  bool failed_with(ErrorKind kind) const { return ended && error && error->kind() == kind; }
};

template <typename Call>
std::optional<ErrorKind> kind_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  return std::nullopt;
}

class ManagerTest : public testing::Test {
 protected:
  ManagerTest() {
    folder.write("lab.toml", profile_text("Lab"));
    catalogue.emplace(loop, std::vector{folder.path()});
    manager.emplace(loop, *catalogue, launcher);
    manager->observe({
        .appeared = [this](const Tunnel& tunnel) { told.push_back("+" + tunnel.name()); },
        .changed =
            [this](const Tunnel& tunnel, Lifecycle before) {
              if (before != tunnel.state()) told.emplace_back(to_string(tunnel.state()));
            },
        .vanished = [this](const std::string& name) { told.push_back("-" + name); },
    });
  }

  Lifecycle state() const { return manager->tunnel("lab").state(); }
  static SessionFacts facts(std::uint32_t pid = 7) {
    SessionFacts facts;
    facts.pid = pid;
    facts.interface = "tun0";
    return facts;
  }
  void bring_up() {
    Call call;
    manager->start("lab", call.done());
    manager->session_found("lab", 7);
    manager->session_appeared("lab", facts());
    launcher.started("lab");
    ASSERT_TRUE(call.succeeded());
  }

  service::Loop loop;
  Folder folder;
  FakeLauncher launcher;
  std::optional<Catalogue> catalogue;
  std::optional<Manager> manager;
  std::vector<std::string> told;
};

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
