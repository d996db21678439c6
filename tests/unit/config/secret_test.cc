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
  EXPECT_THAT(open_key_file("/nowhere/lab.key", Reach::kFiles).why, HasSubstr("No such file"));
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
  Credentials() {
    std::string pattern = fs::temp_directory_path() / "vpntun-credentials-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    ::setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  }
  ~Credentials() override {
    ::unsetenv("CREDENTIALS_DIRECTORY");
    fs::remove_all(folder_);
  }
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
  EXPECT_EQ(loaded.profile->peers[0].endpoints.at(0).to_string(), "10.0.2.8:9090");
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

constexpr const char* kKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
constexpr const char* kOwnPublicKey = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";

std::string wireguard_text(const std::string& private_key, const std::string& psk = "") {
  return "[tunnel]\nencryption = \"wireguard\"\n[interface]\nprivate-key = " + private_key +
         "\n[[peer]]\npublic-key = \"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"\n"
         "endpoint = \"192.0.2.8:51820\"\nallowed-ips = \"10.0.0.0/8\"\n" +
         (psk.empty() ? "" : "preshared-key = " + psk + "\n");
}

Loaded load_wireguard(const std::string& private_key, Reach reach = Reach::kFiles) {
  return load_text(wireguard_text(private_key), "x.toml", "x", reach);
}

std::vector<std::string> codes(const Loaded& loaded) {
  std::vector<std::string> codes;
  for (const Finding& finding : loaded.findings) codes.push_back(finding.code);
  return codes;
}

using Codes = std::vector<std::string>;

std::string in_toml(const fs::path& path) {
  return "\"" + path.string() + "\"";
}

// Keys in files, which belong to whoever runs the test.
class KeyFiles : public Credentials {
 protected:
  fs::path key(const std::string& content, mode_t mode = 0600) const {
    put("lab.key", content);
    ::chmod((folder_ / "lab.key").c_str(), mode);
    return folder_ / "lab.key";
  }
};

TEST_F(KeyFiles, AreReadByTheSession) {
  const Loaded loaded = load_wireguard(in_toml(key(std::string(kKey) + "\n")), Reach::kCredentials);
  EXPECT_EQ(to_text(loaded.findings, false), "");
  ASSERT_TRUE(loaded.profile);
  EXPECT_EQ(loaded.profile->interface.private_key, crypto::SecretKey::parse(kKey));
}

TEST_F(KeyFiles, AreNotTouchedByTheManagerWhichShowsTheProfileNevertheless) {
  for (const char* source : {"\"/nowhere/lab.key\"", "\"@no-such-credential\""}) {
    const Loaded loaded = load_wireguard(source, Reach::kText);
    ASSERT_TRUE(loaded.profile) << source;
    EXPECT_TRUE(loaded.profile->interface.private_key.is_zero());
  }
  EXPECT_EQ(codes(load_wireguard("\"/nowhere/lab.key\"", Reach::kText)), Codes{});
}

TEST_F(KeyFiles, MustHoldAKeyWhichIsNeverShown) {
  for (const std::string& content : {std::string(), std::string("c2VjcmV0"), std::string(44, 'A'),
                                     std::string(43, 'A') + "=", std::string(5000, 'A')}) {
    const Loaded loaded = load_wireguard(in_toml(key(content)), Reach::kCredentials);
    EXPECT_EQ(codes(loaded), Codes{"E0221"}) << content;
    EXPECT_THAT(to_text(loaded.findings, false), Not(HasSubstr("c2Vj")));
    EXPECT_THAT(to_text(loaded.findings, false), Not(HasSubstr("AAAA")));
  }
}

TEST_F(KeyFiles, ThatOthersCanReadAreRefusedByTheSessionToo) {
  const Loaded loaded = load_wireguard(in_toml(key(kKey, 0644)), Reach::kCredentials);
  EXPECT_EQ(codes(loaded), Codes{"E0222"});
  EXPECT_THAT(to_text(loaded.findings, false), HasSubstr("readable by everybody"));
}

TEST_F(KeyFiles, ShowThatAPeerIsTheTunnelItself) {
  std::string text = wireguard_text(in_toml(key(kKey)));
  const std::string other = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
  text.replace(text.find(other), other.size(), kOwnPublicKey);
  EXPECT_EQ(codes(load_text(text, "x.toml", "x", Reach::kCredentials)), Codes{"E0318"});
  EXPECT_EQ(codes(load_text(text, "x.toml", "x", Reach::kText)), Codes{});
}

TEST_F(Credentials, HoldKeys) {
  put("lab-key", std::string(kKey) + "\n");
  const Loaded loaded =
      load_text(wireguard_text("\"@lab-key\"", "\"@lab-key\""), "x.toml", "x", Reach::kCredentials);
  EXPECT_EQ(to_text(loaded.findings, false), "");
  ASSERT_TRUE(loaded.profile);
  EXPECT_EQ(loaded.profile->interface.private_key, crypto::SecretKey::parse(kKey));
  EXPECT_EQ(loaded.profile->peers[0].preshared_key, crypto::SecretKey::parse(kKey));
  put("lab-key", "secret-word");
  EXPECT_EQ(codes(load_wireguard("\"@lab-key\"", Reach::kCredentials)), Codes{"E0221"});
  EXPECT_EQ(codes(load_wireguard("\"@other\"", Reach::kCredentials)), Codes{"E0220"});
}

TEST(KeySource, IsAKeyAFileOrACredential) {
  EXPECT_EQ(codes(load_wireguard("\"@lab-key\"")), (Codes{"N0301"}));
  EXPECT_EQ(codes(load_wireguard("\"@../lab-key\"")), (Codes{"E0219"}));
  EXPECT_EQ(codes(load_wireguard("\"/nowhere/lab.key\"")), (Codes{"E0222"}));
  EXPECT_EQ(codes(load_wireguard("1")), (Codes{"E0201"}));
  EXPECT_EQ(codes(load_wireguard("\"relative.key\"")), (Codes{"E0221"}));
  const Loaded inline_key = load_wireguard("\"" + std::string(kKey) + "\"");
  EXPECT_EQ(codes(inline_key), Codes{});
  EXPECT_EQ(inline_key.profile->interface.private_key, crypto::SecretKey::parse(kKey));
  // Base64 may begin like a path.
  const std::string slash = "/" + std::string(kKey).substr(1);
  EXPECT_EQ(codes(load_wireguard("\"" + slash + "\"")), Codes{});
}

TEST(KeySource, OfAPeerIsTheSame) {
  const Loaded loaded =
      load_text(wireguard_text("\"@lab-key\"", "\"relative.key\""), "x.toml", "x", Reach::kText);
  EXPECT_EQ(codes(loaded), (Codes{"N0301", "E0221"}));
}

// A line that a finding quotes must not have a key on it, wherever somebody put one.
TEST(Keys, DoNotShowInFindings) {
  const std::string key = kKey;
  for (const std::string& text :
       {wireguard_text("\"\"\"\n" + key + "\n\"\"\" nonsense"),
        "[tunnel]\n# " + key + "\n" + key + "\n", "[tunnel]\n" + key + " = 1\n",
        wireguard_text("\"" + key + "\" \"" + key + "\""), wireguard_text("[\"" + key + "\"]"),
        wireguard_text("\"" + key + key + "\"")}) {
    const Loaded loaded = load_text(text, "x.toml", "x");
    EXPECT_FALSE(loaded.profile) << text;
    EXPECT_THAT(to_text(loaded.findings, false), Not(HasSubstr("5TF+lXX"))) << text;
    EXPECT_THAT(to_json(loaded.findings), Not(HasSubstr("5TF+lXX"))) << text;
  }
}

TEST_F(KeyFiles, AreNotNeededWhereTheProfileItselfIsClosed) {
  const fs::path path = folder_ / "lab.toml";
  std::ofstream(path) << wireguard_text("\"" + std::string(kKey) + "\"");
  for (const Reach reach : {Reach::kText, Reach::kCredentials}) {
    ::chmod(path.c_str(), 0600);
    EXPECT_EQ(to_text(load_file(path, "lab", reach).findings, false), "");
    ::chmod(path.c_str(), 0644);
    const Loaded open = load_file(path, "lab", reach);
    EXPECT_EQ(codes(open), Codes{"E0224"});
    EXPECT_EQ(open.findings.at(0).line, 4u);
    EXPECT_THAT(to_text(open.findings, false), Not(HasSubstr("yAnz5")));
  }
}

}  // namespace
}  // namespace vpntun::config
