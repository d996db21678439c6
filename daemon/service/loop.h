// The control thread's event loop: sd-event(3) behind RAII. Every callback runs on the control
// thread; what a callback throws ends the loop and comes out of run(). The add functions throw
// Error. Thread: control, all of it; other threads reach the loop through a Mailbox.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>

#include "base/time.h"

struct sd_event;
struct sd_event_source;

namespace vpntun::service {

// One registration; its destructor takes it out of the loop. Safe to destroy from inside its own
// callback.
class [[nodiscard]] EventSource {
 public:
  struct State;
  EventSource() noexcept;
  explicit EventSource(std::shared_ptr<State> state) noexcept;
  EventSource(EventSource&&) noexcept;
  EventSource& operator=(EventSource&&) noexcept;
  ~EventSource();
  explicit operator bool() const noexcept { return state_ != nullptr; }

 private:
  friend class Loop;
  void remove() noexcept;
  std::shared_ptr<State> state_;  // shared with the callback while it runs
};

class Loop {
 public:
  Loop();  // throws Error
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // events: EPOLLIN and friends; the callback gets what happened. The descriptor stays the
  // caller's.
  EventSource add_io(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready);
  void set_io_events(EventSource& source, std::uint32_t events);
  // One shot, at `when` (CLOCK_BOOTTIME).
  EventSource add_timer(Instant when, std::function<void()> expired);
  void set_timer(EventSource& source, Instant when);  // arms it again, or moves it
  void cancel_timer(EventSource& source);
  // The signal must be blocked in every thread (main does that first).
  EventSource add_signal(int signal_number, std::function<void()> received);
  // Once, when the process has ended. status: as waitpid(2) gives it, the child being reaped; -1
  // for a process that is not our child. Throws Error when there is no such process.
  EventSource add_child(pid_t pid, std::function<void(int status)> exited);
  // Once, before the loop sleeps again; for work that must not run inside the caller's stack.
  EventSource add_defer(std::function<void()> work);
  // After every turn in which anything else was called back; for what must look at the outcome of
  // all of it, as a D-Bus connection at its queue.
  EventSource add_post(std::function<void()> work);

  // Until exit(); returns its code. May be run again after that.
  int run();
  void exit(int code) noexcept { exit_code_ = code; }
  // The instant this turn of the loop began.
  Instant now() const noexcept;
  sd_event* native() noexcept { return event_; }

 private:
  static int dispatch(EventSource::State& state, std::uint32_t events) noexcept;
  EventSource adopt(std::shared_ptr<EventSource::State> state, int result,
                    const char* attempted) const;

  sd_event* event_ = nullptr;
  std::optional<int> exit_code_;
  std::exception_ptr failure_;  // thrown by a callback, for run() to throw again
};

}  // namespace vpntun::service
