#include "manager/process_launcher.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "world.h"

namespace vpntun::manager {
namespace {

class ProcessLauncherTest : public testing::Test {
 protected:
  ProcessLauncherTest() {
    ::setenv("STUB_GO", (folder / "go").c_str(), 1);
    ::setenv("STUB_TOLD", (folder / "told").c_str(), 1);
    options.program = STUB_SESSION;
    options.runtime_folder = folder / "run";
    make();
  }
  ~ProcessLauncherTest() override {
    for (const char* name : {"ready", "silent", "stubborn", "crashes", "leaves", "inherits",
                             "keeps", "forgets", "hoards", "pairs", "starves", "late"})
      stop(name);
  }

  void make() {
    launcher.reset();
    launcher.emplace(loop, options);
    launcher->set_died([this](const std::string& name, const LaunchOutcome& why) {
      died_name = name;
      died_why = why;
      died_at = BootClock::now();
    });
  }
  std::optional<LaunchOutcome> start(const std::string& name) {
    std::optional<LaunchOutcome> outcome;
    launcher->start(name, [&](const LaunchOutcome& told) { outcome = told; });
    EXPECT_FALSE(outcome) << "told from inside the call";
    EXPECT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
    return outcome;
  }
  // Until the stub has told something; the loop stands still meanwhile.
  void wait_told() {
    const Instant limit = BootClock::now() + std::chrono::minutes(1);
    while (told() < 0 && BootClock::now() < limit)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::optional<LaunchOutcome> stop(const std::string& name) {
    std::optional<LaunchOutcome> outcome;
    launcher->stop(name, [&](const LaunchOutcome& told) { outcome = told; });
    EXPECT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
    return outcome;
  }
  std::optional<LaunchOutcome> restart(const std::string& name) {
    std::optional<LaunchOutcome> outcome;
    launcher->restart(name, [&](const LaunchOutcome& told) { outcome = told; });
    EXPECT_FALSE(outcome) << "told from inside the call";
    EXPECT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
    return outcome;
  }
  // The number the stub told last.
  std::int64_t told() {
    std::int64_t number = -1;
    std::ifstream(folder / "told") >> number;
    return number;
  }
  void crash(const std::string& name) {
    go();
    EXPECT_TRUE(run_until(loop, [&] { return died_name == name; }));
    std::filesystem::remove(folder / "go");
  }
  void go() { folder.write("go", ""); }

  service::Loop loop;
  Folder folder;
  ProcessLauncher::Options options;
  std::optional<ProcessLauncher> launcher;
  std::optional<std::string> died_name;
  LaunchOutcome died_why;
  Instant died_at;
};

TEST_F(ProcessLauncherTest, StartEndsWithReadyAndStopWithTheProcess) {
  EXPECT_FALSE(*start("ready"));
  EXPECT_FALSE(*stop("ready"));
  EXPECT_FALSE(died_name);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
}

TEST_F(ProcessLauncherTest, AFailureHasTheKindOfItsStatusAndItsOwnWords) {
  const LaunchOutcome outcome = *start("fails");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, ErrorKind::kAddressInUse);
  EXPECT_EQ(outcome->text, "port taken");
}

TEST_F(ProcessLauncherTest, AnEndBeforeReadyIsAFailureWhateverTheStatus) {
  EXPECT_EQ((*start("quits"))->kind, ErrorKind::kLauncherFailed);
}

TEST_F(ProcessLauncherTest, ASessionInheritsNoDescriptors) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0) << "not closed on exec, as one the manager was started with";
  ::setenv("STUB_DESCRIPTOR", std::to_string(pipe[1]).c_str(), 1);
  EXPECT_TRUE(*start("inherits")) << "it has the descriptor";
  ::close(pipe[0]);
  ::close(pipe[1]);
}

// Not under the address and undefined-behaviour sanitizers: they need descriptors of their own.
#ifndef __SANITIZE_ADDRESS__
// Enough descriptors to make a process, and too few to watch it.
TEST_F(ProcessLauncherTest, AStartThatFailsHalfWayLeavesNoProcess) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int first_free = ::dup(STDIN_FILENO);
  ::close(first_free);
  const rlimit none_left{.rlim_cur = static_cast<rlim_t>(first_free) + 2,
                         .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none_left), 0);
  std::optional<LaunchOutcome> outcome;
  launcher->start("silent", [&](const LaunchOutcome& told) { outcome = told; });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
  EXPECT_TRUE(*outcome);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
}
#endif

TEST_F(ProcessLauncherTest, AProgramThatCannotBeRunIsAFailure) {
  options.program = "/nowhere/vpntund";
  make();
  const LaunchOutcome outcome = *start("ready");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, ErrorKind::kLauncherFailed);
  EXPECT_NE(outcome->text.find("/nowhere/vpntund"), std::string::npos);
}

