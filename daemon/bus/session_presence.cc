#include "bus/session_presence.h"

#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>
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
// One that has answered already, to what has to be waited for.
constexpr std::chrono::seconds kBusAnswersWithin{2};

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
    : loop_(loop), tunnel_(std::move(tunnel)) {
  auto connection = connect_to_system_bus();
  request_name(*connection, dbus::session_bus_name(tunnel_));
  use(std::move(connection));
  opened_source_ = loop_.add_io(opened_->fd(), EPOLLIN, [this](std::uint32_t) {
    for (Opened& opened : opened_->take()) come_back(std::move(opened));
  });
}

void SessionPresence::use(std::unique_ptr<sdbus::IConnection> connection) {
  connection_ = std::make_unique<Connection>(loop_, std::move(connection),
                                             [this](const Error& error) { lost(error); });
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
  attempt_ = loop_.add_timer(loop_.now() + patience_, [this] { look_for_bus(); });
}

SessionPresence::Opened SessionPresence::open(const std::string& name) noexcept {
  try {
    auto connection = connect_to_system_bus();
    request_name(*connection, name);
    connection->setMethodCallTimeout(kBusAnswersWithin);
    return {std::move(connection), {}};
  } catch (const std::exception& error) {
    return {nullptr, error.what()};
  }
}

void SessionPresence::look_for_bus() {
  objects_.reset();
  connection_.reset();
  try {
    std::thread([opened = opened_, name = dbus::session_bus_name(tunnel_)] {
      opened->post(open(name));
    }).detach();
  } catch (const std::system_error& error) {  // out of threads, maybe not for long
    opened_->post({nullptr, error.what()});
  }
}

void SessionPresence::come_back(Opened opened) {
  try {
    if (!opened.connection) throw Error(ErrorKind::kFailed, "{}", opened.failure);
    use(std::move(opened.connection));
    if (shown_) make_objects(true);
    on_bus_ = true;
    log::info("back on the bus");
  } catch (const std::exception& error) {
    log::debug("not back on the bus yet: {}", error.what());
    patience_ = std::min<Duration>(patience_ * 2, kLongestPatience);
    attempt_ = loop_.add_timer(loop_.now() + patience_, [this] { look_for_bus(); });
  }
}

}  // namespace vpntun::bus
