// What Manager and Tunnel objects have in common: options, authorisation, the manager, the merged
// status; replies as callbacks. Called by manager_object and tunnel_object. Thread: control.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "bus/authority.h"
#include "bus/session_watch.h"
#include "bus/status_codec.h"
#include "dbus/sdbus.h"
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

  // All of them: throw for what is wrong with the arguments; the rest comes through done, also that
  // the caller may not.
  void change(Verb verb, std::string_view interface, const dbus::Caller& caller,
              const std::string& tunnel, const Dictionary& options, const Done& done);
  using Told = std::function<void(std::optional<sdbus::Error>, const Dictionary&)>;
  // Told: what the session says of it.
  void reload(std::string_view interface, const dbus::Caller& caller, const std::string& tunnel,
              const Dictionary& options, const Told& done);
  // A session that is silent costs 5 s, and its part is missing. Of a caller who may not know them,
  // endpoints are kept.
  void status(std::string_view interface, const dbus::Caller& caller, const std::string& tunnel,
              const Told& done);
  using Described = std::function<void(std::optional<sdbus::Error>, const std::string& json)>;
  void describe(std::string_view interface, const dbus::Caller& caller, const Described& done);
  void list(std::string_view interface, const dbus::Caller& caller, std::function<void()> allowed,
            Done failed);

 private:
  // Runs `allowed` if the caller may; failed: refused, or what `allowed` threw. tunnel: empty for
  // all of them.
  void authorise(std::string_view interface, std::string_view method, const dbus::Caller& caller,
                 const std::string& tunnel, std::function<void()> allowed, Done failed);
  // The same, with whether the caller may know endpoints too.
  void inspect(std::string_view interface, std::string_view method, const dbus::Caller& caller,
               const std::string& tunnel, std::function<void(bool details)> allowed,
               const Done& failed);
  void collect_status(const std::string& tunnel, std::function<void(Dictionary)> done);
  void run(Verb verb, const std::string& tunnel, const Done& done);

  Authority& authority_;
  manager::Manager& manager_;
  SessionWatch& sessions_;
};

}  // namespace vpntun::bus
