// vpntund: the manager of tunnels, or with --session one tunnel.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/heap.h"
#include "base/log.h"
#include "bus/manager_daemon.h"
#include "bus/options.h"
#include "bus/reload_command.h"
#include "bus/session_daemon.h"
#include "dbus/error_names.h"
#include "manager/tunnel.h"
#include "service/journal.h"
#include "service/notify.h"

namespace {

using namespace vpntun;

// The loop takes them from a descriptor; threads made later inherit the mask.
void prepare_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A log reader or a capture that goes away is no reason to end.
  signal(SIGPIPE, SIG_IGN);
}

// What memory holds does not go into a core file, and nobody but root reads it.
void protect_memory() {
  constexpr rlimit kNone{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &kNone);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

// The process's exit status after an error that the log has.
int status_after(ErrorKind kind, const std::string& text, bool is_session) {
  service::notify_status(text);
  return is_session ? dbus::name_of(kind).session_status : 1;
}

int failed(ErrorKind kind, const std::string& text, bool is_session) {
  if (is_session)
    log::event(log::Event::kStartFailed, {.reason = manager::reason_code(kind)}, "{}", text);
  else
    log::error("{}", text);
  return status_after(kind, text, is_session);
}

int run(const bus::Options& options) {
  const bool is_session = options.session.has_value();
  log::init({.minimum = options.log_level,
             .name = options.session.value_or("manager"),
             .tunnel = options.session.value_or(""),
             .journal = service::journal_of_stderr()});
  try {
    if (!is_session) {
      bus::run_manager(options);
      return 0;
    }
    const std::optional<Error> broken = bus::run_session(options);
    return broken ? status_after(broken->kind(), broken->what(), is_session) : 0;
  } catch (const Error& error) {
    return failed(error.kind(), error.what(), is_session);
  } catch (const std::exception& error) {
    return failed(ErrorKind::kFailed, error.what(), is_session);
  }
}

int reload(const std::string& tunnel) {
  try {
    fmt::print("{}\n", bus::run_reload(tunnel));
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "vpntund: {}\n", escaped(error.what(), 2000));
    return dbus::name_of(error.kind()).session_status;
  }
}

}  // namespace

int main(int argc, char** argv) {
  prepare_signals();
  protect_memory();
  give_back_large_blocks();
  try {
    const bus::Options options = bus::parse_options(argc, argv);
    if (options.help || options.version) {
      std::fputs((options.help ? bus::usage() : bus::version_line() + "\n").c_str(), stdout);
      return 0;
    }
    return options.reload ? reload(*options.reload) : run(options);
  } catch (const Error& error) {
    fmt::print(stderr, "vpntund: {}\n", error.what());
    return 2;
  }
}
