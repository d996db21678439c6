#include "service/fd_store.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "service_manager.h"

namespace vpntun::service {
namespace {

bool same_file(int one, int other) {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 &&
         first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

// Away from the numbers at which descriptors are handed over, whatever else is open.
UniqueFd memory(const char* name) {
  const UniqueFd made(::memfd_create(name, MFD_CLOEXEC));
  return UniqueFd(::fcntl(made.get(), F_DUPFD_CLOEXEC, 100));
}

TEST(FdStore, PutsADescriptorUnderItsName) {
  const ServiceManager manager;
  const UniqueFd kept = memory("kept");
  FdStore store;
  store.put("tun", {kept.get()}, FdStore::Evicted::kOnError);
  const ServiceManager::Message stored = manager.next();
  EXPECT_EQ(stored.text, "FDSTORE=1\nFDNAME=tun");
  ASSERT_EQ(stored.fds.size(), 1u);
  EXPECT_TRUE(same_file(stored.fds[0].get(), kept.get()));
  store.put("udp", {kept.get()}, FdStore::Evicted::kNever);
  EXPECT_EQ(manager.next().text, "FDSTORE=1\nFDNAME=udp\nFDPOLL=0");
}

TEST(FdStore, PutsAllOfANameInOneMessage) {
  const ServiceManager manager;
  const std::vector<UniqueFd> kept = [] {
    std::vector<UniqueFd> fds;
    for (const char* name : {"one", "two", "three"}) fds.push_back(memory(name));
    return fds;
  }();
  FdStore store;
  store.put("tun", {kept[0].get(), kept[1].get(), kept[2].get()}, FdStore::Evicted::kOnError);
  const ServiceManager::Message stored = manager.next();
  EXPECT_EQ(stored.text, "FDSTORE=1\nFDNAME=tun");
  ASSERT_EQ(stored.fds.size(), kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i)
    EXPECT_TRUE(same_file(stored.fds[i].get(), kept[i].get()));
}

TEST(FdStore, RemovalWaitsUntilTheServiceManagerHasLetGo) {
  const ServiceManager manager;
  std::atomic<bool> let_go = false;
  std::thread service_manager([&] {
    pollfd ready{manager.fd(), POLLIN, 0};
    ::poll(&ready, 1, 60'000);
    EXPECT_EQ(manager.next().text, "FDSTOREREMOVE=1\nFDNAME=tun");
    ::poll(&ready, 1, 60'000);
    const ServiceManager::Message barrier = manager.next();
    EXPECT_EQ(barrier.text, "BARRIER=1");
    EXPECT_EQ(barrier.fds.size(), 1u);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    let_go = true;  // the barrier falls when its descriptor is closed
  });
  FdStore store;
  store.remove({"tun"});
  EXPECT_TRUE(let_go);
  service_manager.join();
}

TEST(FdStore, DoesNothingWithoutAServiceManager) {
  ::unsetenv("NOTIFY_SOCKET");
  FdStore store;
  const UniqueFd kept = memory("kept");
  store.put("tun", {kept.get()}, FdStore::Evicted::kOnError);
  store.remove({"tun"});
  EXPECT_TRUE(store.take("tun").empty());
}

// In a child of its own, as a service manager would start it. What it says is its exit status.
int status_of_child(const std::function<bool()>& check, const std::vector<int>& fds,
                    const char* names, bool for_it = true) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<UniqueFd> high;
    for (const int fd : fds) high.emplace_back(::fcntl(fd, F_DUPFD, 100));
    for (std::size_t i = 0; i < high.size(); ++i) ::dup2(high[i].get(), 3 + static_cast<int>(i));
    ::setenv("LISTEN_PID", std::to_string(for_it ? ::getpid() : ::getppid()).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(fds.size()).c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names, 1);
    ::_exit(check() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(FdStore, TakesWhatWasHandedOverByName) {
  const UniqueFd tun = memory("tun");
  const UniqueFd udp = memory("udp");
  const auto check = [&] {
    FdStore store = FdStore::received();
    const std::vector<UniqueFd> taken = store.take("udp");
    return taken.size() == 1 && same_file(taken[0].get(), udp.get()) && store.take("udp").empty() &&
           store.take("endpoints").empty() && store.left() == std::vector<std::string>{"tun"} &&
           (::fcntl(taken[0].get(), F_GETFD) & FD_CLOEXEC) != 0 &&
           ::getenv("LISTEN_FDS") == nullptr;
  };
  EXPECT_EQ(status_of_child(check, {tun.get(), udp.get()}, "tun:udp"), 0);
}

TEST(FdStore, TakesAllOfAName) {
  const UniqueFd one = memory("one");
  const UniqueFd udp = memory("udp");
  const UniqueFd other = memory("other");
  const auto check = [&] {
    FdStore store = FdStore::received();
    const std::vector<UniqueFd> taken = store.take("tun");
    return taken.size() == 2 && same_file(taken[0].get(), one.get()) &&
           same_file(taken[1].get(), other.get()) &&
           store.left() == std::vector<std::string>{"udp"};
  };
  EXPECT_EQ(status_of_child(check, {one.get(), udp.get(), other.get()}, "tun:udp:tun"), 0);
}

TEST(FdStore, WhatIsMeantForAnotherProcessIsNotTaken) {
  const UniqueFd tun = memory("tun");
  EXPECT_EQ(status_of_child([] { return FdStore::received().left().empty(); }, {tun.get()}, "tun",
                            /*for_it=*/false),
            0);
}

}  // namespace
}  // namespace vpntun::service
