#include "bus/control.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "base/log.h"
#include "bus/errors.h"
#include "config/profile.h"

namespace vpntun::bus {

namespace {

std::string_view method_of(Verb verb) {
  switch (verb) {
    case Verb::kStart:
      return "Start";
    case Verb::kStop:
      return "Stop";
    case Verb::kRestart:
      break;
  }
  return "Restart";
}

}  // namespace

void refuse_unknown_options(const Dictionary& options,
                            std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : options)
    if (std::ranges::find(known, key) == known.end())
      throw Error(ErrorKind::kInvalidArguments, "unknown option \"{}\"", escaped(key));
}

void Control::authorise(std::string_view interface, std::string_view method,
                        const dbus::Caller& caller, const std::string& tunnel,
                        std::function<void()> allowed, Done failed) {
  if (!tunnel.empty() && !config::is_tunnel_name(tunnel))
    static_cast<void>(manager_.tunnel(tunnel));  // no such tunnel
  authority_.check(caller, asked_of(interface, method), tunnel,
                   [allowed = std::move(allowed), failed = std::move(failed)](
                       const std::optional<sdbus::Error>& refused, std::uint32_t) {
                     if (refused) return failed(refused);
                     try {
                       allowed();
                     } catch (...) {
                       failed(current_to_dbus());
                     }
                   });
}

void Control::inspect(std::string_view interface, std::string_view method,
                      const dbus::Caller& caller, const std::string& tunnel,
                      std::function<void(bool details)> allowed, const Done& failed) {
  const auto look = [this, caller, tunnel, allowed = std::move(allowed), failed] {
    // Nobody is asked for a password to see a little more.
    authority_.check({.name = caller.name}, Asked{Action::kInspectDetails, "status"}, tunnel,
                     [allowed, failed](const std::optional<sdbus::Error>& refused, std::uint32_t) {
                       try {
                         allowed(!refused);
                       } catch (...) {
                         failed(current_to_dbus());
                       }
                     });
  };
  authorise(interface, method, caller, tunnel, look, failed);
}

void Control::change(Verb verb, std::string_view interface, const dbus::Caller& caller,
                     const std::string& tunnel, const Dictionary& options, const Done& done) {
  refuse_unknown_options(options, {});
  authorise(
      interface, method_of(verb), caller, tunnel,
      [this, verb, tunnel, done] { run(verb, tunnel, done); }, done);
}

void Control::reload(std::string_view interface, const dbus::Caller& caller,
                     const std::string& tunnel, const Dictionary& options, const Told& done) {
  refuse_unknown_options(options, {});
  const auto begin = [this, tunnel, done] {
    manager_.begin_reload(tunnel);
    sessions_.reload(
        tunnel, [this, tunnel, done](const std::optional<Error>& error, const Dictionary& result) {
          manager_.end_reload(tunnel);
          done(error ? std::optional(to_dbus(*error)) : std::nullopt, result);
        });
  };
  authorise(interface, "Reload", caller, tunnel, begin,
            [done](const std::optional<sdbus::Error>& error) { done(error, {}); });
}

void Control::run(Verb verb, const std::string& tunnel, const Done& done) {
  const auto finished = [done](const std::optional<Error>& error) {
    done(error ? std::optional(to_dbus(*error)) : std::nullopt);
  };
  switch (verb) {
    case Verb::kStart:
      return manager_.start(tunnel, finished);
    case Verb::kStop:
      return manager_.stop(tunnel, finished);
    case Verb::kRestart:
      return manager_.restart(tunnel, finished);
  }
}

void Control::status(std::string_view interface, const dbus::Caller& caller,
                     const std::string& tunnel, const Told& done) {
  static_cast<void>(manager_.tunnel(tunnel));
  inspect(
      interface, "Status", caller, tunnel,
      [this, tunnel, done](bool details) {
        static_cast<void>(manager_.tunnel(tunnel));
        collect_status(tunnel, [details, done](const Dictionary& status) {
          done(std::nullopt, details ? status : without_details(status));
        });
      },
      [done](const std::optional<sdbus::Error>& error) { done(error, {}); });
}

void Control::list(std::string_view interface, const dbus::Caller& caller,
                   std::function<void()> allowed, Done failed) {
  authorise(interface, "List", caller, "", std::move(allowed), std::move(failed));
}

void Control::collect_status(const std::string& tunnel, std::function<void(Dictionary)> done) {
  sessions_.status(tunnel, [this, tunnel, done = std::move(done)](const Dictionary* of_session) {
    const auto known = manager_.tunnels().find(tunnel);
    done(known == manager_.tunnels().end() ? Dictionary{} : merged(known->second, of_session));
  });
}

void Control::describe(std::string_view interface, const dbus::Caller& caller,
                       const Described& done) {
  struct Collected {
    std::vector<Dictionary> tunnels;
    std::size_t missing = 0;
    Described done;

    void tell() {
      std::erase_if(tunnels, [](const Dictionary& tunnel) { return tunnel.empty(); });
      done(std::nullopt, to_json(tunnels, std::chrono::system_clock::now()));
    }
  };
  const auto begin = [this, done](bool details) {
    std::vector<std::string> names;
    for (const auto& [name, tunnel] : manager_.tunnels()) names.push_back(name);
    auto collected = std::make_shared<Collected>();
    collected->tunnels.resize(names.size());
    collected->missing = names.size();
    collected->done = done;
    if (names.empty()) return collected->tell();
    for (std::size_t at = 0; at < names.size(); ++at)
      collect_status(names[at], [collected, at, details](const Dictionary& status) {
        collected->tunnels[at] = details ? status : without_details(status);
        if (--collected->missing == 0) collected->tell();
      });
  };
  inspect(interface, "Describe", caller, "", begin,
          [done](const std::optional<sdbus::Error>& error) { done(error, {}); });
}

}  // namespace vpntun::bus
