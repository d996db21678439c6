#include "bus/manager_daemon.h"

#include <signal.h>

#include <memory>

#include "bus/authority.h"
#include "bus/connection.h"
#include "bus/control.h"
#include "bus/log_control.h"
#include "bus/manager_object.h"
#include "bus/session_watch.h"
#include "bus/systemd_launcher.h"
#include "dbus/names.h"
#include "dbus/sdbus.h"
#include "manager/process_launcher.h"
#include "service/folded_lines.h"
#include "service/notify.h"

namespace vpntun::bus {

namespace {

bool systemd_is_on(Connection& connection) {
  bool owned = false;
  connection.driver()
      .callMethod("NameHasOwner")
      .onInterface("org.freedesktop.DBus")
      .withArguments(std::string("org.freedesktop.systemd1"))
      .storeResultsTo(owned);
  return owned;
}

std::unique_ptr<manager::Launcher> make_launcher(const Options& options, Connection& connection,
                                                 service::Loop& loop) {
  using Kind = Options::Launcher;
  const bool systemd = options.launcher == Kind::kSystemd ||
                       (options.launcher == Kind::kAuto && systemd_is_on(connection));
  if (systemd) return std::make_unique<SystemdLauncher>(loop, connection);
  manager::ProcessLauncher::Options process;
  for (const std::string& folder : options.profile_folders) {
    process.arguments.emplace_back("--profile-folder");
    process.arguments.push_back(folder);
  }
  process.runtime_folder = options.runtime_folder;
  return std::make_unique<manager::ProcessLauncher>(loop, process);
}

}  // namespace

void run_manager(const Options& options) {
  service::Loop loop;
  const service::FoldedLines folded(loop);
  Connection connection(loop, connect_to_system_bus());
  // First of all: a second manager must not touch what belongs to this one.
  request_name(connection.sdbus(), std::string(dbus::kManagerName));
  manager::Catalogue catalogue(loop, options.profile_folders);
  const std::unique_ptr<manager::Launcher> launcher = make_launcher(options, connection, loop);
  manager::Manager manager(loop, catalogue, *launcher);
  const TrustedUsers trusted;
  Authority authority(connection, trusted, [&manager](const std::string& tunnel) {
    return manager.is_user_tunnel(tunnel);
  });
  SessionWatch sessions(connection, trusted, manager);
  Control control(authority, manager, sessions);
  ManagerObject object(connection, manager, control, VPNTUN_VERSION, std::string(launcher->name()));
  const LogControl log_control(connection);
  const auto end = [&loop] { loop.exit(0); };
  const service::EventSource terminated = loop.add_signal(SIGTERM, end);
  const service::EventSource interrupted = loop.add_signal(SIGINT, end);
  log::event(log::Event::kManagerUp, {}, "manager {}: {} profiles, sessions by {}", VPNTUN_VERSION,
             manager.tunnels().size(), launcher->name());
  service::notify_ready();
  loop.run();
  service::notify_stopping();
}

}  // namespace vpntun::bus
