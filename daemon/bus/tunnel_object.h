// /org/vpntun1/tunnel/NAME: org.vpntun1.Tunnel, one for each profile. Announces itself with
// InterfacesAdded and InterfacesRemoved. Owned by ManagerObject. Thread: control.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bus/connection.h"
#include "bus/control.h"
#include "dbus/glue/tunnel_adaptor.h"
#include "dbus/sdbus.h"
#include "manager/manager.h"

namespace vpntun::bus {

class TunnelObject final : public sdbus::AdaptorInterfaces<org::vpntun1::Tunnel_adaptor> {
 public:
  TunnelObject(Connection& connection, const manager::Manager& manager, Control& control,
               std::string name);
  ~TunnelObject();

  // Emits PropertiesChanged for what differs since the last call.
  void tunnel_changed();
  std::string reason_text() const;

 private:
  void Start(sdbus::Result<>&& result, Dictionary options) override;
  void Stop(sdbus::Result<>&& result, Dictionary options) override;
  void Restart(sdbus::Result<>&& result, Dictionary options) override;
  void Reload(sdbus::Result<Dictionary>&& result, Dictionary options) override;
  void Status(sdbus::Result<Dictionary>&& result) override;

  std::string Name() override { return name_; }
  std::string Description() override;
  std::string ProfilePath() override;
  bool ProfileStale() override { return tunnel().is_stale(); }
  bool ProfileValid() override;
  std::string State() override;
  std::string Health() override;
  std::string ReasonCode() override { return tunnel().reason().code; }
  std::string ReasonText() override { return reason_text(); }
  std::string Kind() override { return tunnel().kind(); }
  std::string Encryption() override { return tunnel().encryption(); }
  std::string Interface() override;
  std::string Unit() override { return tunnel().unit(); }
  std::string SessionBusName() override;

  const manager::Tunnel& tunnel() const { return manager_.tunnel(name_); }
  void change(Verb verb, sdbus::Result<>&& result, const Dictionary& options);
  // Property name and value as text, of all that emit PropertiesChanged.
  std::map<std::string, std::string> shown();

  const manager::Manager& manager_;
  Control& control_;
  std::string name_;
  std::map<std::string, std::string> shown_;
};

}  // namespace vpntun::bus
