// The sessions on the bus: finds them by name when the manager starts and as they come and go, asks
// what they say of themselves, and tells the Manager. Only a session of root or of our own user is
// believed. Thread: control.
#pragma once

#include <sdbus-c++/IProxy.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/connection.h"
#include "bus/status_codec.h"
#include "manager/manager.h"

namespace vpntun::bus {

class SessionWatch {
 public:
  // Blocks on the bus, so only before the loop runs.
  SessionWatch(Connection& connection, manager::Manager& manager);
  ~SessionWatch();
  SessionWatch(const SessionWatch&) = delete;
  SessionWatch& operator=(const SessionWatch&) = delete;

  // The session's own Status; nullptr: no session, or no answer within 2 s. Maybe from inside the
  // call.
  using Answered = std::function<void(const Dictionary*)>;
  void status(const std::string& tunnel, Answered answered);

 private:
  struct Known;

  void owner_changed(const std::string& bus_name, const std::string& owner);
  // The session, if that connection still is it.
  Known* find(const std::string& tunnel, const std::string& owner);
  void ask_user(const Known& session);
  void ask_pid(const Known& session);
  void ask_facts(const Known& session);
  void properties_changed(sdbus::Message& message);

  Connection& connection_;
  manager::Manager& manager_;
  std::map<std::string, std::unique_ptr<Known>> sessions_;  // by tunnel name
  sdbus::Slot names_;
  sdbus::Slot properties_;
};

}  // namespace vpntun::bus
