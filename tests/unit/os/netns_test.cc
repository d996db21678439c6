#include "os/netns.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "kernel_test.h"

namespace vpntun::os {
namespace {

using NetnsTest = KernelTest;
using ::testing::ElementsAre;

TEST_F(NetnsTest, ANamedNamespaceIsCreatedListedAndRemoved) {
  EXPECT_FALSE(netns_exists("lab-u"));
  EXPECT_THAT(list_netns(), ElementsAre());
  const Netns created = Netns::create("lab-u");
  EXPECT_TRUE(netns_exists("lab-u"));
  EXPECT_TRUE(Netns::open("lab-u") == created);
  EXPECT_FALSE(Netns::current() == created);
  Netns::create("lab-v");
  EXPECT_THAT(list_netns(), ElementsAre("lab-u", "lab-v"));
  remove_netns("lab-u");
  EXPECT_FALSE(netns_exists("lab-u"));
  EXPECT_THAT(list_netns(), ElementsAre("lab-v"));
}

TEST_F(NetnsTest, IpNetnsSeesAndRemovesOurs) {
  Netns::create("lab-u");
  ASSERT_EQ(std::system("ip netns list | grep -qx lab-u"), 0);
  EXPECT_EQ(std::system("ip netns exec lab-u ip link show lo > /dev/null"), 0);
  EXPECT_EQ(std::system("ip netns delete lab-u"), 0);
  EXPECT_FALSE(netns_exists("lab-u"));
  ASSERT_EQ(std::system("ip netns add theirs"), 0);
  EXPECT_TRUE(netns_exists("theirs"));
  remove_netns("theirs");
  EXPECT_NE(std::system("ip netns list | grep -qx theirs"), 0);
}

TEST_F(NetnsTest, NobodyHoldsUpACreationByLockingTheFolder) {
  Netns::create("lab-u");
  const int folder = ::open("/run/netns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(folder, LOCK_EX), 0);
  Netns::create("lab-v");
  EXPECT_TRUE(netns_exists("lab-v"));
  ::close(folder);
}

TEST_F(NetnsTest, ErrorsNameTheNamespace) {
  Netns::create("lab-u");
  EXPECT_THAT(
      error_of([] { Netns::create("lab-u"); }),
      IsError(ErrorKind::kNetworkNamespace, "create network namespace lab-u: it exists already"));
  EXPECT_THAT(error_of([] { Netns::open("lab-x"); }),
              IsError(ErrorKind::kNetworkNamespace, "there is no network namespace lab-x"));
  EXPECT_THAT(
      error_of([] { remove_netns("lab-x"); }),
      IsError(ErrorKind::kNetworkNamespace, "remove network namespace lab-x: there is none"));
}

TEST_F(NetnsTest, AFileLeftByACutOffCreationIsNoNamespace) {
  Netns::create("lab-u");
  ::close(::open("/run/netns/left-over", O_CREAT | O_WRONLY, 0644));
  EXPECT_FALSE(netns_exists("left-over"));
  EXPECT_THAT(error_of([] { Netns::open("left-over"); }),
              IsError(ErrorKind::kNetworkNamespace, "there is no network namespace left-over"));
  remove_netns("left-over");
  EXPECT_THAT(list_netns(), ElementsAre("lab-u"));
}

TEST_F(NetnsTest, NamesCannotLeaveTheFolder) {
  for (const std::string name : {"", ".", "..", "a/b", "../etc"}) {
    EXPECT_THAT(error_of([&] { Netns::create(name); }),
                IsError(ErrorKind::kInvalidArguments, name));
    EXPECT_THAT(error_of([&] { remove_netns(name); }), IsError(ErrorKind::kInvalidArguments, name));
  }
}

TEST_F(NetnsTest, AScopeMovesOnlyItsThreadAndGoesBack) {
  const Netns home = Netns::current();
  const Netns other = Netns::create_anonymous();
  {
    const NetnsScope scope(other);
    EXPECT_TRUE(Netns::current() == other);
    bool fresh_thread_at_home = true;
    std::thread([&] { fresh_thread_at_home = Netns::current() == home; }).join();
    EXPECT_FALSE(fresh_thread_at_home) << "a new thread starts where its creator is";
  }
  EXPECT_TRUE(Netns::current() == home);
  std::thread([&] { const NetnsScope scope(other); }).join();
  EXPECT_TRUE(Netns::current() == home);
}

TEST_F(NetnsTest, AScopeGoesBackWhenAnErrorPasses) {
  const Netns home = Netns::current();
  const Netns other = Netns::create_anonymous();
  try {
    const NetnsScope scope(other);
    throw Error(ErrorKind::kFailed, "something");
  } catch (const Error&) {
  }
  EXPECT_TRUE(Netns::current() == home);
}

TEST_F(NetnsTest, LacksCapabilitySaysSo) {
  EXPECT_TRUE(without_capabilities([] {
    const auto error = error_of([] { Netns::create_anonymous(); });
    return error && error->kind() == ErrorKind::kAccessDenied &&
           std::string(error->what()).find("CAP_SYS_ADMIN") != std::string::npos;
  }));
}

TEST_F(NetnsTest, AFailedCreationLeavesNothing) {
  Netns::create("lab-u");
  ASSERT_EQ(::chmod("/run/netns", 0777), 0);
  EXPECT_TRUE(without_capabilities([] {
    const auto error = error_of([] { Netns::create("lab-y"); });
    return error && error->kind() == ErrorKind::kAccessDenied;
  }));
  EXPECT_THAT(list_netns(), ElementsAre("lab-u"));
}

}  // namespace
}  // namespace vpntun::os
