// `vpnctl lab run`: performs tasks in the lab that is up, or in one of its own. Callers: main.
// Thread: the only one.
#pragma once

#include <string>
#include <vector>

#include "ctl/lab/folder.h"
#include "ctl/lab/stage.h"

namespace vpntun::lab {

struct RunOptions {
  std::string which;  // a task's number, or "all"
  std::string out;    // folder for trace.pcapng and story.md; empty: none
  bool keep = false;  // leave the lab as the task left it
  TaskOptions task;
};

// Exit code: 0 every observation was made, 1 one is missing, 130 or 143 when interrupted.
// Throws Error kInvalidArguments for a task that does not exist, and as start_lab.
int run_tasks(const Folder& folder, const RunOptions& options);
// The tasks with one line each.
int list_tasks();

}  // namespace vpntun::lab
