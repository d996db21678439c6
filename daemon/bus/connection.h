// The connection to the system bus (or to the one $DBUS_SYSTEM_BUS_ADDRESS names), driven by the
// event loop. Called by the daemons. Thread: control.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "dbus/sdbus.h"
#include "service/loop.h"

namespace vpntun::bus {

// Throws Error kFailed when the bus cannot be reached.
std::unique_ptr<sdbus::IConnection> connect_to_system_bus();
// Blocks on the bus. Throws Error: kInProgress when another process has the name, kAccessDenied
// when the bus's policy is against it.
void request_name(sdbus::IConnection& connection, const std::string& name);

class Connection {
 public:
  // The bus went away: nothing of this connection works any longer. Called once, from inside it.
  using Lost = std::function<void(const Error&)>;

  // Without `lost`, Loop::run() throws when the bus goes away.
  Connection(service::Loop& loop, std::unique_ptr<sdbus::IConnection> connection, Lost lost = {});
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sdbus::IConnection& sdbus() noexcept { return *connection_; }
  // The bus itself, org.freedesktop.DBus.
  sdbus::IProxy& driver() noexcept { return *driver_; }
  // Names that get an owner, another one, or none: then `owner` is empty. Of those that the rest of
  // a match rule lets through, while the slot lives. Blocks on the bus.
  using OwnerChanged = std::function<void(const std::string& name, const std::string& owner)>;
  [[nodiscard]] sdbus::Slot follow_owners(const std::string& rule, OwnerChanged changed);

 private:
  void dispatch();
  void watch_again();
  void lose(const sdbus::Error& error);

  service::Loop& loop_;
  Lost lost_;
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IProxy> driver_;
  service::EventSource socket_;
  service::EventSource timeout_;
  service::EventSource after_turn_;
};

}  // namespace vpntun::bus
