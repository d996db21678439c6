#include "manager/manager.h"

#include <utility>

#include "base/log.h"

namespace vpntun::manager {

namespace {

// How long one of launcher and bus may be behind the other about the same event.
constexpr std::chrono::seconds kPatience{2};

void finish(const std::vector<Manager::Done>& waiting, const std::optional<Error>& outcome) {
  for (const Manager::Done& done : waiting) done(outcome);
}

std::optional<Error> error_of(const std::string& name, const LaunchOutcome& outcome) {
  if (!outcome) return std::nullopt;
  return Error(outcome->kind, "tunnel {}: {}", name, outcome->text);
}

Error stopped_while_starting(const std::string& name) {
  return Error(ErrorKind::kFailed, "tunnel {}: stopped while starting", name);
}

Reason reason_of(const LaunchFailure& failure) {
  return {.code = reason_code(failure.kind), .text = failure.text};
}

}  // namespace

Manager::Manager(service::Loop& loop, Catalogue& catalogue, Launcher& launcher)
    : loop_(loop), catalogue_(catalogue), launcher_(launcher) {
  launcher_.set_died(
      [this](const std::string& name, const LaunchOutcome& why) { died(name, why); });
  launcher_.set_changing(
      [this](const std::string& name, Lifecycle state) { changing(name, state); });
  catalogue_.on_changed([this](const std::string& name) { profile_changed(name); });
  for (const auto& [name, entry] : catalogue_.profiles()) get_or_add(name);
}

void Manager::observe(Observer observer) {
  observer_ = std::move(observer);
  if (!observer_.appeared) return;
  for (const auto& [name, known] : tunnels_) observer_.appeared(known);
}

const Tunnel& Manager::tunnel(const std::string& name) const {
  const auto at = tunnels_.find(name);
  if (at == tunnels_.end())
    throw Error(ErrorKind::kNoSuchTunnel, "no tunnel \"{}\": there is no profile of that name",
                escaped(name));
  return at->second;
}

bool Manager::is_user_tunnel(const std::string& name) const {
  const ProfileEntry* entry = catalogue_.find(name);
  return entry != nullptr && entry->active_session;
}

Tunnel& Manager::get(const std::string& name) {
  static_cast<void>(tunnel(name));
  return tunnels_.at(name);
}

void Manager::check_startable(const Tunnel& tunnel) const {
  const std::string& name = tunnel.name();
  if (tunnel.state() == Lifecycle::kStopping)
    throw Error(ErrorKind::kInProgress, "tunnel {}: it is being stopped", name);
  if (!tunnel.profile())
    throw Error(ErrorKind::kNoSuchTunnel, "tunnel {}: its profile is gone", name);
  if (!tunnel.profile()->valid)
    throw Error(ErrorKind::kInvalidProfile, "tunnel {}: {}; all of it: vpnctl check {}", name,
                tunnel.profile()->problem, name);
}

Tunnel& Manager::get_or_add(const std::string& name) {
  if (const auto at = tunnels_.find(name); at != tunnels_.end()) return at->second;
  Tunnel& added = tunnels_.emplace(name, Tunnel(name, launcher_.unit_of(name))).first->second;
  if (const ProfileEntry* entry = catalogue_.find(name)) added.set_profile(*entry);
  if (observer_.appeared) observer_.appeared(added);
  return added;
}

void Manager::start(const std::string& name, Done done) {
  catalogue_.refresh();
  Tunnel& wanted = get(name);
  if (wanted.state() == Lifecycle::kRunning || wanted.state() == Lifecycle::kReloading)
    return done(std::nullopt);
  if (wanted.state() != Lifecycle::kStarting) check_startable(wanted);
  waiting_[name].for_start.push_back(std::move(done));
  if (wanted.state() != Lifecycle::kStarting) launch(wanted, Launch::kStart);
}

void Manager::launch(Tunnel& tunnel, Launch how) {
  const std::string name = tunnel.name();
  Waiting& waiting = waiting_[name];
  waiting.launch = how;
  waiting.stopping = false;
  waiting.patience = {};
  waiting.replaced_pid = tunnel.session() ? tunnel.session()->pid : 0;
  if (tunnel.state() != Lifecycle::kStarting) transition(tunnel, Lifecycle::kStarting);
  auto ended = [this, name, number = ++waiting.launches](const LaunchOutcome& outcome) {
    if (number == waiting_[name].launches) launch_ended(name, outcome);
  };
  how == Launch::kStart ? launcher_.start(name, ended) : launcher_.restart(name, ended);
}

void Manager::launch_ended(const std::string& name, const LaunchOutcome& outcome) {
  Tunnel& started = get(name);  // listed as long as it is active
  Waiting& waiting = waiting_[name];
  waiting.launch = Launch::kNone;
  if (started.state() != Lifecycle::kStarting) {
    // Stopped meanwhile: this is the end of that start.
    finish(std::exchange(waiting.for_start, {}), error_of(name, outcome));
    return;
  }
  // Another session of that name was there before ours: what was wanted is the case, or about to
  // be.
  const bool runs_already = outcome && outcome->kind == ErrorKind::kInProgress;
  if (outcome && !runs_already) return launch_failed(started, *outcome);
  if (started.session() && started.session()->pid != waiting.replaced_pid) {
    if (!runs_already || started.session()->ready) is_up(started);
    return;  // or the session's own word is to come
  }
  be_patient(name, [this, name, outcome] {
    Tunnel& silent = get(name);
    if (silent.state() != Lifecycle::kStarting) return;
    outcome ? launch_failed(silent, *outcome) : is_up(silent);
  });
}

void Manager::launch_failed(Tunnel& tunnel, const LaunchFailure& failure) {
  const std::string name = tunnel.name();
  settle_after(tunnel, failure);
  finish(std::exchange(waiting_[name].for_start, {}), error_of(name, failure));
  drop_if_gone(name);
}

// What was tried failed; a session that is still there runs on.
void Manager::settle_after(Tunnel& tunnel, const LaunchFailure& failure) {
  if (waiting_[tunnel.name()].on_bus && tunnel.session())
    return transition(tunnel, Lifecycle::kRunning);
  tunnel.set_session(std::nullopt);
  const Lifecycle now = failure.again ? Lifecycle::kStarting : Lifecycle::kFailed;
  if (tunnel.state() != now) return transition(tunnel, now, reason_of(failure));
  tunnel.set_reason(reason_of(failure));
  tell_changed(tunnel, now);
}

void Manager::stopped(Tunnel& tunnel) {
  tunnel.set_session(std::nullopt);
  transition(tunnel, Lifecycle::kStopped);
}

void Manager::is_up(Tunnel& tunnel) {
  Waiting& waiting = waiting_[tunnel.name()];
  waiting.patience = {};
  transition(tunnel, Lifecycle::kRunning);
  finish(std::exchange(waiting_[tunnel.name()].for_start, {}), std::nullopt);
}

void Manager::stop(const std::string& name, Done done) {
  Tunnel& wanted = get(name);
  switch (wanted.state()) {
    case Lifecycle::kStopped:
      done(std::nullopt);
      return drop_if_gone(name);
    case Lifecycle::kFailed:  // to be forgotten
    case Lifecycle::kStopping:
    case Lifecycle::kStarting:
    case Lifecycle::kRunning:
    case Lifecycle::kReloading:
      waiting_[name].for_stop.push_back(std::move(done));
      if (!waiting_[name].stopping) begin_stop(wanted);
  }
}

void Manager::restart(const std::string& name, Done done) {
  catalogue_.refresh();
  Tunnel& wanted = get(name);
  check_startable(wanted);
  if (!wanted.is_active()) return start(name, std::move(done));
  Waiting& waiting = waiting_[name];
  if (waiting.launch == Launch::kRestart)
    throw Error(ErrorKind::kInProgress, "tunnel {}: it is being restarted", name);
  finish(std::exchange(waiting.for_start, {}), stopped_while_starting(name));
  waiting_[name].for_start.push_back(std::move(done));
  launch(wanted, Launch::kRestart);
}

void Manager::begin_reload(const std::string& name) {
  catalogue_.refresh();
  Tunnel& wanted = get(name);
  if (!wanted.is_active())
    throw Error(ErrorKind::kNotRunning, "tunnel {}: it is not running", name);
  if (wanted.state() != Lifecycle::kRunning)
    throw Error(ErrorKind::kInProgress, "tunnel {}: it is {}", name, to_string(wanted.state()));
  transition(wanted, Lifecycle::kReloading);
}

void Manager::end_reload(const std::string& name) {
  const auto at = tunnels_.find(name);
  if (at != tunnels_.end() && at->second.state() == Lifecycle::kReloading)
    transition(at->second, Lifecycle::kRunning);
}

void Manager::begin_stop(Tunnel& tunnel) {
  const std::string name = tunnel.name();
  Waiting& waiting = waiting_[name];
  waiting.patience = {};
  waiting.stopping = true;
  if (tunnel.is_active() && tunnel.state() != Lifecycle::kStopping)
    transition(tunnel, Lifecycle::kStopping);
  // A start the launcher still owes the outcome of ends through it; one that waited for the bus
  // ends here.
  if (waiting_[name].launch == Launch::kNone)
    finish(std::exchange(waiting_[name].for_start, {}), stopped_while_starting(name));
  launcher_.stop(name, [this, name](const LaunchOutcome& outcome) { stop_ended(name, outcome); });
}

void Manager::stop_ended(const std::string& name, const LaunchOutcome& outcome) {
  Tunnel& told = get(name);
  const bool current = std::exchange(waiting_[name].stopping, false);  // no start came after it
  if (outcome) log::warning("tunnel {}: did not stop: {}", name, outcome->text);
  if (current) outcome ? settle_after(told, *outcome) : stopped(told);
  finish(std::exchange(waiting_[name].for_stop, {}), error_of(name, outcome));
  drop_if_gone(name);
}

void Manager::died(const std::string& name, const LaunchOutcome& outcome) {
  const auto at = tunnels_.find(name);
  if (at == tunnels_.end()) return;
  Tunnel& dead = at->second;
  Waiting& waiting = waiting_[name];
  if (waiting.launch != Launch::kNone || waiting.stopping) return;  // what we asked for will tell
  waiting.patience = {};
  waiting.on_bus = false;
  if (outcome)
    settle_after(dead, *outcome);
  else if (dead.state() != Lifecycle::kStopped)
    stopped(dead);
  finish(std::exchange(waiting_[name].for_start, {}),
         outcome ? error_of(name, *outcome)
                 : Error(ErrorKind::kFailed, "tunnel {}: its session was stopped", name));
  drop_if_gone(name);
}

// Somebody else is at work on it.
void Manager::changing(const std::string& name, Lifecycle state) {
  Tunnel& changed = get_or_add(name);
  Waiting& waiting = waiting_[name];
  if (waiting.launch != Launch::kNone || waiting.stopping || changed.state() == state) return;
  // Late, if its session is on the bus already; and what does not run cannot be stopped.
  const bool credible = state == Lifecycle::kStarting ? !waiting.on_bus : changed.is_active();
  if (!credible) return drop_if_gone(name);
  waiting.patience = {};
  transition(changed, state);
}

void Manager::session_found(const std::string& name, int pid) {
  if (!launcher_.adopt(name, pid)) return;
  Tunnel& found = get_or_add(name);
  waiting_[name].on_bus = true;
  // A session after one that left the bus: nobody waits any longer to hear how that one ended.
  if (found.state() == Lifecycle::kRunning) waiting_[name].patience = {};
  if (!found.is_active()) transition(found, Lifecycle::kStarting);
}

void Manager::session_appeared(const std::string& name, SessionFacts facts) {
  Tunnel& found = get_or_add(name);
  if (waiting_[name].stopping) return;
  found.set_session(std::move(facts));
  const Waiting& waiting = waiting_[name];
  if (found.state() == Lifecycle::kStarting &&
      (waiting.launch != Launch::kNone || !found.session()->ready))
    return;  // READY=1 is to come
  if (found.state() == Lifecycle::kRunning || found.state() == Lifecycle::kReloading)
    tell_changed(found, found.state());
  else
    is_up(found);
}

void Manager::session_changed(const std::string& name, SessionFacts facts) {
  const auto at = tunnels_.find(name);
  if (at == tunnels_.end() || !at->second.session() || facts == *at->second.session()) return;
  Tunnel& changed = at->second;
  changed.set_session(std::move(facts));
  const bool began = changed.state() == Lifecycle::kStarting && changed.session()->ready &&
                     waiting_[name].launch == Launch::kNone;
  began ? is_up(changed) : tell_changed(changed, changed.state());
}

void Manager::session_vanished(const std::string& name) {
  const auto at = tunnels_.find(name);
  if (at == tunnels_.end()) return;
  waiting_[name].on_bus = false;
  if (!at->second.is_active() || at->second.state() == Lifecycle::kStopping) return;
  if (waiting_[name].launch != Launch::kNone) return at->second.set_session(std::nullopt);
  // The launcher knows why, and says so any moment.
  be_patient(name, [this, name] {
    died(name, LaunchFailure{ErrorKind::kLauncherFailed, "the session left the bus"});
  });
}

void Manager::profile_changed(const std::string& name) {
  const ProfileEntry* entry = catalogue_.find(name);
  const auto at = tunnels_.find(name);
  if (at == tunnels_.end()) {
    if (entry != nullptr) get_or_add(name);
    return;
  }
  at->second.set_profile(entry != nullptr ? std::optional(*entry) : std::nullopt);
  if (entry == nullptr && !at->second.is_active()) return drop_if_gone(name);
  tell_changed(at->second, at->second.state());
}

void Manager::transition(Tunnel& tunnel, Lifecycle to, Reason why) {
  const Lifecycle before = tunnel.state();
  const log::Event event =
      to == Lifecycle::kFailed ? log::Event::kTunnelFailed : log::Event::kTunnelChanged;
  log::event(event, {.tunnel = tunnel.name(), .reason = why.code}, "tunnel {}: {}{}{}",
             tunnel.name(), to_string(to), why.text.empty() ? "" : ", ", why.text);
  tunnel.transition(to, std::move(why));
  tell_changed(tunnel, before);
}

void Manager::tell_changed(const Tunnel& tunnel, Lifecycle before) {
  if (observer_.changed) observer_.changed(tunnel, before);
}

void Manager::be_patient(const std::string& name, std::function<void()> expired) {
  waiting_[name].patience = loop_.add_timer(loop_.now() + kPatience, std::move(expired));
}

// A tunnel without profile is listed only while something of it runs.
void Manager::drop_if_gone(const std::string& name) {
  const auto at = tunnels_.find(name);
  if (at == tunnels_.end() || at->second.is_active() || at->second.profile()) return;
  tunnels_.erase(at);
  waiting_.erase(name);
  if (observer_.vanished) observer_.vanished(name);
}

}  // namespace vpntun::manager
