#include "ctl/profile_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "config/file_bytes.h"
#include "config/finding.h"
#include "config/secret.h"
#include "ctl/client.h"
#include "ctl/tunnel_info.h"

namespace vpntun::ctl {
namespace {

constexpr std::string_view kSuffix = ".toml";

bool is_path(const std::string& argument) {
  return argument.find('/') != std::string::npos || argument.ends_with(kSuffix);
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

// A file beside the one that it becomes, gone with the object unless it became that.
class Draft {
 public:
  Draft(const std::string& path, std::string_view text)
      : path_(path), draft_(draft_of(path)), file_(create(draft_)) {
    while (!text.empty()) {
      const ssize_t written = ::write(file_.get(), text.data(), text.size());
      if (written < 0 && errno != EINTR) fail("write");
      if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  ~Draft() {
    if (!draft_.empty()) ::unlink(draft_.c_str());
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  void give_to(uid_t owner, gid_t group, mode_t mode) {
    if (::fchown(file_.get(), owner, group) != 0) fail("give an owner to");
    if (::fchmod(file_.get(), mode) != 0) fail("give a mode to");
  }

  // flags: of renameat2(2).
  void become(unsigned flags) {
    if (::fsync(file_.get()) != 0) fail("write");
    if (::renameat2(AT_FDCWD, draft_.c_str(), AT_FDCWD, path_.c_str(), flags) != 0) fail("write");
    draft_.clear();
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw_errno(errno, fmt::format("cannot {} {}", what, escaped(path_)));
  }
  // No profile by its suffix.
  static std::string draft_of(const std::filesystem::path& path) {
    return path.parent_path() / fmt::format(".{}.new-{}", path.filename().string(), ::getpid());
  }
  UniqueFd create(const std::string& draft) const {
    UniqueFd file(
        ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) fail("write");
    return file;
  }

  std::string path_;
  std::string draft_;
  UniqueFd file_;
};

}  // namespace

std::string stem_of(const std::string& path, std::string_view suffix) {
  std::string name = std::filesystem::path(path).filename();
  if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

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

ProfileFile find_profile_file(const std::string& argument, const std::vector<std::string>& folders,
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

std::string read_text(const std::string& path) {
  const UniqueFd file(path == "-" ? ::dup(STDIN_FILENO)
                                  : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  std::string text;
  const int error = file ? config::read_bytes(file.get(), config::kLargestProfile, text) : errno;
  if (error != 0) throw_errno(error, fmt::format("cannot read {}", escaped(path)));
  if (text.size() > config::kLargestProfile)
    throw Error(ErrorKind::kFailed, "{} is larger than {} bytes", escaped(path),
                config::kLargestProfile);
  return text;
}

std::string preshared_key_file(const std::filesystem::path& folder, const std::string& tunnel,
                               const std::string& peer) {
  return folder / fmt::format("{}.{}.psk", tunnel, peer);
}

void write_secret(const std::string& path, std::string_view text) {
  Draft draft(path, text);
  const std::optional<config::SessionUser> user = config::session_user();
  if (::geteuid() == 0 && user) draft.give_to(0, user->group, 0640);
  draft.become(RENAME_NOREPLACE);
}

void replace_text(const std::string& path, std::string_view text) {
  // A link stays one: what it leads to is replaced.
  const std::string target = std::filesystem::canonical(path);
  struct stat file {};
  if (::stat(target.c_str(), &file) != 0)
    throw_errno(errno, fmt::format("cannot read {}", escaped(path)));
  Draft draft(target, text);
  draft.give_to(file.st_uid, file.st_gid, file.st_mode & 07777u);
  draft.become(0);
}

}  // namespace vpntun::ctl
