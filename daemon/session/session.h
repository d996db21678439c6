// One running tunnel. The constructor brings it up member by member (namespace, link, addresses,
// socket, worker, routes, nft); a throw unwinds what was built. The destructor takes all of it down
// in reverse. Knows no D-Bus. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/error.h"
#include "base/unique_fd.h"
#include "config/profile.h"
#include "service/loop.h"
#include "session/status.h"

namespace vpntun::session {

struct CaptureOptions {
  std::uint32_t snaplen = 0;  // bytes kept of each packet; 0: all
  bool inner = true;
  bool outer = true;
};

class Session {
 public:
  // Throws Error: kInterfaceExists, kAddressInUse, kRouteConflict, kNetworkNamespace,
  // kAccessDenied, kNotSupported, kFailed.
  Session(config::Profile profile, service::Loop& loop);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const config::Profile& profile() const noexcept;
  Status status() const;
  // Called when health, a reason, or a peer's endpoint changed; not for counters.
  void on_changed(std::function<void()> changed);
  // Called once when the tunnel cannot go on (its interface was deleted): the process should end
  // with this error.
  void on_broken(std::function<void(const Error&)> broken);

  // The read end of a pipe carrying pcapng. Throws Error kFailed when too many captures run (8).
  UniqueFd capture(const CaptureOptions& options);
  // Writes raw bytes into the interface; done gets 0 or an errno, later, on the control thread.
  void inject(std::span<const std::uint8_t> bytes, std::function<void(int error_number)> done);

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

}  // namespace vpntun::session
