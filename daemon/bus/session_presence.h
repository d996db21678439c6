// What a session is on the bus: its name, and its objects. When the bus goes away (it was
// restarted) the tunnel goes on, and the session comes back to the bus as soon as there is one
// again. Called by session_daemon. Thread: control.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/mailbox.h"
#include "base/time.h"
#include "bus/authority.h"
#include "bus/connection.h"
#include "bus/diagnostics_object.h"
#include "bus/log_control.h"
#include "bus/readiness.h"
#include "bus/resolved.h"
#include "bus/session_object.h"
#include "bus/status_source.h"
#include "service/loop.h"
#include "session/session.h"

namespace vpntun::bus {

class SessionPresence {
 public:
  // Takes the session's name, without which there is no session: it is the lock. Throws Error:
  // kFailed when there is no bus, kInProgress when another session of the tunnel has the name.
  SessionPresence(service::Loop& loop, std::string tunnel);
  SessionPresence(const SessionPresence&) = delete;
  SessionPresence& operator=(const SessionPresence&) = delete;

  // From now on the session answers, and systemd-resolved knows its DNS servers.
  void show(session::Session& session, StatusSource& status, Readiness& readiness,
            SessionObject::Reloader reload);
  // To be told to whoever follows its properties, and to systemd-resolved.
  void session_changed();
  // The tunnel goes down for good: what systemd-resolved was told is taken back.
  void take_back();
  // From now on the session does not answer; the name stays.
  void hide();

 private:
  struct Shown {
    session::Session& session;
    StatusSource& status;
    Readiness& readiness;
    SessionObject::Reloader reload;
  };
  struct Objects {
    Objects(Connection& connection, service::Loop& loop, const Shown& shown, bool again);
    Authority authority;
    SessionObject session;
    DiagnosticsObject diagnostics;
    LogControl log_control;
    Resolved resolved;
  };

  // With our name; or why not.
  struct Opened {
    std::unique_ptr<sdbus::IConnection> connection;
    std::string failure;
  };
  static Opened open(const std::string& name) noexcept;

  void use(std::unique_ptr<sdbus::IConnection> connection);
  void lost(const Error& error);
  void look_for_bus();
  void come_back(Opened opened);
  void make_objects(bool again);

  service::Loop& loop_;
  std::string tunnel_;
  std::optional<Shown> shown_;
  bool on_bus_ = true;
  Duration patience_{};  // until the next attempt
  // The old one stays until the first attempt: replies may be under way to it.
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Objects> objects_;
  service::EventSource attempt_;
  // Shared with the thread that looks for the bus: one that accepts and does not answer, as while
  // systemd starts it, must not hold up the tunnel.
  std::shared_ptr<Mailbox<Opened>> opened_ = std::make_shared<Mailbox<Opened>>();
  service::EventSource opened_source_;
};

}  // namespace vpntun::bus
