// The keeper: first process of the lab's PID namespace. It builds the hosts, starts the bus, the
// manager and V's login service, says whether that worked, and stays. When it ends, for whatever
// reason, the kernel ends every process of the lab and with them the namespaces, links and sockets.
// Callers: lab (in the new process). Thread: the only one.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "ctl/lab/folder.h"

namespace vpntun::lab {

struct KeeperPlan {
  Folder folder;
  bool private_bus = true;
  std::string bus;    // address
  UniqueFd report;    // written: "ok", or what failed; then closed
  UniqueFd lifeline;  // read: the lab ends at its end of file, unless a byte came first; none: it
                      // stays up
};

// Returns the exit status of the process.
int keep(KeeperPlan plan);

}  // namespace vpntun::lab
