#include "manager/catalogue.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "world.h"

namespace vpntun::manager {
namespace {

class CatalogueTest : public testing::Test {
 protected:
  service::Loop loop;
  Folder folder;
};

TEST_F(CatalogueTest, ListsWhatIsThereAtTheStart) {
  folder.write("lab.toml", profile_text("Lab"));
  folder.write("broken.toml", "nonsense");
  folder.write("notes.txt", "x");
  const Catalogue catalogue(loop, {folder.path()});
  ASSERT_EQ(catalogue.profiles().size(), 2U);
  EXPECT_TRUE(catalogue.find("lab")->valid);
  EXPECT_EQ(catalogue.find("lab")->description, "Lab");
  EXPECT_EQ(catalogue.find("lab")->kind, "tun");
  EXPECT_FALSE(catalogue.find("broken")->valid);
  EXPECT_NE(catalogue.find("broken")->problem, "");
}

TEST_F(CatalogueTest, TellsOfEachChangeOnce) {
  Catalogue catalogue(loop, {folder.path()});
  std::vector<std::string> told;
  catalogue.on_changed([&](const std::string& name) { told.push_back(name); });
  folder.write("lab.toml", profile_text("one"));
  ASSERT_TRUE(run_until(loop, [&] { return told.size() == 1; }));
  EXPECT_EQ(catalogue.find("lab")->description, "one");
  folder.write("lab.toml", profile_text("two"));
  ASSERT_TRUE(run_until(loop, [&] { return told.size() == 2; }));
  EXPECT_EQ(catalogue.find("lab")->description, "two");
  std::filesystem::remove(folder / "lab.toml");
  ASSERT_TRUE(run_until(loop, [&] { return told.size() == 3; }));
  EXPECT_EQ(catalogue.find("lab"), nullptr);
}

TEST_F(CatalogueTest, ManyEventsAreOneLook) {
  Catalogue catalogue(loop, {folder.path()});
  int told = 0;
  catalogue.on_changed([&](const std::string&) { ++told; });
  for (int version = 0; version < 50; ++version)
    folder.write("lab.toml", profile_text(std::to_string(version)));
  ASSERT_TRUE(run_until(loop, [&] { return told > 0; }));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(catalogue.find("lab")->description, "49");
}

TEST_F(CatalogueTest, TheFirstFolderWins) {
  const Folder second;
  folder.write("lab.toml", profile_text("first"));
  second.write("lab.toml", profile_text("second"));
  Catalogue catalogue(loop, {folder.path(), second.path()});
  EXPECT_EQ(catalogue.find("lab")->description, "first");
  std::filesystem::remove(folder / "lab.toml");
  catalogue.refresh();
  EXPECT_EQ(catalogue.find("lab")->description, "second");
}

TEST_F(CatalogueTest, AwaitsAFolderWhoseParentsDoNotExist) {
  const std::string late = folder / "a/b/c";
  Catalogue catalogue(loop, {late});
  EXPECT_TRUE(catalogue.profiles().empty());
  std::filesystem::create_directories(late);
  std::ofstream(late + "/lab.toml") << profile_text();
  EXPECT_TRUE(run_until(loop, [&] { return catalogue.find("lab") != nullptr; }));
  std::filesystem::remove_all(folder / "a");
  EXPECT_TRUE(run_until(loop, [&] { return catalogue.find("lab") == nullptr; }));
  std::filesystem::create_directories(late);
  std::ofstream(late + "/lab.toml") << profile_text();
  EXPECT_TRUE(run_until(loop, [&] { return catalogue.find("lab") != nullptr; }));
}

// Not under the address and undefined-behaviour sanitizers: they need descriptors of their own.
#ifndef __SANITIZE_ADDRESS__
TEST_F(CatalogueTest, WatchesAgainAfterAWhileWithoutDescriptors) {
  Catalogue catalogue(loop, {folder / "profiles"});
  std::filesystem::create_directories(folder / "profiles");
  folder.write("profiles/lab.toml", profile_text());
  ASSERT_TRUE(run_until(loop, [&] { return catalogue.find("lab") != nullptr; }));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  catalogue.refresh();
  EXPECT_TRUE(catalogue.find("lab")) << "that it cannot be read does not mean that it is gone";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  std::filesystem::remove_all(folder / "profiles");
  EXPECT_TRUE(run_until(loop, [&] { return catalogue.find("lab") == nullptr; }));
  std::filesystem::create_directories(folder / "profiles");
  folder.write("profiles/again.toml", profile_text());
  EXPECT_TRUE(run_until(loop, [&] { return catalogue.find("again") != nullptr; }));
}
#endif

TEST_F(CatalogueTest, TheTimeOfAProfileIsThatOfTheFileItWasReadFrom) {
  folder.write("lab.toml", profile_text());
  const auto time = std::filesystem::last_write_time(folder / "lab.toml");
  const Catalogue catalogue(loop, {folder.path()});
  const auto since_1970 = std::chrono::file_clock::to_sys(time).time_since_epoch();
  EXPECT_EQ(catalogue.find("lab")->time_usec,
            std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count());
}

TEST_F(CatalogueTest, OddNamesAndMoreThan256AreIgnored) {
  for (const char* name : {"-dash.toml", ".hidden.toml", "sp ace.toml", ".toml"})
    folder.write(name, profile_text());
  for (int number = 0; number < 260; ++number)
    folder.write("t" + std::to_string(1000 + number) + ".toml", profile_text());
  const Catalogue catalogue(loop, {folder.path()});
  EXPECT_EQ(catalogue.profiles().size(), Catalogue::kMaximum);
  EXPECT_TRUE(std::ranges::all_of(catalogue.profiles(),
                                  [](const auto& entry) { return entry.first.starts_with("t1"); }));
}

TEST_F(CatalogueTest, ADanglingLinkAndAFolderAreProfilesWithErrors) {
  std::filesystem::create_symlink("/nowhere", folder / "dangling.toml");
  std::filesystem::create_directory(folder / "folder.toml");
  const Catalogue catalogue(loop, {folder.path()});
  ASSERT_EQ(catalogue.profiles().size(), 2U);
  EXPECT_FALSE(catalogue.find("dangling")->valid);
  EXPECT_FALSE(catalogue.find("folder")->valid);
}

}  // namespace
}  // namespace vpntun::manager
