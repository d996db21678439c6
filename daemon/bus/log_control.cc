#include "bus/log_control.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "bus/errors.h"
#include "dbus/names.h"

namespace vpntun::bus {

namespace {

struct TargetWord {
  std::string_view word;
  log::Target target;
};
constexpr std::array kTargets{
    TargetWord{"journal", log::Target::kJournal},
    TargetWord{"console", log::Target::kConsole},
    TargetWord{"null", log::Target::kNull},
};

void set_target(const std::string& word) {
  if (word == "auto") {
    if (!log::set_target(log::Target::kJournal)) log::set_target(log::Target::kConsole);
    return;
  }
  const auto* const at = std::find_if(kTargets.begin(), kTargets.end(),
                                      [&](const TargetWord& known) { return known.word == word; });
  if (at == kTargets.end())
    throw Error(ErrorKind::kInvalidArguments,
                "\"{}\" is no place for the log; known: journal, console, null, auto",
                escaped(word));
  if (!log::set_target(at->target))
    throw Error(ErrorKind::kNotSupported,
                "the journal does not read this process's standard error");
}

}  // namespace

LogControl::LogControl(Connection& connection)
    : AdaptorInterfaces(connection.sdbus(), sdbus::ObjectPath(std::string(dbus::kLogControlPath))) {
  registerAdaptor();
}

LogControl::~LogControl() {
  unregisterAdaptor();
}

std::string LogControl::LogLevel() {
  return std::string(to_string(log::level()));
}

void LogControl::LogLevel(const std::string& word) {
  guarded([&] {
    const std::optional<log::Level> level = log::level_of(word);
    if (!level)
      throw Error(ErrorKind::kInvalidArguments,
                  "\"{}\" is no log level; known: emerg, alert, crit, err, warning, notice, info, "
                  "debug",
                  escaped(word));
    // Told while the more talkative of the two levels holds.
    const bool louder = *level > log::level();
    if (louder) log::set_level(*level);
    log::event(log::Event::kLogLevelSet, {}, "the log level is {}", word);
    log::set_level(*level);
  });
}

std::string LogControl::LogTarget() {
  const log::Target target = log::target();
  return std::string(std::find_if(kTargets.begin(), kTargets.end(), [&](const TargetWord& known) {
                       return known.target == target;
                     })->word);
}

void LogControl::LogTarget(const std::string& word) {
  guarded([&] { set_target(word); });
}

std::string LogControl::SyslogIdentifier() {
  return std::string(log::kIdentifier);
}

}  // namespace vpntun::bus
