#include "bus/session_watch.h"

#include <chrono>
#include <optional>
#include <utility>

#include "base/log.h"
#include "bus/errors.h"
#include "config/profile.h"
#include "dbus/error_names.h"
#include "dbus/names.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

namespace {

using std::chrono::seconds;

constexpr seconds kBusAnswersWithin{5};
constexpr seconds kStatusWithin{5};
constexpr seconds kReloadWithin{20};
// A session answers when its tunnel is up, which may take a while; then it is asked again.
constexpr seconds kFactsWithin{15};
// While the manager starts, nobody else is answered.
constexpr std::chrono::milliseconds kFirstFactsWithin{300};
constexpr std::size_t kMaximumSessions = 512;
// Who may wait for one answer: of thousands of peers it is large, and each gets one of their own.
constexpr std::size_t kMaximumWaiting = 64;
constexpr const char* kSession = "org.vpntun1.Session";
constexpr const char* kDriver = "org.freedesktop.DBus";

// Of those properties that are there.
void take_in(const Dictionary& properties, manager::SessionFacts& facts) {
  const auto take = [&](const char* name, auto& value) {
    if (properties.contains(name)) value = get<std::decay_t<decltype(value)>>(properties, name);
  };
  std::string health;
  take("Health", health);
  if (!health.empty()) facts.health = parse_health(health).value_or(Health::kUnknown);
  take("Ready", facts.ready);
  take("MainPID", facts.pid);
  take("Interface", facts.interface);
  take("Kind", facts.kind);
  take("Encryption", facts.encryption);
  take("ProfilePath", facts.profile_path);
  take("ProfileTimeUSec", facts.profile_time_usec);
  take("ReasonCode", facts.reason.code);
  take("ReasonText", facts.reason.text);
}

manager::SessionFacts facts_of(const Dictionary& properties) {
  manager::SessionFacts facts;
  take_in(properties, facts);
  return facts;
}

bool is_silence(const sdbus::Error& error) {
  return error.getName() == "org.freedesktop.DBus.Error.NoReply" ||
         error.getName() == "org.freedesktop.DBus.Error.Timeout";
}

}  // namespace

struct SessionWatch::Known {
  std::string tunnel;
  std::string owner;  // unique name of its connection
  std::unique_ptr<sdbus::IProxy> proxy;
  bool found = false;             // the manager knows
  std::vector<Answered> waiting;  // for the one Status call under way
  Reloaded reloading;             // waits for the one Reload call under way
};

SessionWatch::SessionWatch(Connection& connection, TrustedUsers trusted, manager::Manager& manager)
    : connection_(connection), trusted_(std::move(trusted)), manager_(manager) {
  names_ = connection_.follow_owners(
      "arg0namespace='org.vpntun1.session'",
      [this](const std::string& name, const std::string& owner) { owner_changed(name, owner); });
  // Without a sender, as that would be a rule for each session: only owners are listened to.
  properties_ = dbus::add_match(
      connection_.sdbus(),
      "type='signal',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
      "path='/org/vpntun1/session'",
      shielded("follow a session's properties",
               [this](sdbus::Message& message) { properties_changed(message); }));
  std::vector<std::string> names;
  connection_.driver().callMethod("ListNames").onInterface(kDriver).storeResultsTo(names);
  for (const std::string& name : names)
    if (name.starts_with(dbus::kSessionNamePrefix)) meet(name);
}

SessionWatch::~SessionWatch() = default;

template <class Answer>
Answer SessionWatch::ask_bus(const char* question, const std::string& name) {
  Answer answer{};
  connection_.driver()
      .callMethod(question)
      .onInterface(kDriver)
      .withTimeout(kBusAnswersWithin)
      .withArguments(name)
      .storeResultsTo(answer);
  return answer;
}

