// The manager under test with its world, and calls to it. Used by the files manager_*test.cc.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "manager/manager.h"
#include "world.h"

namespace vpntun::manager {

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

// The kind of the Error that it throws; none when it throws none.
template <typename Action>
std::optional<ErrorKind> kind_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  return std::nullopt;
}

// A manager that knows the profile lab, and what it told of its tunnels.
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

}  // namespace vpntun::manager
