// The process's log. A remark is text: log::info("..."). A change of state is an event of the table
// in base/events.h, with fields a program can look for:
//
//   log::event(log::Event::kEndpointMoved, {.peer = name, .endpoint = text}, "peer {} is at {}",
//   ...)
//
// One line per call, in the journal or on standard error. Control characters are escaped, so that
// what a peer or caller sent cannot forge a line. Thread: any.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/events.h"
#include "base/time.h"

namespace vpntun::log {

inline constexpr std::string_view kIdentifier = "vpntund";  // SYSLOG_IDENTIFIER

// Where lines go.
enum class Target {
  kJournal,  // as structured entries
  kConsole,  // as text on standard error, with the prefix of sd-daemon(3) if the journal reads that
  kNull,     // nowhere
};

// Writes one line, escaped already, into the journal; false: it could not.
using Journal = std::function<bool(const Line& line)>;

struct Setup {
  Level minimum = Level::kInfo;
  std::string name = {};    // shown with each line on standard error
  std::string tunnel = {};  // of a session: the tunnel that its lines are about
  Journal journal = {};     // none: the journal does not read standard error
};

// Call once at start. The target is the journal if there is one, else the console.
void init(Setup setup);

Level level() noexcept;
void set_level(Level minimum) noexcept;
Target target();
// False: there is no journal to write to.
bool set_target(Target target);

void write(Level level, std::string text);
void write(Event event, Fields fields, std::string text);

// Folded repeats: when some will be due, and letting out those that are. The control thread's loop
// does both (service/folded_lines.h).
std::optional<Instant> folded_due();
void let_out_folded(Instant now);
// At the end of the process: all that is left.
void let_out_all_folded();

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kNotice, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}
// The priority is the event's.
template <typename... Args>
void event(Event event, Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  write(event, std::move(fields), fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace vpntun::log

namespace vpntun {

// Text from outside made fit for one line: control characters and invalid UTF-8 as \xNN. The result
// is valid UTF-8. Of a result longer than maximum bytes that much is kept, and "..." added.
std::string escaped(std::string_view text, std::size_t maximum = 200);

}  // namespace vpntun
