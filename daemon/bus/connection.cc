#include "bus/connection.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "bus/errors.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

namespace {

// A flood of messages must leave the other event sources their turns.
constexpr int kMessagesPerTurn = 64;
constexpr const char* kDriver = "org.freedesktop.DBus";

}  // namespace

std::unique_ptr<sdbus::IConnection> connect_to_system_bus() {
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

void request_name(sdbus::IConnection& connection, const std::string& name) {
  try {
    connection.requestName(sdbus::ServiceName(name));
  } catch (const sdbus::Error& error) {
    if (error.getName() == "org.freedesktop.DBus.Error.FileExists")
      throw Error(ErrorKind::kInProgress, "{} runs already: the bus name is taken", name);
    const bool refused = error.getName() == "org.freedesktop.DBus.Error.AccessDenied";
    throw Error(refused ? ErrorKind::kAccessDenied : ErrorKind::kFailed, "own the bus name {}: {}",
                name, error.getMessage());
  }
}

Connection::Connection(service::Loop& loop, std::unique_ptr<sdbus::IConnection> connection,
                       Lost lost)
    : loop_(loop),
      lost_(std::move(lost)),
      connection_(std::move(connection)),
      driver_(sdbus::createProxy(*connection_, sdbus::ServiceName(kDriver),
                                 sdbus::ObjectPath("/org/freedesktop/DBus"))) {
  const auto poll = connection_->getEventLoopPollData();
  socket_ = loop_.add_io(poll.fd, static_cast<std::uint32_t>(poll.events),
                         [this](std::uint32_t) { dispatch(); });
  timeout_ = loop_.add_timer(BootClock::now(), [this] { dispatch(); });
  after_turn_ = loop_.add_post([this] { watch_again(); });
}

void Connection::dispatch() {
  try {
    for (int count = 0; count < kMessagesPerTurn && dbus::process_one(*connection_); ++count) {
    }
  } catch (const sdbus::Error& error) {
    lose(error);
  }
}

// Anything called back in this turn may have queued a message or begun to wait for a reply.
void Connection::watch_again() {
  try {
    const auto poll = connection_->getEventLoopPollData();
    loop_.set_io_events(socket_, static_cast<std::uint32_t>(poll.events));
    if (const auto wait = dbus::due_in(poll))
      loop_.set_timer(timeout_, BootClock::now() + *wait);
    else
      loop_.cancel_timer(timeout_);
  } catch (const sdbus::Error& error) {
    lose(error);
  }
}

void Connection::lose(const sdbus::Error& error) {
  const Error said(ErrorKind::kFailed, "lost the connection to the D-Bus system bus: {}",
                   error.getMessage());
  if (!lost_) throw Error(said);
  // Its descriptor is ready for ever.
  socket_ = {};
  timeout_ = {};
  after_turn_ = {};
  lost_(said);
}

// Anybody may send a signal to one receiver, and no match rule holds that back: neither the bus nor
// sd-bus compares a sender's well-known name with who sent it.
sdbus::Slot Connection::follow_owners(const std::string& rule, OwnerChanged changed) {
  const auto received = [changed = std::move(changed)](sdbus::Message& message) {
    if (std::string(message.getSender()) != kDriver) return;
    std::string name, before, owner;
    message >> name >> before >> owner;
    changed(name, owner);
  };
  return dbus::add_match(
      *connection_,
      fmt::format("type='signal',sender='{0}',interface='{0}',member='NameOwnerChanged',{1}",
                  kDriver, rule),
      shielded("follow who is on the bus", received));
}

}  // namespace vpntun::bus
