// Stands in for vpntund --session: what it does is the name of the tunnel it is given.
//   ready       reports READY=1 and lives until SIGTERM
//   fails       reports STATUS=port taken and ends with the status of AddressInUse
//   inherits    reports READY=1 if it was given the descriptor $STUB_DESCRIPTOR, else ends with 0
//   silent      lives, and never reports anything
//   stubborn    as ready, and ignores SIGTERM
//   quits       ends with status 0 before it was ready
//   crashes     reports READY=1, then dies of a signal once $STUB_GO exists
//   leaves      reports READY=1, then STOPPING=1 and ends with status 0 once $STUB_GO exists
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void report(const std::string& text) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  ::sendto(socket, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&address),
           sizeof address);
  ::close(socket);
}

void wait_for_go() {
  while (::access(std::getenv("STUB_GO"), F_OK) != 0) ::usleep(2000);
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
  if (behaviour == "silent") ::pause();
  if (behaviour == "stubborn") ::signal(SIGTERM, SIG_IGN);
  report("READY=1\nSTATUS=up");
  if (behaviour == "crashes") {
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
