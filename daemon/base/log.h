// The process's log: one line per call to standard error, with the priority prefix of sd-daemon(3)
// when systemd reads it. Control characters are escaped, so that what a peer or caller sent cannot
// forge a line. Thread: any.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace vpntun::log {

enum class Level { kDebug, kInfo, kNotice, kWarning, kError };

// Call once at start. tag: shown with each line, for example the tunnel's name.
void init(Level minimum, const std::string& tag);
void write(Level level, std::string_view text);

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

}  // namespace vpntun::log

namespace vpntun {

// Text from outside made fit for one line: control characters and invalid UTF-8 as \xNN. The result
// is valid UTF-8. Of a result longer than maximum bytes that much is kept, and "..." added.
std::string escaped(std::string_view text, std::size_t maximum = 200);

}  // namespace vpntun
