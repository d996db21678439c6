#include "bus/tunnel_object.h"

#include <utility>

#include "base/log.h"
#include "bus/errors.h"
#include "bus/reply.h"
#include "dbus/names.h"

namespace vpntun::bus {

namespace {

// Longer texts are for Status.
constexpr std::size_t kMaximumText = 1000;

}  // namespace

TunnelObject::TunnelObject(Connection& connection, const manager::Manager& manager,
                           Control& control, std::string name)
    : AdaptorInterfaces(connection.sdbus(), sdbus::ObjectPath(dbus::tunnel_path(name))),
      manager_(manager),
      control_(control),
      name_(std::move(name)) {
  registerAdaptor();
  shown_ = shown();
  getObject().emitInterfacesAddedSignal({sdbus::InterfaceName(INTERFACE_NAME)});
}

TunnelObject::~TunnelObject() {
  try {
    getObject().emitInterfacesRemovedSignal({sdbus::InterfaceName(INTERFACE_NAME)});
  } catch (const sdbus::Error&) {  // the bus is gone, and with it whoever followed the tunnel
  }
  unregisterAdaptor();
}

std::string TunnelObject::Description() {
  return tunnel().profile() ? escaped(tunnel().profile()->description, kMaximumText) : "";
}

std::string TunnelObject::ProfilePath() {
  return tunnel().profile() ? escaped(tunnel().profile()->path, kMaximumText) : "";
}

bool TunnelObject::ProfileValid() {
  return tunnel().profile() && tunnel().profile()->valid;
}

std::string TunnelObject::State() {
  return std::string(to_string(tunnel().state()));
}

std::string TunnelObject::Health() {
  return std::string(to_string(tunnel().health()));
}

std::string TunnelObject::reason_text() const {
  return escaped(tunnel().reason().text, kMaximumText);
}

std::string TunnelObject::Interface() {
  return escaped(tunnel().interface());
}

std::string TunnelObject::SessionBusName() {
  return dbus::session_bus_name(name_);
}

std::map<std::string, std::string> TunnelObject::shown() {
  return {
      {"Description", Description()},
      {"ProfilePath", ProfilePath()},
      {"ProfileStale", ProfileStale() ? "yes" : "no"},
      {"ProfileValid", ProfileValid() ? "yes" : "no"},
      {"State", State()},
      {"Health", Health()},
      {"ReasonCode", ReasonCode()},
      {"ReasonText", ReasonText()},
      {"Kind", Kind()},
      {"Encryption", Encryption()},
      {"Interface", Interface()},
  };
}

void TunnelObject::tunnel_changed() {
  std::map<std::string, std::string> now = shown();
  std::vector<sdbus::PropertyName> changed;
  for (const auto& [property, value] : now)
    if (shown_[property] != value) changed.emplace_back(property);
  shown_ = std::move(now);
  if (!changed.empty()) getObject().emitPropertiesChangedSignal(INTERFACE_NAME, changed);
}

void TunnelObject::change(Verb verb, sdbus::Result<>&& result, const Dictionary& options) {
  guarded([&] {
    control_.change(verb, INTERFACE_NAME, dbus::caller(getObject()), name_, options,
                    reply_or_fail(std::move(result)));
  });
}

void TunnelObject::Start(sdbus::Result<>&& result, Dictionary options) {
  change(Verb::kStart, std::move(result), options);
}

void TunnelObject::Stop(sdbus::Result<>&& result, Dictionary options) {
  change(Verb::kStop, std::move(result), options);
}

void TunnelObject::Restart(sdbus::Result<>&& result, Dictionary options) {
  change(Verb::kRestart, std::move(result), options);
}

void TunnelObject::Reload(sdbus::Result<Dictionary>&& result, Dictionary options) {
  guarded([&] {
    control_.reload(INTERFACE_NAME, dbus::caller(getObject()), name_, options,
                    reply_or_fail(std::move(result)));
  });
}

void TunnelObject::Status(sdbus::Result<Dictionary>&& result) {
  guarded([&] {
    control_.status(INTERFACE_NAME, dbus::caller(getObject()), name_,
                    reply_or_fail(std::move(result)));
  });
}

}  // namespace vpntun::bus
