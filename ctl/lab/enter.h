// The way into a running lab: its user, mount and PID namespaces, then the network of one of its
// hosts. Callers: main, stage. Thread: the only one (a user namespace admits no process of several
// threads).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ctl/lab/folder.h"
#include "ctl/lab/topology.h"

namespace vpntun::lab {

// What a program in the lab finds in its environment. host: "" for none.
std::map<std::string, std::string> lab_environment(const Folder& folder, const LabState& state,
                                                   const std::string& host);

// Runs `work` in a new process inside the lab (network: the keeper's own, which has none of the
// hosts' links), and returns its exit code as a shell would. The working folder is kept where the
// lab has it. SIGTERM and SIGHUP are passed on; SIGINT as well unless a terminal sends it to both.
// Throws Error kFailed when the lab has ended.
int run_inside(const LabState& state, const std::function<int()>& work);

// Inside: replaces this process by a program on a host. Throws Error when it cannot be run.
[[noreturn]] void exec_on_host(Host host, const std::vector<std::string>& command,
                               const std::map<std::string, std::string>& environment);

}  // namespace vpntun::lab
