// Credentials and files of keys: what may be taken, from where, and who may not be able to read it.
#include "config/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/finding.h"

namespace vpntun::config {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr uid_t kVpntun = 64000;

std::optional<SessionUser> vpntun() {
  return SessionUser{"vpntun", kVpntun, kVpntun};
}

struct stat file_of(mode_t mode, uid_t owner = 0, gid_t group = 0) {
  struct stat file {};
  file.st_mode = S_IFREG | mode;
  file.st_uid = owner;
  file.st_gid = group;
  return file;
}

std::string key_problem(const struct stat& file,
                        const std::optional<SessionUser>& user = vpntun()) {
  return why_no_key_file("/etc/vpntund/lab.key", file, user);
}

TEST(KeyFile, MayBeReadByRootAndTheSessionsUserAlone) {
  EXPECT_EQ(key_problem(file_of(0640, 0, kVpntun)), "");
  EXPECT_EQ(key_problem(file_of(0600, kVpntun, kVpntun)), "");
  EXPECT_EQ(key_problem(file_of(0400, kVpntun, 0)), "");
  EXPECT_EQ(key_problem(file_of(0600), std::nullopt), "");
}

TEST(KeyFile, ThatOthersCanReadIsNamedWithModeOwnerAndWhatIsExpected) {
  EXPECT_EQ(key_problem(file_of(0644)),
            "/etc/vpntund/lab.key: mode 0644, owner root:root: readable by everybody; expected "
            "0600 vpntun:vpntun or 0640 root:vpntun");
  EXPECT_EQ(key_problem(file_of(0604), std::nullopt),
            "/etc/vpntund/lab.key: mode 0604, owner root:root: readable by everybody; expected "
            "0600 root:root");
  EXPECT_THAT(key_problem(file_of(0642, 0, kVpntun)), HasSubstr("writable by everybody"));
  EXPECT_THAT(key_problem(file_of(0660, 0, kVpntun)), HasSubstr("writable by group 64000"));
  EXPECT_THAT(key_problem(file_of(0640, 0, 65000)), HasSubstr("readable by group 65000"));
  EXPECT_THAT(key_problem(file_of(0600, 65000, 0)), HasSubstr("65000 can read and exchange it"));
}

TEST(KeyFile, ThatTheSessionCannotReadIsNoUse) {
  EXPECT_THAT(key_problem(file_of(0600)),
              HasSubstr("the session runs as user vpntun, which cannot read it"));
  EXPECT_THAT(key_problem(file_of(0640)), HasSubstr("cannot read it"));
}

TEST(KeyFile, IsARegularFile) {
  struct stat link = file_of(0600);
  link.st_mode = S_IFLNK | 0777;
  EXPECT_THAT(key_problem(link), HasSubstr("symbolic link"));
  struct stat pipe = file_of(0600);
  pipe.st_mode = S_IFIFO | 0600;
  EXPECT_THAT(key_problem(pipe), HasSubstr("no regular file"));
  EXPECT_THAT(why_no_key_file("/nowhere/lab.key"), HasSubstr("No such file"));
}

TEST(ProfileFile, ThatTheSessionsUserCannotReadIsWarnedOf) {
  const auto finding = unreadable_profile("/etc/vpntund/lab.toml", file_of(0600), vpntun());
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->severity, Severity::kWarning);
  EXPECT_EQ(finding->message,
            "mode 0600, owner root:root: the session runs as user vpntun, which cannot read this "
            "file");
  EXPECT_EQ(finding->help,
            "chgrp vpntun /etc/vpntund/lab.toml && chmod 0640 /etc/vpntund/lab.toml");
  EXPECT_FALSE(unreadable_profile("x", file_of(0640, 0, kVpntun), vpntun()));
  EXPECT_FALSE(unreadable_profile("x", file_of(0644), vpntun()));
  EXPECT_FALSE(unreadable_profile("x", file_of(0600), std::nullopt));
}

