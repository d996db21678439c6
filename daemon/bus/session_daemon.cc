#include "bus/session_daemon.h"

#include <signal.h>

#include <optional>
#include <string>

#include "bus/authority.h"
#include "bus/connection.h"
#include "bus/diagnostics_object.h"
#include "bus/session_object.h"
#include "bus/status_source.h"
#include "config/finding.h"
#include "dbus/names.h"
#include "service/notify.h"
#include "session/session.h"

namespace vpntun::bus {

namespace {

config::Profile load_profile(const std::string& name, const std::vector<std::string>& folders) {
  const std::optional<std::string> path = config::find_profile(folders, name);
  if (!path) throw Error(ErrorKind::kNoSuchTunnel, "there is no profile {}.toml", name);
  config::Loaded loaded = config::load_file(*path, name);
  for (const config::Finding& finding : loaded.findings) {
    const std::string line = fmt::format("{}:{}:{}: {}: {}", finding.file, finding.line,
                                         finding.column, finding.key, finding.message);
    finding.severity == config::Severity::kError ? log::error("{}", line)
                                                 : log::warning("{}", line);
  }
  if (!loaded.profile) throw Error(ErrorKind::kInvalidProfile, config::summary(loaded.findings));
  return std::move(*loaded.profile);
}

}  // namespace

void run_session(const Options& options) {
  const std::string& name = options.session.value();
  config::Profile profile = load_profile(name, options.profile_folders);
  service::Loop loop;
  Connection connection(loop);
  // The name is the lock: a second session of this tunnel ends here, before it touches the host.
  connection.request_name(dbus::session_bus_name(name));
  std::optional<Error> broken;
  session::Session session(std::move(profile), loop);
  session.on_broken([&](const Error& error) {
    broken = error;
    loop.exit(1);
  });
  StatusSource status(session, loop);
  SessionObject object(connection, status);
  session.on_changed([&object] { object.session_changed(); });
  Authority authority(connection);
  DiagnosticsObject diagnostics(connection, authority, session);
  const auto end = [&loop] { loop.exit(0); };
  const service::EventSource terminated = loop.add_signal(SIGTERM, end);
  const service::EventSource interrupted = loop.add_signal(SIGINT, end);
  log::info("up: {}", status.now().interface);
  service::notify_status("up on " + status.now().interface);
  service::notify_ready();
  loop.run();
  session.on_changed({});
  if (broken) throw Error(*broken);
  service::notify_stopping();
  log::info("going down");
}

}  // namespace vpntun::bus
