// org.vpntun1.Diagnostics at /org/vpntun1/session, beside SessionObject (several interfaces may
// share a path): captures and injected packets. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>

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
  void CaptureWithSecrets(sdbus::Result<sdbus::UnixFd>&& result, Dictionary options) override;
  void Inject(sdbus::Result<>&& result, sdbus::UnixFd packet, Dictionary options) override;

  void capture(sdbus::Result<sdbus::UnixFd>&& result, std::string_view method,
               const session::CaptureOptions& wanted);

  using Written = std::function<void(const std::optional<sdbus::Error>&)>;
  void inject(int packet, std::uint32_t user, Written written);

  Authority& authority_;
  session::Session& session_;
  // Replies to packets that are on their way. The session only borrows them: it outlives the
  // connection that they belong to.
  std::set<std::shared_ptr<Written>> waiting_;
};

}  // namespace vpntun::bus
