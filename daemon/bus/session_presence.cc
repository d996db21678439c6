#include "bus/session_presence.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "bus/errors.h"
#include "dbus/names.h"

namespace vpntun::bus {

namespace {

using std::chrono::milliseconds;

// A bus that is restarted is back at once, or not for long.
constexpr milliseconds kFirstAttempt{100};
constexpr milliseconds kLongestPatience{10'000};

}  // namespace

SessionPresence::Objects::Objects(Connection& connection, service::Loop& loop, const Shown& shown,
                                  bool again)
    : authority(connection, TrustedUsers(),
                [&session = shown.session](const std::string&) {
                  return session.profile().active_session;
                }),
      session(connection, authority, shown.status, shown.readiness, shown.reload),
      diagnostics(connection, authority, shown.session),
      log_control(connection),
      resolved(connection, loop, shown.status.now().interface_index,
               again || shown.session.took_over(),
               [&session = shown.session](const std::string& failure) {
                 session.set_dns_failure(failure);
               }) {}

SessionPresence::SessionPresence(service::Loop& loop, std::string tunnel)
    : loop_(loop), tunnel_(std::move(tunnel)), connection_(connect()) {}

std::unique_ptr<Connection> SessionPresence::connect() {
  auto connection =
      std::make_unique<Connection>(loop_, [this](const Error& error) { lost(error); });
  connection->request_name(dbus::session_bus_name(tunnel_));
  return connection;
}

void SessionPresence::show(session::Session& session, StatusSource& status, Readiness& readiness,
                           SessionObject::Reloader reload) {
  shown_.emplace(Shown{session, status, readiness, std::move(reload)});
  if (on_bus_) make_objects(false);
}

void SessionPresence::make_objects(bool again) {
  objects_ = std::make_unique<Objects>(*connection_, loop_, *shown_, again);
  objects_->resolved.want(shown_->session.dns());
}

void SessionPresence::session_changed() {
  if (!on_bus_ || !objects_) return;
  shielded("tell what changed", [this] {
    objects_->session.session_changed();
    objects_->resolved.want(shown_->session.dns());
  })();
}

void SessionPresence::take_back() {
  if (on_bus_ && objects_) shielded("take back", [this] { objects_->resolved.revert(); })();
}

void SessionPresence::hide() {
  objects_.reset();
  shown_.reset();
}

// Called from inside the connection, which cannot be left there.
void SessionPresence::lost(const Error& error) {
  log::warning("{}; the tunnel goes on", error.what());
  on_bus_ = false;
  patience_ = kFirstAttempt;
  attempt_ = loop_.add_timer(loop_.now() + patience_, [this] { come_back(); });
}

void SessionPresence::come_back() {
  objects_.reset();
  connection_.reset();
  try {
    connection_ = connect();
    if (shown_) make_objects(true);
    on_bus_ = true;
    log::info("back on the bus");
  } catch (const std::exception& error) {
    log::debug("not back on the bus yet: {}", error.what());
    patience_ = std::min<Duration>(patience_ * 2, kLongestPatience);
    attempt_ = loop_.add_timer(loop_.now() + patience_, [this] { come_back(); });
  }
}

}  // namespace vpntun::bus
