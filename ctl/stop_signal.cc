#include "ctl/stop_signal.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>

#include "base/error.h"

namespace vpntun::ctl {

StopSignal::StopSignal() {
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGINT);
  sigaddset(&stops, SIGTERM);
  signals_.reset(::signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) throw_errno(errno, "making a signalfd");
  if (pthread_sigmask(SIG_BLOCK, &stops, &before_) != 0) throw_errno(errno, "blocking signals");
}

StopSignal::~StopSignal() {
  // Taken off first: a signal that was waited for must not kill us once it is unblocked.
  signalfd_siginfo taken;
  while (::read(signals_.get(), &taken, sizeof taken) == sizeof taken) {
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

StopSignal::Woken StopSignal::wait(int fd, std::chrono::milliseconds timeout) const {
  std::array<pollfd, 2> fds{pollfd{signals_.get(), POLLIN, 0}, pollfd{fd, POLLIN, 0}};
  const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
  if (ready < 0 && errno != EINTR) throw_errno(errno, "waiting");
  if (ready <= 0) return Woken::kTimeout;
  return fds[0].revents != 0 ? Woken::kStop : Woken::kReadable;
}

}  // namespace vpntun::ctl
