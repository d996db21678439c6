// /org/vpntun1: org.vpntun1.Manager and the ObjectManager of the tunnels. Owns the Tunnel objects.
// Thread: control.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "bus/connection.h"
#include "bus/control.h"
#include "bus/tunnel_object.h"
#include "dbus/glue/manager_adaptor.h"
#include "dbus/sdbus.h"
#include "manager/manager.h"

namespace vpntun::bus {

class ManagerObject final
    : public sdbus::AdaptorInterfaces<org::vpntun1::Manager_adaptor, sdbus::ObjectManager_adaptor> {
 public:
  // launcher: the word of the property.
  ManagerObject(Connection& connection, manager::Manager& manager, Control& control,
                std::string version, std::string launcher);
  ~ManagerObject();

 private:
  using Tunnels = std::vector<
      sdbus::Struct<std::string, sdbus::ObjectPath, std::string, std::string, std::string>>;

  void Start(sdbus::Result<sdbus::ObjectPath>&& result, std::string name,
             Dictionary options) override;
  void Stop(sdbus::Result<>&& result, std::string name, Dictionary options) override;
  void Restart(sdbus::Result<sdbus::ObjectPath>&& result, std::string name,
               Dictionary options) override;
  void Reload(sdbus::Result<Dictionary>&& result, std::string name, Dictionary options) override;
  void Status(sdbus::Result<Dictionary>&& result, std::string name) override;
  void List(sdbus::Result<Tunnels>&& result) override;
  void Describe(sdbus::Result<std::string>&& result) override;
  std::string Version() override { return version_; }
  std::string Launcher() override { return launcher_; }

  void change(Verb verb, const std::string& name, const Dictionary& options,
              const Control::Done& done);
  void tunnel_changed(const manager::Tunnel& tunnel, Lifecycle before);

  Connection& connection_;
  manager::Manager& manager_;
  Control& control_;
  std::string version_;
  std::string launcher_;
  std::map<std::string, std::unique_ptr<TunnelObject>> tunnels_;
};

}  // namespace vpntun::bus
