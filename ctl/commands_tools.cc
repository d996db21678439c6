// lab, version, completion.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "ctl/commands.h"
#include "ctl/completion.h"

namespace vpntun::ctl {
namespace {

constexpr const char* kLabProgram = "vpntun-lab";

// Beside vpnctl itself (the build tree), then where it is installed.
std::array<std::filesystem::path, 2> lab_places() {
  std::error_code unreadable;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", unreadable);
  return {self.parent_path() / kLabProgram,
          std::filesystem::path(VPNTUN_LIBEXEC_FOLDER) / kLabProgram};
}

}  // namespace

int lab(const Options& options, const Console&) {
  std::vector<std::string> words{kLabProgram};
  words.insert(words.end(), options.lab_arguments.begin(), options.lab_arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  const auto places = lab_places();
  for (const std::filesystem::path& place : places) {
    ::execv(place.c_str(), arguments.data());
    if (errno != ENOENT)
      throw Failure(
          1, fmt::format("cannot run {}: {}", escaped(place.native()), std::strerror(errno)));
  }
  throw Failure(1,
                fmt::format("the lab is not installed: there is neither {} nor {}",
                            escaped(places[0].native()), escaped(places[1].native())),
                "Install the package vpntun-lab, or build it: cmake --build --preset release "
                "--target vpntun-lab");
}

int version(const Options& options, const Console& console) {
  console.out << "vpnctl " << VPNTUN_VERSION << '\n';
  try {
    Client client(std::chrono::seconds(options.timeout_seconds));
    console.out << "vpntund " << escaped(client.daemon_version()) << '\n';
  } catch (const Failure& failure) {
    if (failure.exit_code() != kExitUnreachable) throw;
    console.out << "vpntund does not run\n";
  }
  return 0;
}

int completion(const Options& options, const Console& console) {
  CLI::App app{"", "vpnctl"};
  Options declared;
  declare(app, declared);
  console.out << completion_script(app, options.shell);
  return 0;
}

}  // namespace vpntun::ctl
