// Profiles as files: which one an argument means, and how one is written. For the verbs that work
// without a daemon. Thread: main.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vpntun::ctl {

struct ProfileFile {
  std::string path;
  std::string name;  // of the tunnel
};

// The file's name without its suffix.
std::string stem_of(const std::string& path, std::string_view suffix = ".toml");
// Every profile of the folders, by name; of two with one name the first folder's counts.
std::vector<ProfileFile> all_profiles(const std::vector<std::string>& folders);
// What NAME|FILE means. ask_daemon: look there too for a name that no folder has. Throws Failure.
ProfileFile find_profile_file(const std::string& argument, const std::vector<std::string>& folders,
                              bool ask_daemon);

// Where `import` and `peer add` put the preshared key of a peer. folder: of the profile.
std::string preshared_key_file(const std::filesystem::path& folder, const std::string& tunnel,
                               const std::string& peer);
// The whole file, at most config::kLargestProfile; "-": standard input. Throws Error.
std::string read_text(const std::string& path);
// A new file that root and the sessions' user can read, 0640 root:vpntun, where this process can
// make it so, and 0600 otherwise. It is there as a whole or not at all. Throws Error, also when
// there is such a file.
void write_secret(const std::string& path, std::string_view text);
// Another text in the place of a file, whose owner and mode it keeps. Throws Error.
void replace_text(const std::string& path, std::string_view text);

}  // namespace vpntun::ctl
