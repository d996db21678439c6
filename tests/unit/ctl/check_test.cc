#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ctl/verbs.h"

namespace vpntun::ctl {
namespace {

constexpr const char* kGood = R"(version = 1
[tunnel]
kind = "tun"
encryption = "none"
[interface]
address = ["192.168.53.99/24"]
[[peer]]
name = "server"
endpoint = "10.0.2.8:9090"
allowed-ips = ["192.168.53.0/24"]
)";

class Check : public testing::Test {
 protected:
  Check() {
    std::string pattern = testing::TempDir() + "check-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~Check() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  int vpnctl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"vpnctl", "check", "--profile-folder", folder_});
    std::vector<const char*> words;
    for (const std::string& argument : arguments) words.push_back(argument.c_str());
    out_.str("");
    err_.str("");
    return run(static_cast<int>(words.size()), words.data(), out_, err_);
  }

  std::string folder_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(Check, OfAGoodProfile) {
  write("lab.toml", kGood);
  EXPECT_EQ(vpnctl({"lab"}), 0) << out_.str() << err_.str();
  EXPECT_EQ(out_.str(), "0 errors, 0 warnings in 1 profile.\n");
}

TEST_F(Check, TakesAPathForAFileElsewhere) {
  const std::string path = write("else.toml", kGood);
  EXPECT_EQ(vpnctl({path}), 0) << out_.str();
}

TEST_F(Check, WithoutArgumentsReadsEveryProfile) {
  write("a.toml", kGood);
  write("b.toml", "version = 1\nsurprise = true\n");
  write("c.txt", "no profile");
  EXPECT_EQ(vpnctl({}), 1);
  EXPECT_NE(out_.str().find("b.toml:"), std::string::npos) << out_.str();
  EXPECT_NE(out_.str().find(" in 2 profiles.\n"), std::string::npos) << out_.str();
}

TEST_F(Check, PrintsJson) {
  write("bad.toml", "version = 1\nsurprise = true\n");
  EXPECT_EQ(vpnctl({"bad", "--json"}), 1);
  const nlohmann::json document = nlohmann::json::parse(out_.str());
  EXPECT_EQ(document["schema"], "vpnctl.check/1");
  EXPECT_FALSE(document["findings"].empty());
}

TEST_F(Check, OfAnUnknownNameAsksWhatWasMeant) {
  write("office.toml", kGood);
  EXPECT_EQ(vpnctl({"ofice"}), 4);
  EXPECT_NE(err_.str().find("Did you mean \"office\"?"), std::string::npos) << err_.str();
}

TEST_F(Check, OfAnEmptyFolderSaysSo) {
  EXPECT_EQ(vpnctl({}), 0);
  EXPECT_EQ(out_.str(), "No profiles in " + folder_ + ".\n");
}

TEST_F(Check, QuietSpeaksOfErrorsOnly) {
  write("good.toml", kGood);
  EXPECT_EQ(vpnctl({"good", "--quiet"}), 0);
  EXPECT_EQ(out_.str(), "");
}

}  // namespace
}  // namespace vpntun::ctl
