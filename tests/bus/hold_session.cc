// Preloaded into vpntund by tests that need a session which takes its time to start: a process that
// was given
// --session waits, before main, until the file $VPNTUN_HOLD is gone.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace {

[[gnu::constructor]] void wait_while_held() {
  const char* hold = std::getenv("VPNTUN_HOLD");
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string arguments{std::istreambuf_iterator<char>(file), {}};
  if (hold == nullptr || arguments.find("--session") == std::string::npos) return;
  while (::access(hold, F_OK) == 0) ::usleep(5000);
}

}  // namespace
