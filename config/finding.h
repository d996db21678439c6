// What validation says about a profile: every mistake at once, each with its place, a stable code
// and a cure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/profile.h"

namespace vpntun::config {

// A note says what is not looked at here.
enum class Severity { kError, kWarning, kNote };

struct Finding {
  Severity severity = Severity::kError;
  std::string file;
  std::uint32_t line = 0;    // 1-based; 0: the file as a whole
  std::uint32_t column = 0;  // 1-based, in characters
  std::uint32_t length = 1;  // characters to underline
  std::string code;          // "E0204"; docs/profile.md lists them
  std::string key;           // "peer[1].allowed-ips[0]"
  std::string message;       // "expected a network prefix, got \"10.8.0.300/32\""
  std::string detail;        // beside the caret: "octet 4 is 300, the maximum is 255"; may be empty
  std::string help;          // what to do; may be empty
  std::string
      source_line;  // the line of the file, escaped, cut around the column; empty with line 0
  std::uint32_t mark = 0;  // characters of source_line before the underlined ones
};

// The outcome of loading: a profile only when no finding is an error.
struct Loaded {
  std::optional<Profile> profile;
  std::vector<Finding> findings;  // by position
  bool holds_key = false;         // a secret key stands in the text itself
};

// How far loading looks outside of the profile's text. What is out of reach is a note.
enum class Reach {
  kText,         // not at all: the manager
  kFiles,        // who can read the files of keys: vpnctl check
  kCredentials,  // and "@name" is read: the session, which was given its credentials
};

// Reads, parses and validates one file. Never throws for anything the file is or contains.
Loaded load_file(const std::string& path, const std::string& tunnel_name,
                 Reach reach = Reach::kText);
// The same for text in memory.
Loaded load_text(std::string_view text, const std::string& path, const std::string& tunnel_name,
                 Reach reach = Reach::kText);

// "FILE:LINE:COL: error: KEY: MESSAGE" with source line, caret, help and code, as docs/profile.md
// shows.
std::string to_text(const std::vector<Finding>& findings, bool colour);
// {"schema":"vpnctl.check/1","findings":[...]}
std::string to_json(const std::vector<Finding>& findings);
// "FILE:LINE:COL: KEY: MESSAGE", for a log.
std::string line_of(const Finding& finding);
// One line for a log or an error message: the first error, and how many more there are.
std::string summary(const std::vector<Finding>& findings);
// "3 errors, 0 warnings."
std::string count_line(const std::vector<Finding>& findings);

// The folders profiles are looked up in, first wins: /etc/vpntund, /run/vpntund/profiles,
// /usr/lib/vpntund/profiles.
std::vector<std::string> default_profile_folders();
// The path of NAME.toml in the first folder that has it.
std::optional<std::string> find_profile(const std::vector<std::string>& folders,
                                        std::string_view name);

}  // namespace vpntun::config
