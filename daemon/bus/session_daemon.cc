#include "bus/session_daemon.h"

#include <signal.h>

#include <optional>
#include <string>

#include "bus/readiness.h"
#include "bus/session_presence.h"
#include "bus/status_source.h"
#include "config/finding.h"
#include "manager/tunnel.h"
#include "service/fd_store.h"
#include "service/folded_lines.h"
#include "service/notify.h"
#include "service/watchdog.h"
#include "session/session.h"

namespace vpntun::bus {

namespace {

// The session ends before its place on the bus does.
struct Hiding {
  SessionPresence& presence;
  ~Hiding() { presence.hide(); }
};

config::Profile load_profile(const std::string& name, const std::vector<std::string>& folders) {
  const std::optional<std::string> path = config::find_profile(folders, name);
  if (!path) throw Error(ErrorKind::kNoSuchTunnel, "there is no profile {}.toml", name);
  config::Loaded loaded = config::load_file(*path, name, config::Reach::kCredentials);
  for (const config::Finding& finding : loaded.findings) {
    const std::string line = config::line_of(finding);
    finding.severity == config::Severity::kError ? log::error("{}", line)
                                                 : log::warning("{}", line);
  }
  if (!loaded.profile) throw Error(ErrorKind::kInvalidProfile, config::summary(loaded.findings));
  return std::move(*loaded.profile);
}

// What an earlier session left for one that cannot be is nobody's any longer.
config::Profile load_profile_or_give_up(const std::string& name,
                                        const std::vector<std::string>& folders,
                                        service::FdStore& store) {
  try {
    return load_profile(name, folders);
  } catch (const Error&) {
    session::give_up(name, std::move(store));
    throw;
  }
}

// Throws Error, and nothing is changed then.
session::ReloadResult reload(session::Session& session, const std::vector<std::string>& folders) {
  try {
    return session.reload(load_profile(session.profile().name, folders));
  } catch (const Error& error) {
    log::event(log::Event::kReloadRefused, {.reason = manager::reason_code(error.kind())},
               "not reloaded, nothing is changed: {}", error.what());
    throw;
  }
}

}  // namespace

std::optional<Error> run_session(const Options& options) {
  const std::string& name = options.session.value();
  service::FdStore store = service::FdStore::received();
  service::Loop loop;
  const service::FoldedLines folded(loop);
  // A second session of this tunnel ends here, before it touches the host.
  SessionPresence presence(loop, name);
  config::Profile profile = load_profile_or_give_up(name, options.profile_folders, store);
  std::optional<Error> broken;
  session::Session session(std::move(profile), loop, std::move(store));
  session.on_broken([&](const Error& error) {
    broken = error;
    loop.exit(1);
  });
  StatusSource status(session, loop);
  Readiness readiness(session, loop);
  presence.show(session, status, readiness,
                [&] { return reload(session, options.profile_folders); });
  const Hiding hiding{presence};
  const service::Watchdog watchdog(
      loop, [&session](std::function<void()> answered) { session.ask_alive(std::move(answered)); });
  bool another_follows = false;
  const auto end = [&loop] { loop.exit(0); };
  const auto hand_over = [&] {
    another_follows = true;
    loop.exit(0);
  };
  const service::EventSource terminated = loop.add_signal(SIGTERM, end);
  const service::EventSource interrupted = loop.add_signal(SIGINT, end);
  const service::EventSource restarted = loop.add_signal(SIGUSR1, hand_over);
  session.on_changed([&] {
    readiness.tell_status(status.again());
    presence.session_changed();
  });
  readiness.begin([&presence] { presence.session_changed(); });
  try {
    loop.run();
  } catch (...) {  // systemd starts the session again
    if (service::started_by_systemd()) session.release();
    throw;
  }
  session.on_changed({});
  if (broken) return broken;
  service::notify_stopping();
  if (another_follows) {
    session.release();
    log::event(log::Event::kHandedOver, {}, "restarts: the tunnel stays in place");
  } else {
    presence.take_back();
    log::event(log::Event::kGoingDown, {}, "going down");
  }
  return std::nullopt;
}

}  // namespace vpntun::bus
