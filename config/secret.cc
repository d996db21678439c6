#include "config/secret.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "base/log.h"
#include "base/unique_fd.h"
#include "config/file_bytes.h"
#include "config/report.h"
#include "config/source_text.h"
#include "crypto/crypto.h"

namespace vpntun::config {
namespace {

constexpr std::size_t kMaxCredential = 4096;  // bytes
constexpr std::string_view kWhite = " \t\r\n";

std::string reason_of(int error_number) {
  return std::generic_category().message(error_number);
}

std::string name_of_user(uid_t user) {
  const passwd* entry = ::getpwuid(user);
  return entry ? escaped(entry->pw_name) : fmt::format("{}", user);
}

std::string name_of_group(gid_t group) {
  const ::group* entry = ::getgrgid(group);
  return entry ? escaped(entry->gr_name) : fmt::format("{}", group);
}

// "mode 0644, owner root:root"
std::string access_of(const struct stat& file) {
  return fmt::format("mode {:04o}, owner {}:{}", file.st_mode & 07777u, name_of_user(file.st_uid),
                     name_of_group(file.st_gid));
}

// By the bits of the mode, as for a process of that user without further groups.
bool can_read(const struct stat& file, const SessionUser& user) {
  if (file.st_uid == user.user) return (file.st_mode & S_IRUSR) != 0;
  if (file.st_gid == user.group) return (file.st_mode & S_IRGRP) != 0;
  return (file.st_mode & S_IROTH) != 0;
}

using Users = std::vector<SessionUser>;

// Whom root may share a secret with: the session's user, and whoever this process is where it is
// the session or asks for itself.
Users trusted(Reach reach) {
  Users users;
  if (const auto session = session_user()) users.push_back(*session);
  if (reach != Reach::kFiles || users.empty())
    users.push_back({name_of_user(::geteuid()), ::geteuid(), ::getegid()});
  return users;
}

std::string why_exposed(const struct stat& file, const Users& users) {
  const auto is = [](auto id, auto of) {
    return [=](const SessionUser& each) { return each.*of == id; };
  };
  const bool owner_trusted =
      file.st_uid == 0 || std::ranges::any_of(users, is(file.st_uid, &SessionUser::user));
  const bool group_trusted =
      file.st_gid == 0 || std::ranges::any_of(users, is(file.st_gid, &SessionUser::group));
  if ((file.st_mode & S_IROTH) != 0) return "readable by everybody";
  if ((file.st_mode & S_IWOTH) != 0) return "writable by everybody";
  if ((file.st_mode & S_IWGRP) != 0)
    return fmt::format("writable by group {}", name_of_group(file.st_gid));
  if ((file.st_mode & S_IRGRP) != 0 && !group_trusted)
    return fmt::format("readable by group {}", name_of_group(file.st_gid));
  if (!owner_trusted) return fmt::format("{} can read and exchange it", name_of_user(file.st_uid));
  return "";
}

// reader: who must be able to read it, if somebody.
std::string why_no_key_file(const std::string& path, const struct stat& file, const Users& users,
                            const std::optional<SessionUser>& reader) {
  const std::string shown = escaped(path, 4096);
  if (S_ISLNK(file.st_mode))
    return fmt::format("{} is a symbolic link; name the file itself", shown);
  if (!S_ISREG(file.st_mode)) return fmt::format("{} is no regular file", shown);
  std::string why = why_exposed(file, users);
  if (why.empty() && reader && !can_read(file, *reader))
    why = fmt::format("the session runs as user {}, which cannot read it", reader->name);
  if (why.empty()) return "";
  const std::string expected = users.empty() || users[0].user == 0
                                   ? "0600 root:root"
                                   : fmt::format("0600 {0}:{0} or 0640 root:{0}", users[0].name);
  return fmt::format("{}: {}: {}; expected {}", shown, access_of(file), why, expected);
}

std::string trimmed(const std::string& bytes) {
  const std::size_t begin = bytes.find_first_not_of(kWhite);
  return begin == std::string::npos
             ? ""
             : bytes.substr(begin, bytes.find_last_not_of(kWhite) + 1 - begin);
}

// The regular file of that name in the folder, or why there is none.
Parsed<UniqueFd> open_in(const char* folder, const std::string& name) {
  const UniqueFd directory(::open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return {{}, {fmt::format("$CREDENTIALS_DIRECTORY: {}", reason_of(errno)), ""}};
  UniqueFd file(::openat(directory.get(), name.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file && errno == ENOENT)
    return {{}, {"the unit loads no credential of that name", unit_setting_of(name)}};
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0)
    return {{}, {fmt::format("cannot read it: {}", reason_of(errno)), ""}};
  if (!S_ISREG(status.st_mode)) return {{}, {"it is no regular file", ""}};
  return {std::move(file), {}};
}

}  // namespace

std::string why_no_credential(std::string_view text) {
  return why_no_tunnel_name(text.substr(1));
}

std::string unit_setting_of(std::string_view credential) {
  if (is_credential(credential)) credential.remove_prefix(1);
  return fmt::format("the unit must load it: LoadCredential={}:PATH", credential);
}

Parsed<std::string> read_credential(std::string_view text) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (!folder || *folder == '\0')
    return {{}, {"this process was given no credentials", unit_setting_of(text)}};
  const Parsed<UniqueFd> file = open_in(folder, std::string(text.substr(1)));
  if (!file.value) return {{}, file.why};
  std::string bytes;
  if (const int error = read_bytes(file.value->get(), kMaxCredential, bytes))
    return {{}, {fmt::format("cannot read it: {}", reason_of(error)), ""}};
  if (bytes.size() > kMaxCredential)
    return {{}, {fmt::format("it is larger than {} bytes", kMaxCredential), ""}};
  std::string text_in_it = trimmed(bytes);
  crypto::wipe(bytes);
  if (text_in_it.empty()) return {{}, {"it is empty", ""}};
  return {std::move(text_in_it), {}};
}

std::optional<SessionUser> session_user() {
  const passwd* entry = ::getpwnam("vpntun");
  if (!entry) return std::nullopt;
  return SessionUser{entry->pw_name, entry->pw_uid, entry->pw_gid};
}

std::string why_no_key_file(const std::string& path, const struct stat& file,
                            const std::optional<SessionUser>& user) {
  return why_no_key_file(path, file, user ? Users{*user} : Users{}, user);
}

KeyFile open_key_file(const std::string& path, Reach reach) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  const int error = file ? 0 : errno;
  const bool looked_at_only = !file;
  // The session has found out whether it can read it.
  std::optional<SessionUser> reader;
  if (reach != Reach::kCredentials)
    reader = session_user();
  else if (error == EACCES)
    reader = SessionUser{name_of_user(::geteuid()), ::geteuid(), ::getegid()};
  if (!file) file = UniqueFd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0)
    return {fmt::format("{}: {}", escaped(path, 4096), reason_of(errno)), {}};
  if (std::string why = why_no_key_file(path, status, trusted(reach), reader); !why.empty())
    return {std::move(why), {}};
  if (looked_at_only && error == EACCES && reach == Reach::kFiles) return {};
  std::string bytes;
  const int failed = looked_at_only ? error : read_bytes(file.get(), kMaxCredential, bytes);
  if (failed != 0) return {fmt::format("{}: {}", escaped(path, 4096), reason_of(failed)), {}};
  KeyFile read{"", trimmed(bytes)};
  crypto::wipe(bytes);
  return read;
}

std::string why_open_profile(const struct stat& file, Reach reach) {
  const std::string why = why_exposed(file, trusted(reach));
  return why.empty() ? "" : fmt::format("{}: {}", access_of(file), why);
}

std::optional<Finding> unreadable_profile(const std::string& path, const struct stat& file,
                                          const std::optional<SessionUser>& user) {
  if (!user || !S_ISREG(file.st_mode) || can_read(file, *user)) return std::nullopt;
  const SourceText none{""};
  Report report(none, path);
  report.add(Code::kUnreadable, {},
             fmt::format("{}: the session runs as user {}, which cannot read this file",
                         access_of(file), user->name),
             {"", fmt::format("chgrp {0} {1} && chmod 0640 {1}", user->name, escaped(path, 4096))});
  return report.take().front();
}

std::optional<Finding> unreadable_profile(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return unreadable_profile(path, status, session_user());
}

}  // namespace vpntun::config