// The same steps as from owner_changed() on, one by one: who asks first is told what runs.
void SessionWatch::meet(const std::string& bus_name) {
  Known* met = nullptr;
  try {
    met = add(bus_name, ask_bus<std::string>("GetNameOwner", bus_name));
    if (met == nullptr) return;
    if (!trusted_.contains(ask_bus<std::uint32_t>("GetConnectionUnixUser", met->owner)))
      return ignore(met->tunnel);
    found(*met, ask_bus<std::uint32_t>("GetConnectionUnixProcessID", met->owner));
    Dictionary properties;
    met->proxy->callMethod("GetAll")
        .onInterface("org.freedesktop.DBus.Properties")
        .withTimeout(kFirstFactsWithin)
        .withArguments(std::string(kSession))
        .storeResultsTo(properties);
    manager_.session_appeared(met->tunnel, facts_of(properties));
  } catch (const sdbus::Error&) {
    // Gone meanwhile, which the bus will say; or its tunnel is not up yet.
    if (met != nullptr && met->found) ask_facts(*met);
  }
}

SessionWatch::Known* SessionWatch::add(const std::string& bus_name, const std::string& owner) {
  const auto tunnel = dbus::tunnel_of_session(bus_name);
  if (!tunnel || !config::is_tunnel_name(*tunnel) || sessions_.size() >= kMaximumSessions)
    return nullptr;
  auto session = std::make_unique<Known>();
  session->tunnel = *tunnel;
  session->owner = owner;
  session->proxy = sdbus::createProxy(connection_.sdbus(), sdbus::ServiceName(owner),
                                      sdbus::ObjectPath(std::string(dbus::kSessionPath)));
  return (sessions_[*tunnel] = std::move(session)).get();
}

void SessionWatch::ignore(const std::string& tunnel) {
  log::event(log::Event::kSessionIgnored, {.tunnel = tunnel},
             "tunnel {}: somebody else's process has the bus name of its session; it is ignored",
             tunnel);
  sessions_.erase(tunnel);
}

void SessionWatch::found(Known& session, std::uint32_t pid) {
  session.found = true;
  manager_.session_found(session.tunnel, static_cast<int>(pid));
}

void SessionWatch::owner_changed(const std::string& bus_name, const std::string& owner) {
  const auto tunnel = dbus::tunnel_of_session(bus_name);
  if (!tunnel) return;
  if (const auto before = sessions_.find(*tunnel); before != sessions_.end()) {
    if (before->second->owner == owner) return;  // met at the start
    const std::unique_ptr<Known> gone = std::move(before->second);
    sessions_.erase(before);
    if (gone->found) manager_.session_vanished(*tunnel);
    for (const Answered& answered : gone->waiting) answered(nullptr);
    if (gone->reloading)
      gone->reloading(
          Error(ErrorKind::kFailed, "tunnel {}: its session ended while reloading", *tunnel), {});
  }
  if (owner.empty()) return;
  if (const Known* added = add(bus_name, owner)) ask_user(*added);
}

SessionWatch::Known* SessionWatch::find(const std::string& tunnel, const std::string& owner) {
  const auto at = sessions_.find(tunnel);
  return at != sessions_.end() && at->second->owner == owner ? at->second.get() : nullptr;
}

void SessionWatch::ask_user(const Known& session) {
  auto answered = [this, tunnel = session.tunnel, owner = session.owner](
                      const std::optional<sdbus::Error>& error, std::uint32_t uid) {
    const Known* known = find(tunnel, owner);
    if (known == nullptr) return;
    if (error && is_silence(*error)) return ask_user(*known);
    if (!error && trusted_.contains(uid)) return ask_pid(*known);
    ignore(tunnel);
  };
  connection_.driver()
      .callMethodAsync("GetConnectionUnixUser")
      .onInterface(kDriver)
      .withTimeout(kBusAnswersWithin)
      .withArguments(session.owner)
      .uponReplyInvoke(
          dbus::on_reply<std::uint32_t>(shielded("ask for a session's user", std::move(answered))));
}

void SessionWatch::ask_pid(const Known& session) {
  auto answered = [this, tunnel = session.tunnel, owner = session.owner](
                      const std::optional<sdbus::Error>& error, std::uint32_t pid) {
    Known* known = find(tunnel, owner);
    if (known == nullptr) return;
    if (error && is_silence(*error)) return ask_pid(*known);
    if (error) return;  // it just left
    found(*known, pid);
    ask_facts(*known);
  };
  connection_.driver()
      .callMethodAsync("GetConnectionUnixProcessID")
      .onInterface(kDriver)
      .withTimeout(kBusAnswersWithin)
      .withArguments(session.owner)
      .uponReplyInvoke(dbus::on_reply<std::uint32_t>(
          shielded("ask for a session's process", std::move(answered))));
}

