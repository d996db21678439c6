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

void Control::change(Verb verb, std::string_view interface, const std::string& caller,
                     const std::string& tunnel, const Dictionary& options, Done done) {
  refuse_unknown_options(options, {});
  if (!config::is_tunnel_name(tunnel))
    static_cast<void>(manager_.tunnel(tunnel));  // no such tunnel
  authority_.check(
      caller, action_of(interface, method_of(verb)),
      [this, verb, tunnel, done = std::move(done)](const std::optional<sdbus::Error>& refused) {
        if (refused) return done(refused);
        try {
          run(verb, tunnel, done);
        } catch (...) {
          done(current_to_dbus());
        }
      });
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

void Control::status(const std::string& tunnel, std::function<void(const Dictionary&)> done) {
  static_cast<void>(manager_.tunnel(tunnel));
  sessions_.status(tunnel, [this, tunnel, done = std::move(done)](const Dictionary* of_session) {
    const auto known = manager_.tunnels().find(tunnel);
    done(known == manager_.tunnels().end() ? Dictionary{} : merged(known->second, of_session));
  });
}

void Control::describe(std::function<void(const std::string& json)> done) {
  struct Collected {
    std::vector<Dictionary> tunnels;
    std::size_t missing = 0;
    std::function<void(const std::string&)> done;
  };
  auto collected = std::make_shared<Collected>();
  std::vector<std::string> names;
  for (const auto& [name, tunnel] : manager_.tunnels()) names.push_back(name);
  collected->tunnels.resize(names.size());
  collected->missing = names.size();
  collected->done = std::move(done);
  if (names.empty()) return collected->done(to_json({}, std::chrono::system_clock::now()));
  for (std::size_t at = 0; at < names.size(); ++at)
    status(names[at], [collected, at](const Dictionary& status) {
      collected->tunnels[at] = status;
      if (--collected->missing > 0) return;
      std::erase_if(collected->tunnels, [](const Dictionary& tunnel) { return tunnel.empty(); });
      collected->done(to_json(collected->tunnels, std::chrono::system_clock::now()));
    });
}

}  // namespace vpntun::bus