// A folder of credentials of its own.
class Credentials : public testing::Test {
 protected:
  Credentials() : folder_(fs::temp_directory_path() / fmt_name()) {
    fs::create_directories(folder_);
    ::setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  }
  ~Credentials() override {
    ::unsetenv("CREDENTIALS_DIRECTORY");
    fs::remove_all(folder_);
  }
  static std::string fmt_name() { return "vpntun-credentials-" + std::to_string(::getpid()); }
  void put(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  static Loaded load(Reach reach, const std::string& more = "") {
    return load_text(
        "[tunnel]\nencryption = \"none\"\n[[peer]]\nendpoint = \"@office\"\n"
        "allowed-ips = \"10.9.0.0/16\"\n" +
            more,
        "x.toml", "x", reach);
  }

  fs::path folder_;
};

TEST_F(Credentials, AnEndpointIsReadFromOne) {
  put("office", "  10.0.2.8:9090\n");
  const Loaded loaded = load(Reach::kCredentials);
  EXPECT_EQ(to_text(loaded.findings, false), "");
  ASSERT_TRUE(loaded.profile);
  EXPECT_EQ(loaded.profile->peers[0].endpoint->to_string(), "10.0.2.8:9090");
}

TEST_F(Credentials, OutOfReachAreANoteThatSaysWhichUnitSettingProvidesThem) {
  for (const Reach reach : {Reach::kText, Reach::kFiles}) {
    const Loaded loaded = load(reach);
    EXPECT_TRUE(loaded.profile);
    ASSERT_EQ(loaded.findings.size(), 1u);
    EXPECT_EQ(loaded.findings[0].severity, Severity::kNote);
    EXPECT_EQ(loaded.findings[0].code, "N0301");
    EXPECT_EQ(loaded.findings[0].help, "the unit must load it: LoadCredential=office:PATH");
    EXPECT_EQ(count_line(loaded.findings), "0 errors, 0 warnings.");
  }
}

TEST_F(Credentials, ThatAreMissingSayHowTheUnitLoadsThem) {
  Loaded loaded = load(Reach::kCredentials);
  EXPECT_FALSE(loaded.profile);
  EXPECT_THAT(to_text(loaded.findings, false),
              HasSubstr("the unit must load it: LoadCredential=office:PATH"));
  ::unsetenv("CREDENTIALS_DIRECTORY");
  loaded = load(Reach::kCredentials);
  EXPECT_EQ(loaded.findings.at(0).code, "E0220");
  EXPECT_THAT(to_text(loaded.findings, false), HasSubstr("was given no credentials"));
}

TEST_F(Credentials, NeverShowInFindings) {
  for (const std::string& content :
       {std::string("secret-word"), std::string("secret:word:1"), std::string("1.2.3.4:secret")}) {
    put("office", content);
    const Loaded loaded = load(Reach::kCredentials);
    EXPECT_EQ(loaded.findings.at(0).code, "E0220");
    EXPECT_THAT(to_text(loaded.findings, false), Not(HasSubstr("secret")));
    EXPECT_THAT(to_json(loaded.findings), Not(HasSubstr("secret")));
  }
  put("office", "8.8.8.8:9090");
  EXPECT_THAT(to_text(load(Reach::kCredentials).findings, false), Not(HasSubstr("8.8.8.8")));
  put("office", "10.9.8.7:9090");
  const std::string loop = to_text(load(Reach::kCredentials).findings, false);
  EXPECT_THAT(loop, HasSubstr("E0307"));
  EXPECT_THAT(loop, Not(HasSubstr("10.9.8.7")));
}

TEST_F(Credentials, AreRegularFilesOfReasonableSize) {
  put("office", "");
  EXPECT_THAT(to_text(load(Reach::kCredentials).findings, false), HasSubstr("it is empty"));
  put("office", std::string(5000, '1'));
  EXPECT_THAT(to_text(load(Reach::kCredentials).findings, false), HasSubstr("larger than 4096"));
  fs::remove(folder_ / "office");
  fs::create_symlink("/etc/hostname", folder_ / "office");
  EXPECT_EQ(load(Reach::kCredentials).findings.at(0).code, "E0220");
  fs::remove(folder_ / "office");
  fs::create_directory(folder_ / "office");
  EXPECT_THAT(to_text(load(Reach::kCredentials).findings, false), HasSubstr("no regular file"));
}

TEST(CredentialName, HasNoWayOutOfTheFolder) {
  EXPECT_EQ(why_no_credential("@office-endpoint"), "");
  for (const char* name : {"@", "@..", "@.", "@a/b", "@../x", "@/etc/passwd", "@a b"})
    EXPECT_NE(why_no_credential(name), "") << name;
}

Loaded load_wireguard(const std::string& private_key, Reach reach = Reach::kFiles) {
  return load_text(
      "[tunnel]\nencryption = \"wireguard\"\n[interface]\nprivate-key = " + private_key + "\n",
      "x.toml", "x", reach);
}

std::vector<std::string> codes(const Loaded& loaded) {
  std::vector<std::string> codes;
  for (const Finding& finding : loaded.findings) codes.push_back(finding.code);
  return codes;
}

TEST(KeySource, IsAFileOrACredentialEvenWhileWireguardIsRefused) {
  using Codes = std::vector<std::string>;
  EXPECT_EQ(codes(load_wireguard("\"@lab-key\"")), (Codes{"E0213", "N0301"}));
  EXPECT_EQ(codes(load_wireguard("\"@../lab-key\"")), (Codes{"E0213", "E0219"}));
  EXPECT_EQ(codes(load_wireguard("\"/nowhere/lab.key\"")), (Codes{"E0213", "E0222"}));
  EXPECT_EQ(codes(load_wireguard("\"/nowhere/lab.key\"", Reach::kText)), (Codes{"E0213"}));
  EXPECT_EQ(codes(load_wireguard("1")), (Codes{"E0213", "E0221"}));
  const Loaded inline_key = load_wireguard("\"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\"");
  EXPECT_EQ(codes(inline_key), (Codes{"E0213", "E0221"}));
  EXPECT_THAT(to_text(inline_key.findings, false), Not(HasSubstr("yAnz5")));
}

TEST(KeySource, OfAPeerIsTheSame) {
  const Loaded loaded = load_text(
      "[tunnel]\nencryption = \"wireguard\"\n[[peer]]\npreshared-key = \"relative.key\"\n"
      "allowed-ips = \"10.0.0.0/8\"\nendpoint = \"192.168.1.1:1\"\n",
      "x.toml", "x", Reach::kFiles);
  EXPECT_THAT(codes(loaded), testing::Contains("E0221"));
}

}  // namespace
}  // namespace vpntun::config
