// What the tests of this room share: a folder of their own, a loop that runs until something is so,
// and a launcher that does nothing until the test says what happened.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/time.h"
#include "manager/launcher.h"
#include "service/loop.h"

namespace vpntun::manager {

class Folder {
 public:
  Folder() {
    std::string pattern = "/tmp/vpntun-test-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // In place at once.
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/new") << text;
    std::filesystem::rename(path_ + "/new", path_ + "/" + name);
  }

 private:
  std::string path_;
};

inline std::string profile_text(const std::string& description = "") {
  return "version = 1\ndescription = \"" + description +
         "\"\n[tunnel]\nencryption = \"none\"\n[interface]\naddress = \"192.168.53.99/24\"\n"
         "[[peer]]\nname = \"server\"\nendpoint = \"10.0.2.8:9090\"\nallowed-ips = "
         "[\"192.168.60.0/24\"]\n";
}

// Runs the loop until the condition holds; false when it does not within a minute.
inline bool run_until(service::Loop& loop, const std::function<bool()>& condition) {
  const Instant deadline = BootClock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (BootClock::now() > deadline) return false;
    const service::EventSource turn =
        loop.add_timer(BootClock::now() + std::chrono::milliseconds(2), [&loop] { loop.exit(0); });
    loop.run();
  }
  return true;
}

class FakeLauncher final : public Launcher {
 public:
  std::string_view name() const noexcept override { return "fake"; }
  std::string unit_of(const std::string& tunnel) const override { return tunnel + ".service"; }
  void set_died(Died died) override { died_ = std::move(died); }
  void set_changing(const Changing& changing) override { changing_ = changing; }
  void start(const std::string& tunnel, Done done) override { starting[tunnel] = std::move(done); }
  void stop(const std::string& tunnel, Done done) override { stopping[tunnel] = std::move(done); }
  void restart(const std::string& tunnel, Done done) override {
    if (starting[tunnel])
      started(tunnel, LaunchFailure{ErrorKind::kFailed, "stopped while starting"});
    starting[tunnel] = std::move(done);
  }
  bool adopt(const std::string& tunnel, int pid) override {
    if (pid == kGone) return false;
    adopted[tunnel] = pid;
    return true;
  }

  void started(const std::string& tunnel, LaunchOutcome outcome = {}) {
    std::exchange(starting[tunnel], {})(std::move(outcome));
  }
  void stopped(const std::string& tunnel, LaunchOutcome outcome = {}) {
    if (starting[tunnel])
      started(tunnel, LaunchFailure{ErrorKind::kFailed, "stopped while starting"});
    std::exchange(stopping[tunnel], {})(std::move(outcome));
  }
  void died(const std::string& tunnel, LaunchOutcome why) { died_(tunnel, std::move(why)); }

  void changing(const std::string& tunnel, Lifecycle state) { changing_(tunnel, state); }

  static constexpr int kGone = 99;  // no such process

  std::map<std::string, Done> starting;
  std::map<std::string, Done> stopping;
  std::map<std::string, int> adopted;

 private:
  Died died_;
  Changing changing_;
};

}  // namespace vpntun::manager
