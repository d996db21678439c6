#include "ctl/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "config/finding.h"
#include "config/profile.h"
#include "dbus/glue/diagnostics_proxy.h"
#include "dbus/glue/manager_proxy.h"
#include "dbus/glue/tunnel_proxy.h"
#include "dbus/names.h"
#include "dbus/sdbus.h"

namespace vpntun::ctl {
namespace {

using Options = std::map<std::string, sdbus::Variant>;

class Manager final : public sdbus::ProxyInterfaces<org::vpntun1::Manager_proxy> {
 public:
  explicit Manager(sdbus::IConnection& bus)
      : ProxyInterfaces(bus, sdbus::ServiceName(std::string(dbus::kManagerName)),
                        sdbus::ObjectPath(std::string(dbus::kManagerPath))) {}

 private:
  // Never subscribed to: registerProxy() is not called.
  void onTunnelStateChanged(const sdbus::ObjectPath&, const std::string&, const std::string&,
                            const std::string&, const std::string&, const Options&) override {}
};

class Tunnel final : public sdbus::ProxyInterfaces<org::vpntun1::Tunnel_proxy> {
 public:
  Tunnel(sdbus::IConnection& bus, const std::string& path)
      : ProxyInterfaces(bus, sdbus::ServiceName(std::string(dbus::kManagerName)),
                        sdbus::ObjectPath(path)) {}
};

class Diagnostics final : public sdbus::ProxyInterfaces<org::vpntun1::Diagnostics_proxy> {
 public:
  Diagnostics(sdbus::IConnection& bus, const std::string& session)
      : ProxyInterfaces(bus, sdbus::ServiceName(session),
                        sdbus::ObjectPath(std::string(dbus::kSessionPath))) {}
};

// Runs a call; its sdbus error becomes a Failure.
template <typename Call>
auto asked(std::string_view verb, std::string_view tunnel, Call call) {
  try {
    return call();
  } catch (const sdbus::Error& error) {
    throw failure_of(error.getName(), error.getMessage(), verb, tunnel);
  }
}

// As asked(), for a call to a session's own name: when nobody has that name, the tunnel does not
// run.
template <typename Call>
auto asked_session(std::string_view verb, const std::string& tunnel, Call call) {
  try {
    return asked(verb, tunnel, call);
  } catch (const Failure& failure) {
    if (failure.exit_code() != kExitUnreachable) throw;
    throw Failure(kExitNotRunning, fmt::format("cannot {} {}: it is not running", verb, tunnel),
                  fmt::format("Start it: vpnctl start {}", tunnel), ErrorKind::kNotRunning);
  }
}

std::unique_ptr<sdbus::IConnection> connect(std::chrono::seconds timeout) {
  try {
    std::unique_ptr<sdbus::IConnection> bus = sdbus::createSystemBusConnection();
    bus->setMethodCallTimeout(timeout);
    // Nobody sits at a script.
    if (::isatty(STDIN_FILENO) == 1) {
      const auto driver = sdbus::createProxy(*bus, sdbus::ServiceName("org.freedesktop.DBus"),
                                             sdbus::ObjectPath("/org/freedesktop/DBus"));
      dbus::allow_interactive_authorization(*driver);
    }
    return bus;
  } catch (const sdbus::Error& error) {
    throw failure_of("org.freedesktop.DBus.Error.NoServer", error.getMessage(), "", "");
  }
}

}  // namespace

struct Client::Bus {
  std::unique_ptr<sdbus::IConnection> connection;
  Manager manager;
  std::vector<sdbus::Slot> watched;

  explicit Bus(std::chrono::seconds timeout) : connection(connect(timeout)), manager(*connection) {}

  // The object path of a tunnel. Throws Failure kNoSuchTunnel.
  std::string path(std::string_view verb, const std::string& tunnel) {
    std::vector<std::string> names;
    for (const auto& entry : asked(verb, tunnel, [&] { return manager.List(); })) {
      if (entry.get<0>() == tunnel) return entry.get<1>();
      names.push_back(entry.get<0>());
    }
    throw no_such_tunnel(verb, tunnel, names);
  }

