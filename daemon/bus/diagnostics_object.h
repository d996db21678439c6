// org.vpntun1.Diagnostics at /org/vpntun1/session, beside SessionObject (several interfaces may
// share a path): captures and injected packets. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "bus/authority.h"
#include "bus/connection.h"
#include "bus/status_codec.h"
#include "dbus/glue/diagnostics_adaptor.h"
#include "dbus/sdbus.h"
#include "session/session.h"

namespace vpntun::bus {

class DiagnosticsObject final : public sdbus::AdaptorInterfaces<org::vpntun1::Diagnostics_adaptor> {
 public:
  DiagnosticsObject(Connection& connection, Authority& authority, session::Session& session);
  ~DiagnosticsObject();

 private:
  void Capture(sdbus::Result<sdbus::UnixFd>&& result, Dictionary options) override;
  void Inject(sdbus::Result<>&& result, sdbus::UnixFd packet, Dictionary options) override;

  void inject(int packet, std::uint32_t user,
              const std::function<void(std::optional<sdbus::Error>)>& written);

  Authority& authority_;
  session::Session& session_;
};

}  // namespace vpntun::bus
