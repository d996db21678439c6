// Stands in for vpntund --session: what it does is the name of the tunnel it is given.
//   ready       reports READY=1 and lives until SIGTERM
//   fails       reports STATUS=port taken and ends with the status of AddressInUse
//   inherits    reports READY=1 if it was given the descriptor $STUB_DESCRIPTOR, else ends with 0
//   silent      lives, and never reports anything
//   waits       reports STATUS=waiting, tells 0, and lives
//   late        reports READY=1 once $STUB_GO exists, tells 0, and lives
//   stubborn    as ready, and ignores SIGTERM
//   quits       ends with status 0 before it was ready
//   crashes     reports READY=1, then dies of a signal once $STUB_GO exists
//   leaves      reports READY=1, then STOPPING=1 and ends with status 0 once $STUB_GO exists
//   keeps       stores a memory it counts its starts in; tells their number; ends with
//               status 0 on SIGUSR1, dies of a signal once $STUB_GO exists
//   forgets     as keeps, and takes it out of the store again before READY=1
//   hoards      stores 50 descriptors under different names; tells how many it was handed
//   pairs       stores two descriptors under one name; tells how many it was handed
//   starves     reports READY=1, and WATCHDOG=1 until $STUB_GO exists; tells when, in ms of the
//   boot
//               clock
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

void report(const std::string& text) {
  sd_notify(0, text.c_str());
}

// Into the file $STUB_TOLD, in place at once.
void tell(std::int64_t number) {
  const std::string path = std::getenv("STUB_TOLD");
  std::ofstream(path + ".new") << number;
  std::filesystem::rename(path + ".new", path);
}

void report_alive() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  report("WATCHDOG=1");
  tell(now.tv_sec * std::int64_t{1000} + now.tv_nsec / 1'000'000);
}

void store(const std::string& name, int fd) {
  sd_pid_notify_with_fds(0, 0, ("FDSTORE=1\nFDNAME=" + name + "\nFDPOLL=0").c_str(), &fd, 1);
}

void wait_for_go() {
  while (::access(std::getenv("STUB_GO"), F_OK) != 0) ::usleep(2000);
}

int count_starts(bool forgets) {
  char** names = nullptr;
  int memory = SD_LISTEN_FDS_START;
  if (sd_listen_fds_with_names(0, &names) != 1) {
    memory = ::memfd_create("starts", MFD_CLOEXEC);
    store("memory", memory);
  } else if (std::string(names[0]) != "memory") {
    return -1;
  }
  int starts = 0;
  static_cast<void>(::pread(memory, &starts, sizeof starts, 0));
  ++starts;
  static_cast<void>(::pwrite(memory, &starts, sizeof starts, 0));
  if (forgets) {
    report("FDSTOREREMOVE=1\nFDNAME=memory");
    sd_notify_barrier(0, 5'000'000);
  }
  return starts;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string behaviour = argc > 2 ? argv[2] : "";
  if (behaviour == "fails") {
    report("STATUS=port taken");
    return 72;
  }
  if (behaviour == "quits") return 0;
  if (behaviour == "inherits" && ::fcntl(std::atoi(std::getenv("STUB_DESCRIPTOR")), F_GETFD) == -1)
    return 0;
  if (behaviour == "waits") {
    report("STATUS=waiting");
    tell(0);
  }
  if (behaviour == "silent" || behaviour == "waits") ::pause();
  if (behaviour == "stubborn") ::signal(SIGTERM, SIG_IGN);
  if (behaviour == "keeps" || behaviour == "forgets") {
    tell(count_starts(behaviour == "forgets"));
    ::signal(SIGUSR1, [](int) { ::_exit(0); });
  }
  if (behaviour == "hoards" || behaviour == "pairs") {
    const std::array pair{STDIN_FILENO, STDERR_FILENO};
    if (behaviour == "pairs")
      sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=pair", pair.data(), pair.size());
    else
      for (int i = 0; i < 50; ++i) store("fd" + std::to_string(i), STDIN_FILENO);
    tell(sd_listen_fds(0));
    ::signal(SIGUSR1, [](int) { ::_exit(0); });
  }
  if (behaviour == "late") wait_for_go();
  report("READY=1");
  if (behaviour == "late") tell(0);
  if (behaviour == "starves")
    for (; ::access(std::getenv("STUB_GO"), F_OK) != 0; ::usleep(10000)) report_alive();
  if (behaviour == "crashes" || behaviour == "keeps") {
    wait_for_go();
    ::raise(SIGKILL);
  }
  if (behaviour == "leaves") {
    wait_for_go();
    report("STOPPING=1");
    return 0;
  }
  for (;;) ::pause();
}