TEST_F(ProcessLauncherTest, ASilentStartIsGivenUp) {
  options.start_timeout = std::chrono::milliseconds(100);
  make();
  EXPECT_EQ((*start("silent"))->kind, ErrorKind::kTimeout);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
}

TEST_F(ProcessLauncherTest, AStartThatIsGivenUpSaysWhatItWaitedFor) {
  options.start_timeout = std::chrono::seconds(1);
  make();
  std::optional<LaunchOutcome> outcome;
  launcher->start("waits", [&](const LaunchOutcome& told) { outcome = told; });
  wait_told();
  ASSERT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
  EXPECT_EQ((*outcome)->text, "it was not ready within 1 s; waiting");
}

// The loop finds two things to do, and what the session says comes while it does the first.
TEST_F(ProcessLauncherTest, WhoIsReadyIsNotGivenUpBecauseNobodyLooked) {
  options.start_timeout = std::chrono::milliseconds(10);
  make();
  std::optional<LaunchOutcome> outcome;
  launcher->start("late", [&](const LaunchOutcome& told) { outcome = told; });
  const service::EventSource busy = loop.add_timer(loop.now(), [this] {
    go();
    wait_told();
  });
  std::this_thread::sleep_for(2 * options.start_timeout);
  ASSERT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
  EXPECT_FALSE(*outcome) << (*outcome)->text;
}

TEST_F(ProcessLauncherTest, StopWhileStartingEndsBoth) {
  std::optional<LaunchOutcome> started;
  launcher->start("silent", [&](const LaunchOutcome& told) { started = told; });
  EXPECT_FALSE(*stop("silent"));
  ASSERT_TRUE(started);
  EXPECT_EQ((*started)->text, "stopped while starting");
}

TEST_F(ProcessLauncherTest, ASessionThatIgnoresSigtermIsKilled) {
  options.stop_timeout = std::chrono::milliseconds(100);
  make();
  EXPECT_FALSE(*start("stubborn"));
  EXPECT_FALSE(*stop("stubborn"));
}

TEST_F(ProcessLauncherTest, ADeathIsToldWithItsSignal) {
  EXPECT_FALSE(*start("crashes"));
  go();
  ASSERT_TRUE(run_until(loop, [&] { return died_name.has_value(); }));
  EXPECT_EQ(*died_name, "crashes");
  EXPECT_NE(died_why->text.find("signal 9"), std::string::npos);
}

TEST_F(ProcessLauncherTest, ACleanEndIsToldAsSuch) {
  EXPECT_FALSE(*start("leaves"));
  go();
  ASSERT_TRUE(run_until(loop, [&] { return died_name.has_value(); }));
  EXPECT_FALSE(died_why);
}

TEST_F(ProcessLauncherTest, ASecondStartOfTheSameIsRefused) {
  EXPECT_FALSE(*start("ready"));
  EXPECT_EQ((*start("ready"))->kind, ErrorKind::kInProgress);
}

TEST_F(ProcessLauncherTest, StopOfWhatDoesNotRunSucceeds) {
  EXPECT_FALSE(*stop("nothing"));
}

// Started by somebody else, as after a restart of the manager: twice forked, so that it is not our
// child.
TEST_F(ProcessLauncherTest, AnAdoptedSessionIsWatchedAndStopped) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const std::string notify = "NOTIFY_SOCKET=" + (folder / "run/notify");
  const std::string stub = STUB_SESSION;
  const pid_t parent = ::fork();
  if (parent == 0) {
    const pid_t session = ::fork();
    if (session == 0) {
      const char* environment[] = {notify.c_str(), nullptr};
      ::execle(stub.c_str(), "vpntund", "--session", "ready", nullptr, environment);
    }
    static_cast<void>(::write(pipe[1], &session, sizeof session));
    ::_exit(0);
  }
  pid_t session = -1;
  ASSERT_EQ(::read(pipe[0], &session, sizeof session), static_cast<ssize_t>(sizeof session));
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(launcher->adopt("ready", session));
  EXPECT_FALSE(*stop("ready"));
  EXPECT_FALSE(died_name);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(ProcessLauncherTest, AProcessThatIsGoneIsNotAdopted) {
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  EXPECT_FALSE(launcher->adopt("ready", gone));
  EXPECT_FALSE(*start("ready")) << "nothing is in the way";
}

