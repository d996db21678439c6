// What a profile takes from outside of its text: credentials of systemd, written "@name", and files
// with keys. Says who may not read such a file, and who must be able to. Called by the loader and
// vpnctl check. Pure, but for the functions that say what they look at.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "config/finding.h"
#include "config/value_text.h"

namespace vpntun::config {

inline bool is_credential(std::string_view text) noexcept {
  return text.starts_with('@');
}
// Why "@name" names none; "" when it does.
std::string why_no_credential(std::string_view text);
// How a unit provides it.
std::string unit_setting_of(std::string_view credential);
// The text of "@name", without white space around it, from the folder $CREDENTIALS_DIRECTORY of
// this process. What it says is never part of the reason.
Parsed<std::string> read_credential(std::string_view text);

// The user that sessions run as.
struct SessionUser {
  std::string name;
  uid_t user = 0;
  gid_t group = 0;
};
// Asks the user database. Nothing: there is no user vpntun, and sessions run as root.
std::optional<SessionUser> session_user();

// What is wrong with the file of a key: who else can read or exchange it, or that the session
// cannot; "" when nothing is. Names path, mode, owner and what is expected.
std::string why_no_key_file(const std::string& path, const struct stat& file,
                            const std::optional<SessionUser>& user);
// A key's file as it is now.
struct KeyFile {
  std::string why;                     // what is wrong with it; empty: nothing
  std::optional<std::string> content;  // without white space around it; the caller's to wipe
};
// kFiles: without content when this process may not read it, and the session may. kCredentials: the
// session asks, so that it can read the file is seen, and this process's user may own it.
KeyFile open_key_file(const std::string& path, Reach reach);

// Who else can read or exchange a profile with a key in it; "" when nobody.
std::string why_open_profile(const struct stat& file, Reach reach);

// A warning when the session's user cannot read the profile. path: as it is now.
std::optional<Finding> unreadable_profile(const std::string& path);
std::optional<Finding> unreadable_profile(const std::string& path, const struct stat& file,
                                          const std::optional<SessionUser>& user);

}  // namespace vpntun::config
