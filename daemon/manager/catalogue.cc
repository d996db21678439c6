#include "manager/catalogue.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "config/finding.h"
#include "config/profile.h"

namespace vpntun::manager {

namespace {

using std::chrono::milliseconds;

// An editor's save is several events; one look after them is enough.
constexpr milliseconds kDebounce{100};
// When folders cannot be watched: to look, and to try again.
constexpr milliseconds kRetry{1000};
constexpr std::string_view kSuffix = ".toml";
constexpr std::int64_t kNanoseconds = 1'000'000'000;

ProfileEntry load(const std::string& name, const std::string& path) {
  ProfileEntry entry;
  entry.name = name;
  entry.path = path;
  const config::Loaded loaded = config::load_file(path, name);
  if (loaded.profile) {
    entry.valid = true;
    entry.time_usec = loaded.profile->modified_usec;
    entry.description = loaded.profile->description;
    entry.kind = word_of(loaded.profile->kind);
    entry.encryption = word_of(loaded.profile->encryption);
    entry.active_session = loaded.profile->active_session;
  } else {
    entry.problem = config::summary(loaded.findings);
  }
  return entry;
}

// A folder that does not exist is empty; error: it cannot be read.
std::vector<std::string> names_in(const std::string& folder, std::error_code& error) {
  std::vector<std::string> names;
  std::filesystem::directory_iterator entries(folder, error);
  while (!error && entries != std::filesystem::directory_iterator()) {
    names.push_back(entries->path().filename().string());
    entries.increment(error);
  }
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory)
    error.clear();
  std::ranges::sort(names);
  return names;
}

// The tunnel's name; empty when the file is no profile at all (hidden files are editors' business).
std::string_view stem_of(std::string_view file) {
  if (!file.ends_with(kSuffix) || file.starts_with('.')) return {};
  return file.substr(0, file.size() - kSuffix.size());
}

}  // namespace

Catalogue::Catalogue(service::Loop& loop, std::vector<std::string> folders)
    : loop_(loop),
      folders_(std::move(folders)),
      watch_(loop, folders_, [this](std::string_view file) { file_changed(file); }) {
  refresh();
}

const ProfileEntry* Catalogue::find(const std::string& name) const noexcept {
  const auto at = profiles_.find(name);
  return at == profiles_.end() ? nullptr : &at->second;
}

void Catalogue::file_changed(std::string_view file) {
  const std::string_view name = stem_of(file);
  if (!name.empty()) dirty_.emplace(name);
  if (!debounce_) refresh_after(kDebounce);
}

void Catalogue::refresh_after(Duration wait) {
  debounce_ = loop_.add_timer(loop_.now() + wait, [this] { refresh(); });
}

void Catalogue::refresh() {
  debounce_ = {};
  try {
    watch_.renew();
  } catch (const Error& error) {
    log::warning("{}; they are looked at every second", error.what());
    refresh_after(kRetry);
  }
  const std::map<std::string, Version> found = scan();
  std::vector<std::string> changed;
  for (const auto& [name, version] : found) {
    const auto known = versions_.find(name);
    if (known != versions_.end() && known->second == version && !dirty_.contains(name)) continue;
    ProfileEntry entry = load(name, version.path);
    if (const ProfileEntry* before = find(name); before && *before == entry) continue;
    profiles_.insert_or_assign(name, std::move(entry));
    changed.push_back(name);
  }
  for (const auto& [name, version] : versions_)
    if (!found.contains(name) && profiles_.erase(name) > 0) changed.push_back(name);
  versions_ = found;
  dirty_.clear();
  if (!changed_) return;
  for (const std::string& name : changed) changed_(name);
}

std::map<std::string, Catalogue::Version> Catalogue::scan() {
  std::map<std::string, Version> found;
  for (const std::string& folder : folders_) scan_folder(folder, found);
  return found;
}

void Catalogue::scan_folder(const std::string& folder, std::map<std::string, Version>& found) {
  std::error_code error;
  const std::vector<std::string> files = names_in(folder, error);
  if (error) return keep_known(folder, error.message(), found);
  unreadable_.erase(folder);
  for (const std::string& file : files) {
    const std::string name(stem_of(file));
    if (name.empty() || found.contains(name)) continue;
    const std::string path = fmt::format("{}/{}", folder, file);
    if (!config::is_tunnel_name(name)) {
      warn_once(path,
                "its name cannot be a tunnel's (letters, digits, \"_\", \".\", \"-\", at most 64)");
      continue;
    }
    if (found.size() >= kMaximum) {
      warn_once(folder, "more than 256 profiles; the rest is ignored");
      return;
    }
    Version version;
    version.path = path;
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
      version.inode = status.st_ino;
      version.size = status.st_size;
      version.modified_ns = status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec;
      version.changed_ns = status.st_ctim.tv_sec * kNanoseconds + status.st_ctim.tv_nsec;
    }
    found.emplace(name, std::move(version));
  }
}

// That it cannot be read now (no descriptors left, another mode) does not mean that it is empty.
void Catalogue::keep_known(const std::string& folder, const std::string& why,
                           std::map<std::string, Version>& found) {
  if (unreadable_.insert(folder).second)
    log::warning("cannot read the profile folder {}: {}; its profiles stay as they were known",
                 escaped(folder), why);
  for (const auto& [name, version] : versions_)
    if (version.path == fmt::format("{}/{}{}", folder, name, kSuffix)) found.emplace(name, version);
  refresh_after(kRetry);
}

void Catalogue::warn_once(const std::string& subject, std::string_view problem) {
  constexpr std::size_t kRemembered = 1024;
  if (warned_.size() < kRemembered && warned_.insert(subject).second)
    log::event(log::Event::kProfileIgnored, {}, "profile {} is ignored: {}", escaped(subject),
               problem);
}

}  // namespace vpntun::manager
