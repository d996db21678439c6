#include "bus/options.h"

#include <getopt.h>

#include <array>
#include <cstdlib>
#include <map>
#include <string_view>

#include "base/error.h"
#include "config/finding.h"
#include "config/profile.h"

namespace vpntun::bus {

namespace {

template <typename Value>
Value choice(std::string_view option, std::string_view word,
             const std::map<std::string_view, Value>& words) {
  if (const auto at = words.find(word); at != words.end()) return at->second;
  std::string known;
  for (const auto& [key, value] : words) known += (known.empty() ? "" : ", ") + std::string(key);
  throw Error(ErrorKind::kInvalidArguments, "{}: \"{}\" is none of {}", option, escaped(word),
              known);
}

std::string tunnel_name(std::string_view option, const char* value) {
  if (!config::is_tunnel_name(value))
    throw Error(ErrorKind::kInvalidArguments, "{}: \"{}\" cannot be a tunnel's name", option,
                escaped(value));
  return value;
}

void take(Options& options, int option, const char* value) {
  using Launcher = Options::Launcher;
  using Level = log::Level;
  switch (option) {
    case 'h':
      options.help = true;
      break;
    case 'V':
      options.version = true;
      break;
    case 's':
      options.session = tunnel_name("--session", value);
      break;
    case 'R':
      options.reload = tunnel_name("--reload", value);
      break;
    case 'l':
      options.launcher = choice<Launcher>("--launcher", value,
                                          {{"auto", Launcher::kAuto},
                                           {"systemd", Launcher::kSystemd},
                                           {"process", Launcher::kProcess}});
      break;
    case 'p':
      options.profile_folders.emplace_back(value);
      break;
    case 'r':
      options.runtime_folder = value;
      break;
    case 'L':
      options.log_level = choice<Level>("--log-level", value,
                                        {{"debug", Level::kDebug},
                                         {"info", Level::kInfo},
                                         {"notice", Level::kNotice},
                                         {"warning", Level::kWarning},
                                         {"error", Level::kError}});
      break;
    default:
      throw Error(ErrorKind::kInvalidArguments, "see vpntund --help");
  }
}

// systemd gives $RUNTIME_DIRECTORY; without systemd the usual place, if we may.
std::string default_runtime_folder() {
  if (const char* given = std::getenv("RUNTIME_DIRECTORY"); given != nullptr && *given != '\0')
    return given;
  return ::geteuid() == 0 ? "/run/vpntund" : "";
}

}  // namespace

Options parse_options(int argc, char** argv) {
  static constexpr std::array kKnown{
      option{"help", no_argument, nullptr, 'h'},
      option{"version", no_argument, nullptr, 'V'},
      option{"session", required_argument, nullptr, 's'},
      option{"reload", required_argument, nullptr, 'R'},
      option{"launcher", required_argument, nullptr, 'l'},
      option{"profile-folder", required_argument, nullptr, 'p'},
      option{"runtime-folder", required_argument, nullptr, 'r'},
      option{"log-level", required_argument, nullptr, 'L'},
      option{nullptr, 0, nullptr, 0},
  };
  Options options;
  for (int found = 0; (found = ::getopt_long(argc, argv, "hV", kKnown.data(), nullptr)) != -1;)
    take(options, found, optarg);
  if (optind < argc)
    throw Error(ErrorKind::kInvalidArguments, "unexpected argument \"{}\"; see vpntund --help",
                escaped(argv[optind]));
  if (options.profile_folders.empty()) options.profile_folders = config::default_profile_folders();
  if (options.runtime_folder.empty()) options.runtime_folder = default_runtime_folder();
  return options;
}

std::string usage() {
  return R"(vpntund: tunnel daemon. Without --session: the manager, which owns org.vpntun1 on the system bus
and starts, stops and shows tunnels (vpnctl is its client).

  --session NAME         be the tunnel NAME, in the foreground (what vpntund@NAME.service runs)
  --reload NAME          let the running tunnel NAME take in its changed profile, and say what came of it
  --profile-folder DIR   where NAME.toml is looked up; again for more, first wins
                         (default: /etc/vpntund, /run/vpntund/profiles, /usr/lib/vpntund/profiles)
  --launcher WORD        how the manager runs sessions: systemd (units), process (children), auto
  --runtime-folder DIR   for the socket sessions report to ($RUNTIME_DIRECTORY, /run/vpntund)
  --log-level WORD       debug info notice warning error
  --version, --help

DBUS_SYSTEM_BUS_ADDRESS selects another bus.
)";
}

std::string version_line() {
  return "vpntund " VPNTUN_VERSION;
}

}  // namespace vpntun::bus
