// org.vpntun1.Diagnostics at /org/vpntun1/session, beside SessionObject (several interfaces may
// share a path): captures and injected packets, for root and the session's own user. Thread:
// control.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include "bus/authority.h"
#include "bus/connection.h"
#include "bus/status_codec.h"
#include "dbus/glue/diagnostics_adaptor.h"
#include "session/session.h"

namespace vpntun::bus {

class DiagnosticsObject final : public sdbus::AdaptorInterfaces<org::vpntun1::Diagnostics_adaptor> {
 public:
  DiagnosticsObject(Connection& connection, Authority& authority, session::Session& session);
  ~DiagnosticsObject();

 private:
  void Capture(sdbus::Result<sdbus::UnixFd>&& result, Dictionary options) override;
  void Inject(sdbus::Result<>&& result, sdbus::UnixFd packet, Dictionary options) override;

  Authority& authority_;
  session::Session& session_;
};

}  // namespace vpntun::bus
