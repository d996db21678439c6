#include "bus/connection.h"

#include <sdbus-c++/Error.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"

namespace vpntun::bus {

namespace {

// A flood of messages must leave the other event sources their turns.
constexpr int kMessagesPerTurn = 64;

[[noreturn]] void throw_lost(const sdbus::Error& error) {
  throw Error(ErrorKind::kFailed, "lost the connection to the D-Bus system bus: {}",
              error.getMessage());
}

std::unique_ptr<sdbus::IConnection> connect() {
  try {
    return sdbus::createSystemBusConnection();
  } catch (const sdbus::Error& error) {
    throw Error(
        ErrorKind::kFailed,
        "cannot reach the D-Bus system bus: {}; is it running, or should DBUS_SYSTEM_BUS_ADDRESS "
        "name another one?",
        error.getMessage());
  }
}

}  // namespace

Connection::Connection(service::Loop& loop)
    : loop_(loop),
      connection_(connect()),
      driver_(sdbus::createProxy(*connection_, "org.freedesktop.DBus", "/org/freedesktop/DBus")) {
  const auto poll = connection_->getEventLoopPollData();
  socket_ = loop_.add_io(poll.fd, static_cast<std::uint32_t>(poll.events),
                         [this](std::uint32_t) { dispatch(); });
  timeout_ = loop_.add_timer(BootClock::now(), [this] { dispatch(); });
  after_turn_ = loop_.add_post([this] { watch_again(); });
}

void Connection::dispatch() {
  try {
    for (int count = 0; count < kMessagesPerTurn && connection_->processPendingRequest(); ++count) {
    }
  } catch (const sdbus::Error& error) {
    throw_lost(error);
  }
}

// Anything called back in this turn may have queued a message or begun to wait for a reply.
void Connection::watch_again() {
  try {
    const auto poll = connection_->getEventLoopPollData();
    loop_.set_io_events(socket_, static_cast<std::uint32_t>(poll.events));
    if (const auto wait = poll.getRelativeTimeout();
        wait && *wait != std::chrono::microseconds::max())
      loop_.set_timer(timeout_, BootClock::now() + *wait);
    else
      loop_.cancel_timer(timeout_);
  } catch (const sdbus::Error& error) {
    throw_lost(error);
  }
}

void Connection::request_name(const std::string& name) {
  try {
    connection_->requestName(name);
  } catch (const sdbus::Error& error) {
    if (error.getName() == "org.freedesktop.DBus.Error.FileExists")
      throw Error(ErrorKind::kInProgress, "{} runs already: the bus name is taken", name);
    const bool refused = error.getName() == "org.freedesktop.DBus.Error.AccessDenied";
    throw Error(refused ? ErrorKind::kAccessDenied : ErrorKind::kFailed, "own the bus name {}: {}",
                name, error.getMessage());
  }
}

}  // namespace vpntun::bus
