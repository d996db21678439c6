// `vpnctl lab status`: the picture, what the hosts have, what the manager says. Callers: main.
// Thread: the only one.
#pragma once

#include "ctl/lab/folder.h"

namespace vpntun::lab {

// Prints; returns the exit code: 0 the lab is up, 3 it is not.
int show_status(const Folder& folder);

}  // namespace vpntun::lab
