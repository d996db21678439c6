// Where a verb prints, and how: standard output and standard error, or strings in a test. Thread:
// main.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "ctl/print.h"

namespace vpntun::ctl {

struct Console {
  std::ostream& out;
  std::ostream& err;
  Style style;         // of out
  Style error_style;   // of err
  bool quiet = false;  // say nothing when all went well

  // What a person wants to know, and a script does not.
  void say(const std::string& text) const {
    if (!quiet) out << text << std::flush;
  }
};

// Whether a terminal gets colours: not with --no-color, NO_COLOR (https://no-color.org) or
// TERM=dumb. no_color_variable, term: of the environment, null when not set.
bool colours_wanted(const char* no_color_variable, const char* term, bool no_color);
// The style for an open descriptor: without colours and sizes unless it is a terminal, whose size
// is asked for now.
Style style_of_descriptor(int fd, bool no_color);

// Microseconds since 1970.
std::uint64_t now_usec();

}  // namespace vpntun::ctl
