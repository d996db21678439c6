// The sessions on the bus: finds them by name when the manager starts and as they come and go, asks
// what they say of themselves, and tells the Manager. Only a session of a trusted user is believed.
// Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/connection.h"
#include "bus/status_codec.h"
#include "bus/trusted_users.h"
#include "dbus/sdbus.h"
#include "manager/manager.h"

namespace vpntun::bus {

class SessionWatch {
 public:
  // When it returns, the Manager knows what runs. Blocks on the bus, so only before the loop runs.
  SessionWatch(Connection& connection, TrustedUsers trusted, manager::Manager& manager);
  ~SessionWatch();
  SessionWatch(const SessionWatch&) = delete;
  SessionWatch& operator=(const SessionWatch&) = delete;

  // The session's own Status; nullptr: no session, or no answer within 5 s. Maybe from inside the
  // call.
  using Answered = std::function<void(const Dictionary*)>;
  void status(const std::string& tunnel, Answered answered);
  // The session takes in its profile again; what it replied, at most 20 s later.
  using Reloaded = std::function<void(const std::optional<Error>&, const Dictionary& result)>;
  void reload(const std::string& tunnel, Reloaded reloaded);

 private:
  struct Known;

  // Takes in a session that runs already. Blocks.
  void meet(const std::string& bus_name);
  template <class Answer>
  Answer ask_bus(const char* question, const std::string& name);
  void owner_changed(const std::string& bus_name, const std::string& owner);
  // The session, if that connection still is it.
  Known* find(const std::string& tunnel, const std::string& owner);
  Known* add(const std::string& bus_name, const std::string& owner);
  void ignore(const std::string& tunnel);
  void found(Known& session, std::uint32_t pid);
  void ask_user(const Known& session);
  void ask_pid(const Known& session);
  void ask_facts(const Known& session);
  void properties_changed(sdbus::Message& message);

  Connection& connection_;
  TrustedUsers trusted_;
  manager::Manager& manager_;
  std::map<std::string, std::unique_ptr<Known>> sessions_;  // by tunnel name
  sdbus::Slot names_;
  sdbus::Slot properties_;
};

}  // namespace vpntun::bus
