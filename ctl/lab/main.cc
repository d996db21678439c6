// vpntun-lab, the program behind `vpnctl lab`: argv, one function per verb, nothing else.
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "ctl/lab/enter.h"
#include "ctl/lab/folder.h"
#include "ctl/lab/lab.h"
#include "ctl/lab/run.h"
#include "ctl/lab/show.h"
#include "ctl/lab/topology.h"

namespace vpntun::lab {
namespace {

const std::map<std::string, Host> kHostNames = {
    {"u", Host::kU}, {"server", Host::kServer}, {"v", Host::kV}};

LabState require_running(const Folder& folder) {
  if (const auto state = folder.running()) return *state;
  throw Error(ErrorKind::kNotRunning, "no lab is up: vpnctl lab up");
}

int up(const Folder& folder, Bus bus) {
  start_lab(folder, bus).let_stay();
  const LabState state = require_running(folder);
  fmt::print(
      "{}\nThe lab is up. vpnctl finds its manager with\n  export DBUS_SYSTEM_BUS_ADDRESS={}\n",
      picture(), state.bus);
  return 0;
}

int down(const Folder& folder, bool quiet) {
  const bool was_up = stop_lab(folder);
  if (!quiet) fmt::print("{}\n", was_up ? "The lab is down." : "No lab was up.");
  return 0;
}

int print_environment(const Folder& folder) {
  fmt::print("export DBUS_SYSTEM_BUS_ADDRESS='{}'\n", require_running(folder).bus);
  return 0;
}

int exec(const Folder& folder, const std::string& host, const std::vector<std::string>& command) {
  const LabState state = require_running(folder);
  return run_inside(state, [&]() -> int {
    exec_on_host(kHostNames.at(host), command, lab_environment(folder, state, host));
  });
}

// The prompt says on which host one is; the rest of the user's own bash stays.
int shell(const Folder& folder, const std::string& host) {
  require_running(folder);
  const char* chosen = std::getenv("SHELL");
  const std::string program = chosen != nullptr && *chosen != '\0' ? chosen : "/bin/sh";
  const std::string prompt = fmt::format("[lab: {}] \\w\\$ ", host);
  std::vector<std::string> command = {program};
  if (program.ends_with("/bash")) {
    const std::string start = fmt::format("{}/bashrc-{}", folder.path(), host);
    write_file(start, fmt::format("[ -r ~/.bashrc ] && . ~/.bashrc\nPS1='{}'\n", prompt));
    command = {program, "--rcfile", start};
  }
  ::setenv("PS1",
           program.ends_with("/bash") ? prompt.c_str() : fmt::format("[lab: {}] $ ", host).c_str(),
           1);
  return exec(folder, host, command);
}

// What is wrong with the command line, and where the right way is told.
std::string usage_mistake(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> verb = app.get_subcommands();
  if (!verb.empty())
    return fmt::format("{}\n  See: vpnctl lab {} --help", error.what(), verb.front()->get_name());
  const std::vector<std::string> unknown = app.remaining();
  return (unknown.empty() ? std::string("a verb is missing")
                          : fmt::format("there is no verb \"{}\"", unknown.front())) +
         "\n  All verbs: vpnctl lab --help";
}

struct Arguments {
  std::string folder;
  std::string bus = "private";
  bool quiet = false;
  std::string host;
  RunOptions run;
};

int run(int argc, char** argv) {
  CLI::App app{"The VPN tunnelling lab: three hosts on this machine, and its tasks", "vpnctl lab"};
  app.require_subcommand(1);
  Arguments chosen;
  int code = 0;
  const Folder folder;

  CLI::App* up_verb = app.add_subcommand("up", "build the hosts, start bus and manager");
  up_verb->add_option("--bus", chosen.bus, "which bus the manager is on")
      ->check(CLI::IsMember({"private", "system"}));
  up_verb->callback(
      [&] { code = up(folder, chosen.bus == "system" ? Bus::kSystem : Bus::kPrivate); });
  CLI::App* down_verb = app.add_subcommand("down", "take everything down");
  down_verb->add_flag("--quiet", chosen.quiet, "say nothing");
  down_verb->callback([&] { code = down(folder, chosen.quiet); });
  app.add_subcommand("env", "how vpnctl finds the lab's manager, for eval")->callback([&] {
    code = print_environment(folder);
  });
  app.add_subcommand("status", "hosts, addresses, tunnels")->callback([&] {
    code = show_status(folder);
  });

  const auto add_host = [&](CLI::App* verb) {
    verb->add_option("host", chosen.host, "u, server or v")
        ->required()
        ->transform(CLI::IsMember(kHostNames, CLI::ignore_case));
  };
  CLI::App* exec_verb = app.add_subcommand("exec", "run a command on a host");
  add_host(exec_verb);
  exec_verb->prefix_command();
  exec_verb->footer("Everything after HOST is the command and its arguments.");
  exec_verb->callback([&] {
    if (exec_verb->remaining().empty()) throw CLI::RequiredError("command");
    code = exec(folder, chosen.host, exec_verb->remaining());
  });
  app.add_subcommand("list", "the tasks")->callback([&] { code = list_tasks(); });
  CLI::App* run_verb = app.add_subcommand("run", "perform a task and check what must be seen");
  run_verb
      ->add_option("task", chosen.run.which,
                   "1 2a 2b 2c 2d 3 4 5 6 7 8 9, or all of these; encrypt")
      ->required();
  run_verb->add_flag("--step", chosen.run.task.step, "wait for Enter before each step");
  run_verb->add_flag("--keep", chosen.run.keep, "leave the lab up, as the task left it");
  run_verb->add_option("--out", chosen.run.out, "leave trace.pcapng and story.md in this folder");
  run_verb->add_option("--client", chosen.run.task.client,
                       "task 5: your program on U instead of ours");
  run_verb->add_option("--server", chosen.run.task.server, "task 5: your program on the server");
  run_verb->callback([&] { code = run_tasks(folder, chosen.run); });
  CLI::App* shell_verb = app.add_subcommand("shell", "a shell on a host");
  add_host(shell_verb);
  shell_verb->callback([&] { code = shell(folder, chosen.host); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    fmt::print(stderr, "vpnctl lab: {}\n", usage_mistake(app, error));
    return 2;
  }
  return code;
}

int exit_code_for(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kNotRunning:
      return 3;
    case ErrorKind::kInvalidArguments:
      return 2;
    case ErrorKind::kAccessDenied:
      return 5;
    default:
      return 1;
  }
}

}  // namespace
}  // namespace vpntun::lab

int main(int argc, char** argv) {
  ::signal(SIGCHLD, SIG_DFL);  // of one ignored, as a parent may leave it, no end is told
  try {
    return vpntun::lab::run(argc, argv);
  } catch (const vpntun::Error& error) {
    fmt::print(stderr, "vpnctl lab: {}\n", error.what());
    return vpntun::lab::exit_code_for(error.kind());
  } catch (const std::exception& error) {
    fmt::print(stderr, "vpnctl lab: {}\n", error.what());
    return 1;
  }
}