TEST_F(ProcessLauncherTest, ARestartHandsOverWhatTheSessionStored) {
  EXPECT_FALSE(*start("keeps"));
  EXPECT_EQ(told(), 1);
  EXPECT_FALSE(*restart("keeps"));
  EXPECT_EQ(told(), 2);
  EXPECT_FALSE(*restart("keeps"));
  EXPECT_EQ(told(), 3);
  EXPECT_FALSE(died_name);
  EXPECT_FALSE(*stop("keeps"));
  EXPECT_FALSE(*start("keeps"));
  EXPECT_EQ(told(), 1) << "a stop drops it";
}

TEST_F(ProcessLauncherTest, ACrashedSessionKeepsWhatItStoredUntilItIsStopped) {
  EXPECT_FALSE(*start("keeps"));
  crash("keeps");
  EXPECT_FALSE(*start("keeps"));
  EXPECT_EQ(told(), 2);
  crash("keeps");
  EXPECT_FALSE(*stop("keeps"));
  EXPECT_FALSE(*start("keeps"));
  EXPECT_EQ(told(), 1);
}

TEST_F(ProcessLauncherTest, WhatWasTakenOutOfTheStoreIsGone) {
  EXPECT_FALSE(*start("forgets"));
  EXPECT_FALSE(*restart("forgets"));
  EXPECT_EQ(told(), 1);
}

TEST_F(ProcessLauncherTest, ASessionStoresOnlySoMuch) {
  EXPECT_FALSE(*start("hoards"));
  EXPECT_EQ(told(), 0);
  EXPECT_FALSE(*restart("hoards"));
  EXPECT_EQ(told(), static_cast<int>(kMaxStoredFds));
}

TEST_F(ProcessLauncherTest, AllOfANameAreHandedOverAndNoneTwice) {
  EXPECT_FALSE(*start("pairs"));
  EXPECT_EQ(told(), 0);
  for (int again = 0; again < 2; ++again) {
    EXPECT_FALSE(*restart("pairs"));
    EXPECT_EQ(told(), 2);
  }
}

TEST_F(ProcessLauncherTest, ARestartOfWhatDoesNotRunIsAStart) {
  EXPECT_FALSE(*restart("ready"));
  EXPECT_FALSE(*stop("ready"));
}

TEST_F(ProcessLauncherTest, ARestartEndsAStartUnderWay) {
  std::optional<LaunchOutcome> started;
  launcher->start("silent", [&](const LaunchOutcome& outcome) { started = outcome; });
  bool restarted = false;
  launcher->restart("silent", [&](const LaunchOutcome&) { restarted = true; });
  ASSERT_TRUE(run_until(loop, [&] { return started.has_value(); }));
  EXPECT_EQ((*started)->text, "stopped while starting");
  EXPECT_FALSE(restarted);
  EXPECT_FALSE(*stop("silent"));
  EXPECT_TRUE(restarted) << "that start ended too";
}

TEST_F(ProcessLauncherTest, AStopWhileRestartingWaitsForTheNextSessionAndEndsIt) {
  EXPECT_FALSE(*start("keeps"));
  std::optional<LaunchOutcome> restarted;
  launcher->restart("keeps", [&](const LaunchOutcome& outcome) { restarted = outcome; });
  EXPECT_FALSE(*stop("keeps"));
  ASSERT_TRUE(restarted);
  EXPECT_TRUE(*restarted) << "it did not come about";
  EXPECT_FALSE(died_name);
  EXPECT_FALSE(*start("keeps"));
  EXPECT_EQ(told(), 1) << "what was stored is gone";
}

TEST_F(ProcessLauncherTest, ASessionThatStarvesTheWatchdogIsKilled) {
  options.watchdog = std::chrono::seconds(2);
  make();
  EXPECT_FALSE(*start("starves"));
  const Instant later = BootClock::now() + options.watchdog * 3 / 2;
  EXPECT_TRUE(run_until(loop, [&] { return died_name || BootClock::now() > later; }));
  go();
  ASSERT_TRUE(run_until(loop, [&] { return died_name.has_value(); }));
  EXPECT_NE(died_why->text.find("watchdog"), std::string::npos);
  EXPECT_GE(died_at, Instant(std::chrono::milliseconds(told())) + options.watchdog);
}

// A message of another process, here of the test itself, is not the session's.
TEST_F(ProcessLauncherTest, OnlyTheSessionItselfCanSayReady) {
  bool told = false;
  launcher->start("silent", [&](const LaunchOutcome&) { told = true; });
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder / "run/notify";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(
      ::sendto(socket, "READY=1", 7, 0, reinterpret_cast<sockaddr*>(&address), sizeof address), 7);
  ::close(socket);
  int turns = 0;
  EXPECT_TRUE(run_until(loop, [&] { return ++turns > 20; }));
  EXPECT_FALSE(told);
  EXPECT_FALSE(*stop("silent"));
}

}  // namespace
}  // namespace vpntun::manager
