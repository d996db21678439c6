// check: profiles, with or without a daemon.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "config/finding.h"
#include "config/secret.h"
#include "ctl/commands.h"
#include "ctl/profile_file.h"

namespace vpntun::ctl {
namespace {

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
    files.push_back(find_profile_file(argument, folders, options.profile_folders.empty()));
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
