// What a path may lead to that is no profile.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/finding.h"

namespace vpntun::config {
namespace {

namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  File() {
    std::string pattern = (fs::temp_directory_path() / "config_test.XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    fs::permissions(folder_, fs::perms(0755));
  }
  ~File() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

  fs::path folder_;
};

constexpr std::string_view kGood = "[tunnel]\nencryption = \"none\"\n";

// The only finding.
Finding finding_of(const std::string& path, const std::string& name = "x") {
  const Loaded loaded = load_file(path, name);
  EXPECT_FALSE(loaded.profile);
  EXPECT_EQ(loaded.findings.size(), 1u) << to_text(loaded.findings, false);
  return loaded.findings.empty() ? Finding{} : loaded.findings[0];
}

TEST_F(File, that_is_good_gives_a_profile_with_name_and_path) {
  const std::string good = write("good.toml", kGood);
  const Loaded loaded = load_file(good, "good");
  ASSERT_TRUE(loaded.profile) << to_text(loaded.findings, false);
  EXPECT_EQ(loaded.profile->name, "good");
  EXPECT_EQ(loaded.profile->path, good);
}

TEST_F(File, that_is_missing_is_named) {
  const Finding finding = finding_of(path("none.toml"));
  EXPECT_EQ(finding.code, "E0103");
  EXPECT_EQ(finding.line, 0u);
  EXPECT_EQ(finding.message, "cannot read it: No such file or directory");
  EXPECT_EQ(to_text({finding}, false), path("none.toml") +
                                           ": error: cannot read it: No such file or directory\n"
                                           "      = code: E0103\n");
}

TEST_F(File, that_is_a_folder_is_refused) {
  EXPECT_EQ(finding_of(folder_.string()).message, "expected a file, found a directory");
}

TEST_F(File, that_is_a_pipe_does_not_block) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(finding_of(path("pipe")).message, "expected a file, found a named pipe");
}

TEST_F(File, that_is_a_device_is_refused) {
  EXPECT_EQ(finding_of("/dev/zero").message, "expected a file, found a device");
}

TEST_F(File, behind_links_in_a_circle_is_refused) {
  fs::create_symlink(path("b"), path("a"));
  fs::create_symlink(path("a"), path("b"));
  EXPECT_EQ(finding_of(path("a")).code, "E0103");
}

// Root may read everything, so another user tries.
TEST_F(File, that_may_not_be_read_is_refused) {
  const std::string closed = write("closed.toml", kGood);
  ASSERT_EQ(::chmod(closed.c_str(), 0), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(2);
    const Loaded loaded = load_file(closed, "x");
    const bool right = loaded.findings.size() == 1 && loaded.findings[0].code == "E0103" &&
                       loaded.findings[0].message == "cannot read it: Permission denied";
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(File, of_ten_megabytes_of_noise_is_refused_unread) {
  std::string noise(10'000'000, '\0');
  std::uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  const Finding finding = finding_of(write("noise.toml", noise));
  EXPECT_EQ(finding.code, "E0105");
  EXPECT_EQ(finding.line, 0u);
}

TEST_F(File, of_exactly_four_mebibytes_is_read) {
  std::string text(kGood);
  text += "#" + std::string((4 << 20) - text.size() - 1, 'x');
  EXPECT_TRUE(load_file(write("large.toml", text), "x").profile);
  EXPECT_EQ(finding_of(write("larger.toml", text + "x")).code, "E0105");
}

TEST_F(File, that_is_not_utf8_is_refused_at_the_byte) {
  const Finding finding = finding_of(write("latin1.toml", "[tunnel]\n# caf\xe9\n"));
  EXPECT_EQ(finding.code, "E0106");
  EXPECT_EQ(finding.message, "byte 14 of the file is not UTF-8");
  EXPECT_EQ(finding.line, 2u);
  EXPECT_EQ(finding.column, 6u);
  EXPECT_EQ(finding.source_line, "# caf\\xe9");
}

TEST_F(File, with_a_nul_byte_is_refused_at_the_byte) {
  using std::string_view_literals::operator""sv;
  const Finding finding = finding_of(write("nul.toml", "[tunnel]\na\0b"sv));
  EXPECT_EQ(finding.code, "E0107");
  EXPECT_EQ(finding.line, 2u);
  EXPECT_EQ(finding.column, 2u);
}

TEST_F(File, that_is_empty_says_nothing) {
  EXPECT_EQ(finding_of(write("empty.toml", "")).code, "E0111");
  EXPECT_EQ(finding_of(write("comment.toml", "# nothing\n")).code, "E0111");
}

TEST_F(File, with_a_name_that_is_no_tunnels_is_refused) {
  const Finding finding = finding_of(write("my tunnel.toml", kGood), "my tunnel");
  EXPECT_EQ(finding.code, "E0110");
  EXPECT_EQ(finding.message, "\"my tunnel\" is no name for a tunnel");
}

TEST_F(File, is_found_in_the_first_folder_that_has_it) {
  fs::create_directories(folder_ / "etc");
  fs::create_directories(folder_ / "run");
  const std::vector folders{path("missing"), path("etc"), path("run")};
  write("run/lab.toml", kGood);
  EXPECT_EQ(find_profile(folders, "lab"), path("run/lab.toml"));
  write("etc/lab.toml", kGood);
  EXPECT_EQ(find_profile(folders, "lab"), path("etc/lab.toml"));
  EXPECT_EQ(find_profile(folders, "other"), std::nullopt);
  EXPECT_EQ(find_profile(folders, "../run/lab"), std::nullopt);
  EXPECT_EQ(default_profile_folders().front(), "/etc/vpntund");
  EXPECT_EQ(default_profile_folders().size(), 3u);
}

}  // namespace
}  // namespace vpntun::config
