#include "ctl/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string_view>

namespace vpntun::ctl {

bool colours_wanted(const char* no_color_variable, const char* term, bool no_color) {
  const bool refused = no_color || (no_color_variable != nullptr && *no_color_variable != '\0');
  return !refused && term != nullptr && std::string_view(term) != "dumb";
}

Style style_of_descriptor(int fd, bool no_color) {
  if (::isatty(fd) == 0) return {};
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size = {24, 80, 0, 0};
  return {colours_wanted(std::getenv("NO_COLOR"), std::getenv("TERM"), no_color), size.ws_col,
          size.ws_row};
}

std::uint64_t now_usec() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace vpntun::ctl
