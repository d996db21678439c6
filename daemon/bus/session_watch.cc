#include "bus/session_watch.h"

#include <sdbus-c++/sdbus-c++.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <utility>

#include "base/log.h"
#include "bus/errors.h"
#include "config/profile.h"
#include "dbus/names.h"

namespace vpntun::bus {

namespace {

using std::chrono::seconds;

constexpr seconds kBusAnswersWithin{5};
constexpr seconds kStatusWithin{2};
// A session answers when its tunnel is up, which may take a while; then it is asked again.
constexpr seconds kFactsWithin{15};
constexpr std::size_t kMaximumSessions = 512;
constexpr const char* kSession = "org.vpntun1.Session";
constexpr const char* kDriver = "org.freedesktop.DBus";

Health health_of(const Dictionary& properties) {
  return parse_health(get<std::string>(properties, "Health")).value_or(Health::kUnknown);
}

Reason reason_of(const Dictionary& properties) {
  return {.code = get<std::string>(properties, "ReasonCode"),
          .text = get<std::string>(properties, "ReasonText")};
}

manager::SessionFacts facts_of(const Dictionary& properties) {
  manager::SessionFacts facts;
  facts.pid = get<std::uint32_t>(properties, "MainPID");
  facts.interface = get<std::string>(properties, "Interface");
  facts.kind = get<std::string>(properties, "Kind");
  facts.encryption = get<std::string>(properties, "Encryption");
  facts.profile_path = get<std::string>(properties, "ProfilePath");
  facts.profile_time_usec = get<std::uint64_t>(properties, "ProfileTimeUSec");
  facts.health = health_of(properties);
  facts.reason = reason_of(properties);
  return facts;
}

}  // namespace

struct SessionWatch::Known {
  std::string tunnel;
  std::string owner;  // unique name of its connection
  std::unique_ptr<sdbus::IProxy> proxy;
  bool found = false;             // the manager knows
  std::vector<Answered> waiting;  // for the one Status call under way
};

SessionWatch::SessionWatch(Connection& connection, manager::Manager& manager)
    : connection_(connection), manager_(manager) {
  names_ = connection_.sdbus().addMatch(
      "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
      "member='NameOwnerChanged',arg0namespace='org.vpntun1.session'",
      shielded("follow the sessions on the bus", [this](sdbus::Message& message) {
        std::string name;
        std::string before;
        std::string owner;
        message >> name >> before >> owner;
        owner_changed(name, owner);
      }));
  properties_ = connection_.sdbus().addMatch(
      "type='signal',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
      "path='/org/vpntun1/session'",
      shielded("follow a session's properties",
               [this](sdbus::Message& message) { properties_changed(message); }));
  std::vector<std::string> names;
  connection_.driver().callMethod("ListNames").onInterface(kDriver).storeResultsTo(names);
  for (const std::string& name : names) {
    if (!name.starts_with(dbus::kSessionNamePrefix)) continue;
    std::string owner;
    try {
      connection_.driver()
          .callMethod("GetNameOwner")
          .onInterface(kDriver)
          .withArguments(name)
          .storeResultsTo(owner);
    } catch (const sdbus::Error&) {
      continue;  // gone meanwhile
    }
    owner_changed(name, owner);
  }
}

SessionWatch::~SessionWatch() = default;

void SessionWatch::owner_changed(const std::string& bus_name, const std::string& owner) {
  if (!bus_name.starts_with(dbus::kSessionNamePrefix)) return;
  const auto tunnel =
      dbus::unescape_label(std::string_view(bus_name).substr(dbus::kSessionNamePrefix.size()));
  if (!tunnel || !config::is_tunnel_name(*tunnel)) return;
  if (const auto before = sessions_.find(*tunnel); before != sessions_.end()) {
    const std::unique_ptr<Known> gone = std::move(before->second);
    sessions_.erase(before);
    if (gone->found) manager_.session_vanished(*tunnel);
    for (const Answered& answered : gone->waiting) answered(nullptr);
  }
  if (owner.empty() || sessions_.size() >= kMaximumSessions) return;
  auto session = std::make_unique<Known>();
  session->tunnel = *tunnel;
  session->owner = owner;
  session->proxy = sdbus::createProxy(connection_.sdbus(), owner, std::string(dbus::kSessionPath));
  const Known& added = *(sessions_[*tunnel] = std::move(session));
  ask_user(added);
}

SessionWatch::Known* SessionWatch::find(const std::string& tunnel, const std::string& owner) {
  const auto at = sessions_.find(tunnel);
  return at != sessions_.end() && at->second->owner == owner ? at->second.get() : nullptr;
}

void SessionWatch::ask_user(const Known& session) {
  auto answered = [this, tunnel = session.tunnel, owner = session.owner](const sdbus::Error* error,
                                                                         std::uint32_t uid) {
    const Known* known = find(tunnel, owner);
    if (known == nullptr) return;
    if (error == nullptr && (uid == 0 || uid == ::geteuid())) return ask_pid(*known);
    log::warning(
        "tunnel {}: somebody else's process has the bus name of its session; it is ignored",
        tunnel);
    sessions_.erase(tunnel);
  };
  connection_.driver()
      .callMethodAsync("GetConnectionUnixUser")
      .onInterface(kDriver)
      .withTimeout(kBusAnswersWithin)
      .withArguments(session.owner)
      .uponReplyInvoke(std::function<void(const sdbus::Error*, std::uint32_t)>(
          shielded("ask for a session's user", std::move(answered))));
}

void SessionWatch::ask_pid(const Known& session) {
  auto answered = [this, tunnel = session.tunnel, owner = session.owner](const sdbus::Error* error,
                                                                         std::uint32_t pid) {
    Known* known = find(tunnel, owner);
    if (known == nullptr || error != nullptr) return;
    known->found = true;
    manager_.session_found(tunnel, static_cast<int>(pid));
    ask_facts(*known);
  };
  connection_.driver()
      .callMethodAsync("GetConnectionUnixProcessID")
      .onInterface(kDriver)
      .withTimeout(kBusAnswersWithin)
      .withArguments(session.owner)
      .uponReplyInvoke(std::function<void(const sdbus::Error*, std::uint32_t)>(
          shielded("ask for a session's process", std::move(answered))));
}

void SessionWatch::ask_facts(const Known& session) {
  auto answered = [this, tunnel = session.tunnel, owner = session.owner](
                      const sdbus::Error* error, const Dictionary& properties) {
    const Known* known = find(tunnel, owner);
    if (known == nullptr) return;
    if (error == nullptr) return manager_.session_appeared(tunnel, facts_of(properties));
    const bool silent = error->getName() == "org.freedesktop.DBus.Error.NoReply" ||
                        error->getName() == "org.freedesktop.DBus.Error.Timeout";
    if (silent) return ask_facts(*known);
    if (error->getName() == "org.freedesktop.DBus.Error.ServiceUnknown") return;  // it just left
    log::warning("tunnel {}: its session answers {}", tunnel, escaped(error->getMessage()));
  };
  session.proxy->callMethodAsync("GetAll")
      .onInterface("org.freedesktop.DBus.Properties")
      .withTimeout(kFactsWithin)
      .withArguments(std::string(kSession))
      .uponReplyInvoke(std::function<void(const sdbus::Error*, const Dictionary&)>(
          shielded("ask for a session's properties", std::move(answered))));
}

void SessionWatch::properties_changed(sdbus::Message& message) {
  const std::string sender = message.getSender();
  for (const auto& [tunnel, session] : sessions_) {
    if (session->owner != sender || !session->found) continue;
    std::string interface;
    Dictionary changed;
    message >> interface >> changed;
    if (interface == kSession && changed.contains("Health"))
      manager_.session_changed(tunnel, health_of(changed), reason_of(changed));
    return;
  }
}

void SessionWatch::status(const std::string& tunnel, Answered answered) {
  const auto at = sessions_.find(tunnel);
  if (at == sessions_.end() || !at->second->found) return answered(nullptr);
  Known& session = *at->second;
  session.waiting.push_back(std::move(answered));
  if (session.waiting.size() > 1) return;
  auto replied = [this, tunnel, owner = session.owner](const sdbus::Error* error,
                                                       const Dictionary& status) {
    Known* known = find(tunnel, owner);
    if (known == nullptr) return;
    for (const Answered& waiting : std::exchange(known->waiting, {}))
      waiting(error == nullptr ? &status : nullptr);
  };
  session.proxy->callMethodAsync("Status")
      .onInterface(kSession)
      .withTimeout(kStatusWithin)
      .uponReplyInvoke(std::function<void(const sdbus::Error*, const Dictionary&)>(
          shielded("ask for a session's status", std::move(replied))));
}

}  // namespace vpntun::bus
