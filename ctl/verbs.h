// The verbs of vpnctl and their options: one table, from which the command line, the help, the
// completions and the test of docs/vpnctl.md are made. Thread: main.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/console.h"

namespace CLI {
class App;
}

namespace vpntun::ctl {

// What the command line said. Each verb reads the part it declared.
struct Options {
  // Every verb.
  bool json = false;
  bool no_color = false;
  bool quiet = false;
  std::uint32_t timeout_seconds = 100;
  std::vector<std::string> names;  // NAME..., or NAME|FILE...

  bool watch = false;    // status
  bool healthy = false;  // status

  bool names_only = false;  // list

  std::string wanted = "configured";  // wait

  std::vector<std::string> profile_folders;  // check

  std::string name;                        // import; empty: of the file
  std::string to_folder = "/etc/vpntund";  // import
  std::string keys = "inline";             // import
  std::string format = "wg-quick";         // export
  bool qr = false;                         // export, peer

  std::string action;                    // peer
  std::string tunnel;                    // peer
  std::string peer;                      // peer
  std::string public_key;                // peer
  std::vector<std::string> addresses;    // peer
  std::vector<std::string> allowed_ips;  // peer
  std::string endpoint_for_client;       // peer
  bool all_traffic = false;              // peer
  std::vector<std::string> dns;          // peer

  std::string write_file;       // capture
  std::uint64_t count = 0;      // capture; 0: no end
  double duration_seconds = 0;  // capture; 0: no end
  std::uint32_t snaplen = 0;    // capture; bytes kept of each packet, 0: all
  bool hex_dump = false;        // capture
  bool with_secrets = false;    // capture

  bool follow = false;                 // logs
  std::optional<std::uint64_t> lines;  // logs
  std::string since;                   // logs

  std::string hex;                // inject
  std::string file;               // inject
  bool from_stdin = false;        // inject
  std::string text;               // inject
  std::vector<std::string> icmp;  // inject: SOURCE DESTINATION
  std::vector<std::string> udp;   // inject: SOURCE:PORT DESTINATION:PORT
  std::string payload;            // inject
  bool echo_reply = false;        // inject
  std::uint32_t ttl = 64;         // inject

  std::vector<std::string> lab_arguments;  // lab
  std::string shell;                       // completion
};

struct Verb {
  std::string_view name;
  std::string_view summary;
  void (*declare)(CLI::App& verb, Options& options);
  // Returns the exit code. Throws Failure and Error.
  int (*run)(const Options& options, const Console& console);
};

std::span<const Verb> verbs() noexcept;

// The whole command line: global options and every verb.
void declare(CLI::App& app, Options& options);

// Parses, runs, reports; the exit code of the program.
int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace vpntun::ctl
