// vpntund: the manager of tunnels, or with --session one tunnel.
#include <fmt/format.h>
#include <signal.h>

#include <cstdio>
#include <exception>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "bus/manager_daemon.h"
#include "bus/options.h"
#include "bus/session_daemon.h"
#include "dbus/error_names.h"
#include "service/notify.h"

namespace {

using namespace vpntun;

// The loop takes them from a descriptor; threads made later inherit the mask.
void prepare_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A log reader or a capture that goes away is no reason to end.
  signal(SIGPIPE, SIG_IGN);
}

int failed(ErrorKind kind, const std::string& text, bool is_session) {
  log::error("{}", text);
  service::notify_status(text);
  return is_session ? dbus::name_of(kind).session_status : 1;
}

int run(const bus::Options& options) {
  const bool is_session = options.session.has_value();
  log::init(options.log_level, options.session.value_or("manager"));
  try {
    is_session ? bus::run_session(options) : bus::run_manager(options);
    return 0;
  } catch (const Error& error) {
    return failed(error.kind(), error.what(), is_session);
  } catch (const std::exception& error) {
    return failed(ErrorKind::kFailed, error.what(), is_session);
  }
}

}  // namespace

int main(int argc, char** argv) {
  prepare_signals();
  try {
    const bus::Options options = bus::parse_options(argc, argv);
    if (options.help || options.version) {
      std::fputs((options.help ? bus::usage() : bus::version_line() + "\n").c_str(), stdout);
      return 0;
    }
    return run(options);
  } catch (const Error& error) {
    fmt::print(stderr, "vpntund: {}\n", error.what());
    return 2;
  }
}
