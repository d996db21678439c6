#include "bus/reload_command.h"

#include <chrono>
#include <vector>

#include "base/error.h"
#include "bus/connection.h"
#include "bus/status_codec.h"
#include "config/changes.h"
#include "dbus/error_names.h"
#include "dbus/names.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

namespace {

constexpr std::chrono::seconds kReloadWithin{20};

Error error_of(const std::string& tunnel, const sdbus::Error& error) {
  const std::string& name = error.getName();
  const std::string bus = "org.freedesktop.DBus.Error.";
  if (name == bus + "ServiceUnknown" || name == bus + "NameHasNoOwner")
    return {ErrorKind::kNotRunning, "tunnel {}: it is not running", tunnel};
  if (name == bus + "NoReply")
    return {ErrorKind::kTimeout, "tunnel {}: its session did not answer within {} s", tunnel,
            kReloadWithin.count()};
  return {dbus::kind_of_name(name), "tunnel {}: {}", tunnel, error.getMessage()};
}

}  // namespace

std::string run_reload(const std::string& tunnel) {
  const std::unique_ptr<sdbus::IConnection> connection = connect_to_system_bus();
  const std::unique_ptr<sdbus::IProxy> session =
      sdbus::createProxy(*connection, sdbus::ServiceName(dbus::session_bus_name(tunnel)),
                         sdbus::ObjectPath(std::string(dbus::kSessionPath)));
  Dictionary result;
  try {
    session->callMethod("Reload")
        .onInterface("org.vpntun1.Session")
        .withTimeout(kReloadWithin)
        .withArguments(Dictionary{})
        .storeResultsTo(result);
  } catch (const sdbus::Error& error) {
    throw error_of(tunnel, error);
  }
  return config::reload_text(tunnel, get<std::vector<std::string>>(result, "applied"),
                             get<std::vector<std::string>>(result, "needs-restart"));
}

}  // namespace vpntun::bus
