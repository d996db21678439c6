// check: profiles, with or without a daemon.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/log.h"
#include "config/finding.h"
#include "config/secret.h"
#include "ctl/commands.h"
#include "ctl/tunnel_info.h"

namespace vpntun::ctl {
namespace {

constexpr std::string_view kSuffix = ".toml";

struct ProfileFile {
  std::string path;
  std::string name;
};

bool is_path(const std::string& argument) {
  return argument.find('/') != std::string::npos || argument.ends_with(kSuffix);
}

std::string stem_of(const std::string& path) {
  std::string name = std::filesystem::path(path).filename();
  if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
  return name;
}

// Every profile of the folders, by name; of two with one name the first folder's counts.
std::vector<ProfileFile> all_profiles(const std::vector<std::string>& folders) {
  std::set<std::string> names;
  for (const std::string& folder : folders) {
    std::error_code ignored;  // a folder that is not there has no profiles
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
      if (entry.path().extension() == kSuffix) names.insert(stem_of(entry.path()));
  }
  std::vector<ProfileFile> files;
  for (const std::string& name : names)
    if (const std::optional<std::string> path = config::find_profile(folders, name))
      files.push_back({*path, name});
  return files;
}

// A daemon with folders of its own, the lab's for example, says where it has the profile; no daemon
// is no mistake.
std::optional<std::string> path_at_daemon(const std::string& name) {
  constexpr std::chrono::seconds kPatience{5};
  try {
    Client client(kPatience);
    for (const TunnelInfo& tunnel : tunnels_of(only(parse_document(client.describe()), {name})))
      if (!tunnel.profile_path.empty()) return tunnel.profile_path;
  } catch (const Failure&) {
    return std::nullopt;
  }
  return std::nullopt;
}

ProfileFile file_of(const std::string& argument, const std::vector<std::string>& folders,
                    bool ask_daemon) {
  if (is_path(argument)) return {argument, stem_of(argument)};
  std::optional<std::string> path = config::find_profile(folders, argument);
  if (!path && ask_daemon) path = path_at_daemon(argument);
  if (path) return {*path, argument};
  std::vector<std::string> names;
  for (const ProfileFile& file : all_profiles(folders)) names.push_back(file.name);
  const std::string nearest = nearest_name(argument, names);
  throw Failure(
      kExitNoSuchTunnel,
      fmt::format("there is no profile {}.toml in {}", escaped(argument), fmt::join(folders, ", ")),
      nearest.empty() ? "Give a path with a slash for a file elsewhere, or --profile-folder"
                      : fmt::format("Did you mean \"{}\"?", nearest),
      ErrorKind::kNoSuchTunnel);
}

std::uint64_t count(const std::vector<config::Finding>& findings, config::Severity severity) {
  return static_cast<std::uint64_t>(
      std::ranges::count(findings, severity, &config::Finding::severity));
}

std::string count_line(const std::vector<config::Finding>& findings, std::size_t files) {
  return fmt::format("{}, {} in {}.\n",
                     count_text(count(findings, config::Severity::kError), "error"),
                     count_text(count(findings, config::Severity::kWarning), "warning"),
                     count_text(files, "profile"));
}

// A file elsewhere is nobody's profile yet.
bool is_installed(const std::string& path, const std::vector<std::string>& folders) {
  return std::ranges::find(folders, std::filesystem::path(path).parent_path().string()) !=
         folders.end();
}

}  // namespace

int check(const Options& options, const Console& console) {
  const std::vector<std::string> folders =
      options.profile_folders.empty() ? config::default_profile_folders() : options.profile_folders;
  std::vector<ProfileFile> files;
  for (const std::string& argument : options.names)
    files.push_back(file_of(argument, folders, options.profile_folders.empty()));
  if (options.names.empty()) files = all_profiles(folders);

  std::vector<config::Finding> findings;
  bool failed = false;
  for (const ProfileFile& file : files) {
    config::Loaded loaded = config::load_file(file.path, file.name, config::Reach::kFiles);
    failed = failed || !loaded.profile;
    if (is_installed(file.path, folders))
      if (std::optional<config::Finding> unreadable = config::unreadable_profile(file.path))
        findings.push_back(std::move(*unreadable));
    std::move(loaded.findings.begin(), loaded.findings.end(), std::back_inserter(findings));
  }
  if (options.json)
    console.out << config::to_json(findings) << '\n';
  else if (files.empty())
    console.say(fmt::format("No profiles in {}.\n", fmt::join(folders, ", ")));
  else if (!options.quiet || failed)
    console.out << config::to_text(findings, console.style.colour)
                << count_line(findings, files.size());
  return failed ? 1 : 0;
}

}  // namespace vpntun::ctl
