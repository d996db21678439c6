// What this process tells its service manager (sd_notify(3)): systemd, or our ProcessLauncher,
// which speaks the same protocol. Without $NOTIFY_SOCKET all of it does nothing. Thread: control.
#pragma once

#include <string_view>

namespace vpntun::service {

void notify_ready();
void notify_stopping();
// One line for `systemctl status` and for the error reply of Start. Line breaks become spaces.
void notify_status(std::string_view text);

// systemd started this very process, and starts it again as the unit says.
bool started_by_systemd();

}  // namespace vpntun::service
