// Every tunnel: start, stop and restart through a launcher, and the state merged from profiles,
// launcher and sessions. Knows no D-Bus: bus/ calls it for its callers, and tells it what the bus
// says about sessions. Holds nothing that a new manager could not learn again. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "manager/catalogue.h"
#include "manager/launcher.h"
#include "manager/tunnel.h"
#include "service/loop.h"

namespace vpntun::manager {

class Manager {
 public:
  // Nothing: done. Called exactly once, maybe from inside the call, unless the call throws.
  using Done = std::function<void(std::optional<Error>)>;

  struct Observer {
    std::function<void(const Tunnel&)> appeared;
    // before: the state it came from; the same when only other facts changed.
    std::function<void(const Tunnel&, Lifecycle before)> changed;
    std::function<void(const std::string& name)> vanished;
  };

  Manager(service::Loop& loop, Catalogue& catalogue, Launcher& launcher);
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // Told of every tunnel known already, and from then on of every change; {} takes it away.
  void observe(Observer observer);
  const std::map<std::string, Tunnel>& tunnels() const noexcept { return tunnels_; }
  // Throws Error kNoSuchTunnel.
  const Tunnel& tunnel(const std::string& name) const;
  // Whether its profile leaves it to whoever sits at the machine.
  bool is_user_tunnel(const std::string& name) const;

  // What can be said at once is thrown as Error: kNoSuchTunnel, kInvalidProfile, kInProgress (it is
  // being stopped). Running already: done. Starting: done when that start is.
  void start(const std::string& name, Done done);
  // Stopped already: done. Starting: the start ends with kFailed.
  void stop(const std::string& name, Done done);
  // A new session in the place of the old one: running -> starting -> running. A profile that
  // cannot be started is refused before anything is stopped, and while a restart is under way there
  // is no second one (kInProgress). Not active: a start.
  void restart(const std::string& name, Done done);

  // The session was asked to take in its profile again: reloading until end_reload(). Throws Error:
  // kNoSuchTunnel, kNotRunning, kInProgress (being started, stopped or reloaded).
  void begin_reload(const std::string& name);
  // Whatever came of it, also when the session ended meanwhile.
  void end_reload(const std::string& name);

  // A session process is on the bus; it has not answered yet.
  void session_found(const std::string& name, int pid);
  // It answered: its tunnel is up.
  void session_appeared(const std::string& name, SessionFacts facts);
  void session_changed(const std::string& name, SessionFacts facts);
  void session_vanished(const std::string& name);

 private:
  enum class Launch { kNone, kStart, kRestart };

  // Who waits for what of one tunnel.
  struct Waiting {
    std::vector<Done> for_start;
    std::vector<Done> for_stop;
    Launch launch = Launch::kNone;   // the launcher owes us the outcome of that
    int launches = 0;                // which one it is: what an earlier one says is old
    std::uint32_t replaced_pid = 0;  // of the session that was there before it
    bool stopping = false;           // the launcher owes us the outcome of stop()
    bool on_bus = false;             // a session of it has its bus name
    service::EventSource patience;   // for what should follow at once from another side
  };

  Tunnel& get(const std::string& name);
  void check_startable(const Tunnel& tunnel) const;
  Tunnel& get_or_add(const std::string& name);
  void profile_changed(const std::string& name);
  void launch(Tunnel& tunnel, Launch how);
  void begin_stop(Tunnel& tunnel);
  void launch_ended(const std::string& name, const LaunchOutcome& outcome);
  void launch_failed(Tunnel& tunnel, const LaunchFailure& failure);
  void settle_after(Tunnel& tunnel, const LaunchFailure& failure);
  void stop_ended(const std::string& name, const LaunchOutcome& outcome);
  void died(const std::string& name, const LaunchOutcome& outcome);
  void changing(const std::string& name, Lifecycle state);
  void stopped(Tunnel& tunnel);
  void is_up(Tunnel& tunnel);
  void transition(Tunnel& tunnel, Lifecycle to, Reason why = {});
  void tell_changed(const Tunnel& tunnel, Lifecycle before);
  void be_patient(const std::string& name, std::function<void()> expired);
  void drop_if_gone(const std::string& name);

  service::Loop& loop_;
  Catalogue& catalogue_;
  Launcher& launcher_;
  Observer observer_;
  std::map<std::string, Tunnel> tunnels_;
  std::map<std::string, Waiting> waiting_;
};

}  // namespace vpntun::manager
