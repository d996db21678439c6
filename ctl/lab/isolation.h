// What keeps the lab apart from the machine: a process in new mount, PID and network namespaces,
// inside a new user namespace where root's privileges are missing. The first process of the PID
// namespace is the keeper; when it ends, the kernel ends everything in the lab. Callers: lab,
// keeper, enter. Thread: the only one.
#pragma once

#include <sys/types.h>

namespace vpntun::lab {

struct Isolated {
  pid_t pid = 0;  // 0: we are the new process
  bool user_namespace = false;
};

// Like fork(2). Throws Error in the parent, with what to do, where the kernel allows neither way.
Isolated fork_isolated();
// In the parent, for a child in a new user namespace: our user becomes its root. Throws Error.
void map_user_to_root(pid_t child);
// In the new process: /proc of its own, and an empty /run/netns that nobody outside sees. Throws
// Error.
void make_private_mounts();

}  // namespace vpntun::lab
