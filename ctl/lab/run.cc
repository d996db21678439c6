#include "ctl/lab/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "ctl/lab/enter.h"
#include "ctl/lab/lab.h"
#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {
namespace {

struct Task {
  const char* number;
  const char* title;
  void (*perform)(Stage&);
  bool in_all = true;  // one of the nine
};

constexpr std::array kTasks = {
    Task{"1", "three hosts, two networks", task_1},
    Task{"2a", "a TUN interface and its name", task_2a},
    Task{"2b", "an address, and up", task_2b},
    Task{"2c", "reading from the TUN interface", task_2c},
    Task{"2d", "writing into the TUN interface", task_2d},
    Task{"3", "an IP packet inside UDP", task_3},
    Task{"4", "the VPN server hands the packet on", task_4},
    Task{"5", "both directions: ping and a login from U to V", task_5},
    Task{"6", "breaking the tunnel under a connection", task_6},
    Task{"7", "V's route back", task_7},
    Task{"8", "a wrong address on the TUN interface", task_8},
    Task{"9", "TAP: Ethernet through the tunnel", task_9},
    Task{"encrypt", "task 5 again, encrypted", task_encrypt, false},
};

std::vector<const Task*> chosen_tasks(const std::string& which) {
  std::vector<const Task*> chosen;
  for (const Task& task : kTasks) {
    if ((which == "all" && task.in_all) || which == task.number) chosen.push_back(&task);
  }
  if (chosen.empty())
    throw Error(ErrorKind::kInvalidArguments, "there is no task {}: vpnctl lab list", which);
  return chosen;
}

// Where the records of a task go; empty: nowhere.
std::string records_folder(const Task& task, const RunOptions& options) {
  if (options.which != "all" || options.out.empty()) return options.out;
  return options.out + "/task-" + task.number;
}

void make_folder(const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw Error(ErrorKind::kFailed, "create {}: {}", folder, failure.message());
}

void leave_records(const std::string& folder, Stage& stage) {
  stage.captures().take();
  stage.captures().write(folder + "/trace.pcapng");
  write_file(folder + "/story.md", stage.story().markdown());
  fmt::print("   story and packets: {0}/story.md, {0}/trace.pcapng\n", folder);
}

// True: every observation was made.
bool perform(const Task& task, const Folder& folder, const LabState& state,
             const RunOptions& options) {
  const std::string records = records_folder(task, options);
  if (!records.empty()) make_folder(records);
  Stage stage(folder, state, options.task);
  stage.story().title(task.number, task.title);
  bool complete = false;
  try {
    stage.reset();
    task.perform(stage);
    complete = true;
  } catch (const Missing& missing) {
    stage.story().missing(missing.what());
  } catch (const Error& error) {
    stage.story().missing(fmt::format("the task could not be performed: {}", error.what()));
  }
  if (!records.empty()) leave_records(records, stage);
  if (options.keep) return complete;
  try {
    stage.reset();
  } catch (const Error& error) {
    stage.story().missing(fmt::format("the lab's base state afterwards: {}", error.what()));
    complete = false;
  }
  return complete;
}

// Two runs would pull the ground from under each other.
UniqueFd take_turn(const Folder& folder) {
  const std::string path = folder.path() + "/turn";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw_errno(errno, "open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorKind::kInProgress, "another run is at work in this lab: wait for its end");
  return fd;
}

int perform_all(const std::vector<const Task*>& tasks, const Folder& folder, const LabState& state,
                const RunOptions& options) {
  std::vector<std::string_view> failed;
  for (const Task* task : tasks) {
    if (!perform(*task, folder, state, options)) failed.push_back(task->number);
  }
  fmt::print("\n{}\n",
             failed.empty()
                 ? fmt::format("{} of {} tasks: everything seen.", tasks.size(), tasks.size())
                 : fmt::format("Something is missing in task{} {}.", failed.size() == 1 ? "" : "s",
                               fmt::join(failed, ", ")));
  return failed.empty() ? 0 : 1;
}

}  // namespace

int run_tasks(const Folder& folder, const RunOptions& options) {
  const std::vector<const Task*> tasks = chosen_tasks(options.which);
  std::optional<LabState> state = folder.running();
  std::optional<Lifeline> lifeline;
  if (!state) {
    lifeline.emplace(start_lab(folder, Bus::kPrivate));
    state = folder.running();
    if (!state) throw Error(ErrorKind::kFailed, "the lab ended while it came up");
  }
  const UniqueFd turn = take_turn(folder);
  const int code = run_inside(*state, [&] { return perform_all(tasks, folder, *state, options); });
  if (!lifeline) return code;
  if (options.keep) {
    if (!lifeline->let_stay())
      throw Error(ErrorKind::kNotRunning, "the lab ended before its task did");
    fmt::print("The lab stays up: vpnctl lab status, vpnctl lab down.\n");
  } else {
    stop_lab(folder);
  }
  return code;
}

int list_tasks() {
  for (const Task& task : kTasks) fmt::print("{:<8} {}\n", task.number, task.title);
  return 0;
}

}  // namespace vpntun::lab
