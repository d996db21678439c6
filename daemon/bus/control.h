// What Manager and Tunnel objects have in common: options, authorisation, the manager, the merged
// status; replies as callbacks. Called by manager_object and tunnel_object. Thread: control.
#pragma once

#include <sdbus-c++/Error.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "bus/authority.h"
#include "bus/session_watch.h"
#include "bus/status_codec.h"
#include "manager/manager.h"

namespace vpntun::bus {

enum class Verb { kStart, kStop, kRestart };

// Throws InvalidArgs naming the first option that is not known.
void refuse_unknown_options(const Dictionary& options,
                            std::initializer_list<std::string_view> known);

class Control {
 public:
  using Done = std::function<void(std::optional<sdbus::Error>)>;

  Control(Authority& authority, manager::Manager& manager, SessionWatch& sessions)
      : authority_(authority), manager_(manager), sessions_(sessions) {}

  // Throws for what is wrong with the arguments; the rest comes through done.
  void change(Verb verb, std::string_view interface, const std::string& caller,
              const std::string& tunnel, const Dictionary& options, Done done);
  // Throws Error kNoSuchTunnel. A session that is silent costs 2 s, and its part is missing.
  void status(const std::string& tunnel, std::function<void(const Dictionary&)> done);
  void describe(std::function<void(const std::string& json)> done);

 private:
  void run(Verb verb, const std::string& tunnel, const Done& done);

  Authority& authority_;
  manager::Manager& manager_;
  SessionWatch& sessions_;
};

}  // namespace vpntun::bus