void SessionWatch::ask_facts(const Known& session) {
  auto answered = [this, tunnel = session.tunnel, owner = session.owner](
                      const std::optional<sdbus::Error>& error, const Dictionary& properties) {
    const Known* known = find(tunnel, owner);
    if (known == nullptr) return;
    if (!error) return manager_.session_appeared(tunnel, facts_of(properties));
    if (is_silence(*error)) return ask_facts(*known);
    if (error->getName() == "org.freedesktop.DBus.Error.ServiceUnknown") return;  // it just left
    log::warning("tunnel {}: its session answers {}", tunnel, escaped(error->getMessage()));
  };
  session.proxy->callMethodAsync("GetAll")
      .onInterface("org.freedesktop.DBus.Properties")
      .withTimeout(kFactsWithin)
      .withArguments(std::string(kSession))
      .uponReplyInvoke(dbus::on_reply<Dictionary>(
          shielded("ask for a session's properties", std::move(answered))));
}

void SessionWatch::properties_changed(sdbus::Message& message) {
  const std::string sender = message.getSender();
  for (const auto& [tunnel, session] : sessions_) {
    if (session->owner != sender || !session->found) continue;
    std::string interface;
    Dictionary changed;
    message >> interface >> changed;
    const auto shown = manager_.tunnels().find(tunnel);
    if (interface != kSession || shown == manager_.tunnels().end()) return;
    manager::SessionFacts facts = shown->second.session().value_or(manager::SessionFacts{});
    take_in(changed, facts);
    manager_.session_changed(tunnel, std::move(facts));
    return;
  }
}

void SessionWatch::status(const std::string& tunnel, Answered answered) {
  const auto at = sessions_.find(tunnel);
  if (at == sessions_.end() || !at->second->found) return answered(nullptr);
  Known& session = *at->second;
  if (session.waiting.size() >= kMaximumWaiting) return answered(nullptr);
  session.waiting.push_back(std::move(answered));
  if (session.waiting.size() > 1) return;
  auto replied = [this, tunnel, owner = session.owner](const std::optional<sdbus::Error>& error,
                                                       const Dictionary& status) {
    Known* known = find(tunnel, owner);
    if (known == nullptr) return;
    for (const Answered& waiting : std::exchange(known->waiting, {}))
      waiting(error ? nullptr : &status);
  };
  session.proxy->callMethodAsync("Status")
      .onInterface(kSession)
      .withTimeout(kStatusWithin)
      .uponReplyInvoke(
          dbus::on_reply<Dictionary>(shielded("ask for a session's status", std::move(replied))));
}

void SessionWatch::reload(const std::string& tunnel, Reloaded reloaded) {
  const auto at = sessions_.find(tunnel);
  if (at == sessions_.end() || !at->second->found)
    return reloaded(
        Error(ErrorKind::kNotRunning, "tunnel {}: its session is not on the bus", tunnel), {});
  if (at->second->reloading)
    return reloaded(Error(ErrorKind::kInProgress, "tunnel {}: it is being reloaded", tunnel), {});
  at->second->reloading = std::move(reloaded);
  auto replied = [this, tunnel, owner = at->second->owner](const std::optional<sdbus::Error>& error,
                                                           const Dictionary& result) {
    Known* known = find(tunnel, owner);
    if (known == nullptr) return;
    const Reloaded told = std::exchange(known->reloading, {});
    if (!error) return told(std::nullopt, result);
    if (error->getName() == "org.freedesktop.DBus.Error.NoReply")
      return told(Error(ErrorKind::kTimeout, "tunnel {}: its session did not reload within {} s",
                        tunnel, kReloadWithin.count()),
                  {});
    told(Error(dbus::kind_of_name(error->getName()), "tunnel {}: {}", tunnel,
               escaped(error->getMessage(), 1000)),
         {});
  };
  at->second->proxy->callMethodAsync("Reload")
      .onInterface(kSession)
      .withTimeout(kReloadWithin)
      .withArguments(Dictionary{})
      .uponReplyInvoke(
          dbus::on_reply<Dictionary>(shielded("reload a session", std::move(replied))));
}

}  // namespace vpntun::bus
