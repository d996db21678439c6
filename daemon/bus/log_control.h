// /org/freedesktop/LogControl1 of the manager and of every session: how much is logged and where,
// while the process runs (systemctl service-log-level, service-log-target). Root and our own user
// may set; sd-bus asks the bus who the caller is before a property marked so in the XML is set.
// Thread: control.
#pragma once

#include "bus/connection.h"
#include "dbus/glue/logcontrol1_adaptor.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

class LogControl final : public sdbus::AdaptorInterfaces<org::freedesktop::LogControl1_adaptor> {
 public:
  explicit LogControl(Connection& connection);
  ~LogControl();

 private:
  std::string LogLevel() override;
  void LogLevel(const std::string& word) override;
  std::string LogTarget() override;
  void LogTarget(const std::string& word) override;
  std::string SyslogIdentifier() override;
};

}  // namespace vpntun::bus
