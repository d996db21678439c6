#include "bus/manager_object.h"

#include <utility>

#include "bus/errors.h"
#include "bus/reply.h"
#include "dbus/names.h"

namespace vpntun::bus {

ManagerObject::ManagerObject(Connection& connection, manager::Manager& manager, Control& control,
                             std::string version, std::string launcher)
    : AdaptorInterfaces(connection.sdbus(), sdbus::ObjectPath(std::string(dbus::kManagerPath))),
      connection_(connection),
      manager_(manager),
      control_(control),
      version_(std::move(version)),
      launcher_(std::move(launcher)) {
  registerAdaptor();
  manager_.observe({
      .appeared =
          [this](const manager::Tunnel& tunnel) {
            tunnels_[tunnel.name()] =
                std::make_unique<TunnelObject>(connection_, manager_, control_, tunnel.name());
          },
      .changed = [this](const manager::Tunnel& tunnel,
                        Lifecycle before) { tunnel_changed(tunnel, before); },
      .vanished = [this](const std::string& name) { tunnels_.erase(name); },
  });
}

ManagerObject::~ManagerObject() {
  manager_.observe({});
  tunnels_.clear();
  unregisterAdaptor();
}

void ManagerObject::tunnel_changed(const manager::Tunnel& tunnel, Lifecycle before) {
  const auto at = tunnels_.find(tunnel.name());
  if (at == tunnels_.end()) return;
  at->second->tunnel_changed();
  if (tunnel.state() == before) return;
  const Dictionary details{
      {"reason-text", sdbus::Variant(at->second->reason_text())},
      {"health", sdbus::Variant(std::string(to_string(tunnel.health())))},
  };
  emitTunnelStateChanged(sdbus::ObjectPath(dbus::tunnel_path(tunnel.name())), tunnel.name(),
                         std::string(to_string(before)), std::string(to_string(tunnel.state())),
                         tunnel.reason().code, details);
}

void ManagerObject::change(Verb verb, const std::string& name, const Dictionary& options,
                           const Control::Done& done) {
  guarded([&] {
    const dbus::Caller caller = dbus::caller(getObject());
    control_.change(verb, Manager_adaptor::INTERFACE_NAME, caller, name, options, done);
  });
}

void ManagerObject::Start(sdbus::Result<sdbus::ObjectPath>&& result, std::string name,
                          Dictionary options) {
  change(Verb::kStart, name, options,
         [name, reply = Reply(std::move(result))](const std::optional<sdbus::Error>& error) {
           error ? reply.fail(*error) : reply(sdbus::ObjectPath(dbus::tunnel_path(name)));
         });
}

void ManagerObject::Stop(sdbus::Result<>&& result, std::string name, Dictionary options) {
  change(Verb::kStop, name, options, reply_or_fail(std::move(result)));
}

void ManagerObject::Restart(sdbus::Result<sdbus::ObjectPath>&& result, std::string name,
                            Dictionary options) {
  change(Verb::kRestart, name, options,
         [name, reply = Reply(std::move(result))](const std::optional<sdbus::Error>& error) {
           error ? reply.fail(*error) : reply(sdbus::ObjectPath(dbus::tunnel_path(name)));
         });
}

void ManagerObject::Reload(sdbus::Result<Dictionary>&& result, std::string name,
                           Dictionary options) {
  guarded([&] {
    control_.reload(Manager_adaptor::INTERFACE_NAME, dbus::caller(getObject()), name, options,
                    reply_or_fail(std::move(result)));
  });
}

void ManagerObject::Status(sdbus::Result<Dictionary>&& result, std::string name) {
  guarded([&] {
    control_.status(Manager_adaptor::INTERFACE_NAME, dbus::caller(getObject()), name,
                    reply_or_fail(std::move(result)));
  });
}

void ManagerObject::List(sdbus::Result<Tunnels>&& result) {
  guarded([&] {
    const Reply reply(std::move(result));
    const auto allowed = [this, reply] {
      Tunnels list;
      for (const auto& [name, tunnel] : manager_.tunnels())
        list.emplace_back(name, sdbus::ObjectPath(dbus::tunnel_path(name)),
                          std::string(to_string(tunnel.state())),
                          std::string(to_string(tunnel.health())), tunnel.interface());
      reply(list);
    };
    control_.list(Manager_adaptor::INTERFACE_NAME, dbus::caller(getObject()), allowed,
                  [reply](const std::optional<sdbus::Error>& error) { reply.fail(*error); });
  });
}

void ManagerObject::Describe(sdbus::Result<std::string>&& result) {
  guarded([&] {
    control_.describe(Manager_adaptor::INTERFACE_NAME, dbus::caller(getObject()),
                      reply_or_fail(std::move(result)));
  });
}

}  // namespace vpntun::bus
