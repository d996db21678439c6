// The connection to the system bus (or to the one $DBUS_SYSTEM_BUS_ADDRESS names), driven by the
// event loop. When the bus goes away, Loop::run() throws. Called by the daemons. Thread: control.
#pragma once

#include <sdbus-c++/IConnection.h>
#include <sdbus-c++/IProxy.h>

#include <memory>
#include <string>

#include "service/loop.h"

namespace vpntun::bus {

class Connection {
 public:
  // Throws Error kFailed when the bus cannot be reached.
  explicit Connection(service::Loop& loop);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sdbus::IConnection& sdbus() noexcept { return *connection_; }
  // The bus itself, org.freedesktop.DBus.
  sdbus::IProxy& driver() noexcept { return *driver_; }
  // Blocks, so only before the loop runs. Throws Error: kInProgress when another process has the
  // name, kAccessDenied when the bus's policy is against it.
  void request_name(const std::string& name);

 private:
  void dispatch();
  void watch_again();

  service::Loop& loop_;
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IProxy> driver_;
  service::EventSource socket_;
  service::EventSource timeout_;
  service::EventSource after_turn_;
};

}  // namespace vpntun::bus