  // As path(). One whose profile was written a moment ago is not in the list yet, but can be
  // started.
  void check_known(std::string_view verb, const std::string& tunnel) {
    if (!config::find_profile(config::default_profile_folders(), tunnel)) path(verb, tunnel);
  }

  Tunnel tunnel(std::string_view verb, const std::string& name) {
    return {*connection, path(verb, name)};
  }
};

Client::Client(std::chrono::seconds timeout) : bus_(std::make_unique<Bus>(timeout)) {}
Client::~Client() = default;

void Client::start(const std::string& tunnel) {
  bus_->check_known("start", tunnel);
  asked("start", tunnel, [&] { bus_->manager.Start(tunnel, {}); });
}

void Client::stop(const std::string& tunnel) {
  bus_->path("stop", tunnel);
  asked("stop", tunnel, [&] { bus_->manager.Stop(tunnel, {}); });
}

void Client::restart(const std::string& tunnel) {
  bus_->check_known("restart", tunnel);
  asked("restart", tunnel, [&] { bus_->manager.Restart(tunnel, {}); });
}

Client::Reloaded Client::reload(const std::string& tunnel) {
  bus_->path("reload", tunnel);
  return asked("reload", tunnel, [&] {
    const Options result = bus_->manager.Reload(tunnel, {});
    const auto keys = [&](const char* list) {
      const auto at = result.find(list);
      return at == result.end() ? std::vector<std::string>()
                                : at->second.get<std::vector<std::string>>();
    };
    return Reloaded{keys("applied"), keys("needs-restart")};
  });
}

std::string Client::describe() {
  return asked("ask for the status", "", [&] { return bus_->manager.Describe(); });
}

std::vector<std::string> Client::names() {
  std::vector<std::string> names;
  for (const auto& entry : asked("ask for the tunnels", "", [&] { return bus_->manager.List(); }))
    if (config::is_tunnel_name(entry.get<0>())) names.push_back(entry.get<0>());
  return names;
}

std::string Client::daemon_version() {
  return asked("ask for the version", "", [&] { return bus_->manager.Version(); });
}

std::string Client::kind(const std::string& tunnel) {
  return asked("inject", tunnel, [&] { return bus_->tunnel("inject", tunnel).Kind(); });
}

void Client::watch() {
  const std::string rule = fmt::format("type='signal',sender='{}',path_namespace='{}'",
                                       dbus::kManagerName, dbus::kManagerPath);
  asked("follow the tunnels", "", [&] {
    bus_->watched.push_back(dbus::add_match(*bus_->connection, rule, [](sdbus::Message&) {}));
  });
}

int Client::descriptor() const {
  return bus_->connection->getEventLoopPollData().fd;
}

void Client::take_changes() {
  asked("follow the tunnels", "", [&] {
    while (dbus::process_one(*bus_->connection)) {
    }
  });
}

UniqueFd Client::capture(const std::string& tunnel, std::uint32_t snaplen, bool secrets) {
  const std::string session =
      asked("capture", tunnel, [&] { return bus_->tunnel("capture", tunnel).SessionBusName(); });
  Options options;
  if (snaplen != 0) options["snaplen"] = sdbus::Variant(snaplen);
  sdbus::UnixFd stream = asked_session("capture", tunnel, [&] {
    Diagnostics diagnostics(*bus_->connection, session);
    return secrets ? diagnostics.CaptureWithSecrets(options) : diagnostics.Capture(options);
  });
  return UniqueFd(stream.release());
}

void Client::inject(const std::string& tunnel, const UniqueFd& packet) {
  const std::string session =
      asked("inject", tunnel, [&] { return bus_->tunnel("inject", tunnel).SessionBusName(); });
  asked_session("inject", tunnel, [&] {
    Diagnostics(*bus_->connection, session).Inject(sdbus::UnixFd(packet.get()), {});
  });
}

}  // namespace vpntun::ctl
