#include "service/loop.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/unique_fd.h"

namespace vpntun::service {

namespace {

// sd-event would by default let a timer slip by 250 ms to save wake-ups.
constexpr std::uint64_t kTimerAccuracyUsec = 1000;

std::uint64_t to_usec(Instant when) noexcept {
  const auto usec =
      std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count();
  return static_cast<std::uint64_t>(std::max<decltype(usec)>(usec, 0));
}

void check(int result, const char* attempted) {
  if (result < 0) throw_errno(-result, attempted);
}

}  // namespace

struct EventSource::State : std::enable_shared_from_this<EventSource::State> {
  State(Loop& its_loop, std::function<void(std::uint32_t)> its_callback)
      : loop(its_loop), callback(std::move(its_callback)) {}

  Loop& loop;
  std::function<void(std::uint32_t)> callback;  // the argument: epoll events, 0 for the others
  sd_event_source* source = nullptr;
  UniqueFd pidfd;  // of add_child
};

EventSource::EventSource() noexcept = default;
EventSource::EventSource(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
EventSource::EventSource(EventSource&& other) noexcept : state_(std::move(other.state_)) {}
EventSource& EventSource::operator=(EventSource&& other) noexcept {
  if (this != &other) {
    remove();
    state_ = std::move(other.state_);
  }
  return *this;
}
EventSource::~EventSource() {
  remove();
}

void EventSource::remove() noexcept {
  if (!state_) return;
  state_->source = sd_event_source_disable_unref(state_->source);
  state_.reset();
}

Loop::Loop() {
  check(sd_event_new(&event_), "create an event loop");
}

Loop::~Loop() {
  sd_event_unref(event_);
}

int Loop::dispatch(EventSource::State& state, std::uint32_t events) noexcept {
  const std::shared_ptr<EventSource::State> kept_while_running = state.shared_from_this();
  Loop& loop = state.loop;
  try {
    state.callback(events);
  } catch (...) {
    if (!loop.failure_) loop.failure_ = std::current_exception();
  }
  return 0;
}

EventSource Loop::adopt(std::shared_ptr<EventSource::State> state, int result,
                        const char* attempted) const {
  check(result, attempted);
  return EventSource(std::move(state));
}

EventSource Loop::add_io(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready) {
  auto state = std::make_shared<EventSource::State>(*this, std::move(ready));
  const auto dispatch_io = [](sd_event_source*, int, std::uint32_t happened, void* of) {
    return dispatch(*static_cast<EventSource::State*>(of), happened);
  };
  const int result = sd_event_add_io(event_, &state->source, fd, events, dispatch_io, state.get());
  return adopt(std::move(state), result, "watch a descriptor");
}

void Loop::set_io_events(EventSource& source, std::uint32_t events) {
  check(sd_event_source_set_io_events(source.state_->source, events), "watch a descriptor");
}

EventSource Loop::add_timer(Instant when, std::function<void()> expired) {
  auto state = std::make_shared<EventSource::State>(
      *this, [expired = std::move(expired)](std::uint32_t) { expired(); });
  const auto dispatch_timer = [](sd_event_source*, std::uint64_t, void* of) {
    return dispatch(*static_cast<EventSource::State*>(of), 0);
  };
  const int result = sd_event_add_time(event_, &state->source, CLOCK_BOOTTIME, to_usec(when),
                                       kTimerAccuracyUsec, dispatch_timer, state.get());
  return adopt(std::move(state), result, "set a timer");
}

void Loop::set_timer(EventSource& source, Instant when) {
  check(sd_event_source_set_time(source.state_->source, to_usec(when)), "set a timer");
  check(sd_event_source_set_enabled(source.state_->source, SD_EVENT_ONESHOT), "set a timer");
}

void Loop::cancel_timer(EventSource& source) {
  check(sd_event_source_set_enabled(source.state_->source, SD_EVENT_OFF), "cancel a timer");
}

EventSource Loop::add_signal(int signal_number, std::function<void()> received) {
  auto state = std::make_shared<EventSource::State>(
      *this, [received = std::move(received)](std::uint32_t) { received(); });
  const auto dispatch_signal = [](sd_event_source*, const signalfd_siginfo*, void* of) {
    return dispatch(*static_cast<EventSource::State*>(of), 0);
  };
  const int result =
      sd_event_add_signal(event_, &state->source, signal_number, dispatch_signal, state.get());
  return adopt(std::move(state), result, "watch a signal");
}

// By pidfd, for children and others alike: sd_event_add_child(3) takes only children, and only with
// SIGCHLD blocked.
EventSource Loop::add_child(pid_t pid, std::function<void(int status)> exited) {
  // glibc 2.36 declares pidfd_open() without C linkage.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) throw_errno(errno, "watch the process " + std::to_string(pid));
  EventSource source =
      add_io(pidfd.get(), EPOLLIN, [pid, exited = std::move(exited)](std::uint32_t) {
        int status = -1;
        exited(waitpid(pid, &status, WNOHANG) == pid ? status : -1);
      });
  source.state_->pidfd = std::move(pidfd);
  // A pidfd stays readable: tell once.
  check(sd_event_source_set_enabled(source.state_->source, SD_EVENT_ONESHOT), "watch a process");
  return source;
}

EventSource Loop::add_defer(std::function<void()> work) {
  auto state = std::make_shared<EventSource::State>(
      *this, [work = std::move(work)](std::uint32_t) { work(); });
  const auto dispatch_defer = [](sd_event_source*, void* of) {
    return dispatch(*static_cast<EventSource::State*>(of), 0);
  };
  const int result = sd_event_add_defer(event_, &state->source, dispatch_defer, state.get());
  return adopt(std::move(state), result, "defer work");
}

EventSource Loop::add_post(std::function<void()> work) {
  auto state = std::make_shared<EventSource::State>(
      *this, [work = std::move(work)](std::uint32_t) { work(); });
  const auto dispatch_post = [](sd_event_source*, void* of) {
    return dispatch(*static_cast<EventSource::State*>(of), 0);
  };
  const int result = sd_event_add_post(event_, &state->source, dispatch_post, state.get());
  return adopt(std::move(state), result, "watch the loop's turns");
}

int Loop::run() {
  exit_code_.reset();
  while (!exit_code_) {
    check(sd_event_run(event_, UINT64_MAX), "run the event loop");
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  return *exit_code_;
}

Instant Loop::now() const noexcept {
  std::uint64_t usec = 0;
  if (sd_event_now(event_, CLOCK_BOOTTIME, &usec) < 0) return BootClock::now();
  return Instant(std::chrono::microseconds(usec));
}

}  // namespace vpntun::service
