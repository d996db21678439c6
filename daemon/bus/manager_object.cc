#include "bus/manager_object.h"

#include <utility>

#include "bus/errors.h"
#include "bus/reply.h"
#include "dbus/names.h"

namespace vpntun::bus {

ManagerObject::ManagerObject(Connection& connection, manager::Manager& manager, Control& control,
                             std::string version, std::string launcher)
    : AdaptorInterfaces(connection.sdbus(), std::string(dbus::kManagerPath)),
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
  emitTunnelStateChanged(dbus::tunnel_path(tunnel.name()), tunnel.name(),
                         std::string(to_string(before)), std::string(to_string(tunnel.state())),
                         tunnel.reason().code, details);
}

void ManagerObject::change(Verb verb, const std::string& name, const Dictionary& options,
                           Control::Done done) {
  guarded([&] {
    const std::string caller = getObject().getCurrentlyProcessedMessage()->getSender();
    control_.change(verb, Manager_adaptor::INTERFACE_NAME, caller, name, options, std::move(done));
  });
}

void ManagerObject::Start(sdbus::Result<sdbus::ObjectPath>&& result, std::string name,
                          Dictionary options) {
  change(Verb::kStart, name, options,
         [name, reply = Reply(std::move(result))](const std::optional<sdbus::Error>& error) {
           error ? reply.fail(*error) : reply(dbus::tunnel_path(name));
         });
}

void ManagerObject::Stop(sdbus::Result<>&& result, std::string name, Dictionary options) {
  change(Verb::kStop, name, options,
         [reply = Reply(std::move(result))](const std::optional<sdbus::Error>& error) {
           error ? reply.fail(*error) : reply();
         });
}

void ManagerObject::Restart(sdbus::Result<sdbus::ObjectPath>&& result, std::string name,
                            Dictionary options) {
  change(Verb::kRestart, name, options,
         [name, reply = Reply(std::move(result))](const std::optional<sdbus::Error>& error) {
           error ? reply.fail(*error) : reply(dbus::tunnel_path(name));
         });
}

void ManagerObject::Status(sdbus::Result<Dictionary>&& result, std::string name) {
  guarded([&] { control_.status(name, Reply(std::move(result))); });
}

ManagerObject::Tunnels ManagerObject::List() {
  return guarded([&] {
    Tunnels list;
    for (const auto& [name, tunnel] : manager_.tunnels())
      list.emplace_back(name, dbus::tunnel_path(name), std::string(to_string(tunnel.state())),
                        std::string(to_string(tunnel.health())), tunnel.interface());
    return list;
  });
}

void ManagerObject::Describe(sdbus::Result<std::string>&& result) {
  guarded([&] { control_.describe(Reply(std::move(result))); });
}

}  // namespace vpntun::bus
