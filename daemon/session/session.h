// One running tunnel. The constructor brings it up member by member (namespace, link, addresses,
// socket, worker, routes, nft); a throw unwinds what was built. The destructor takes all of it down
// in reverse. Knows no D-Bus. Thread: control.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "config/profile.h"
#include "service/fd_store.h"
#include "service/loop.h"
#include "session/status.h"

namespace vpntun::session {

struct CaptureOptions {
  std::uint32_t snaplen = 0;  // bytes kept of each packet; 0: all
  bool inner = true;
  bool outer = true;
  bool secrets = false;  // the keys of a WireGuard tunnel's handshakes
};

class Running;

// What a reload did, as keys in the spelling of config/changes.h.
struct ReloadResult {
  std::vector<std::string> applied;
  std::vector<std::string> needs_restart;  // the old values hold until then
};

class Session {
 public:
  // Throws Error: kInterfaceExists, kAddressInUse, kRouteConflict, kNetworkNamespace,
  // kAccessDenied, kNotSupported, kFailed.
  // store: what an earlier session of the tunnel left; it is gone on with where it fits the
  // profile.
  Session(config::Profile profile, service::Loop& loop, service::FdStore store = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // What runs: the profile as loaded, or after reloads what they made of it.
  const config::Profile& profile() const noexcept;
  // Applies the changed profile to the running tunnel: all of its live keys, or after a throw
  // nothing. What stays loses no packet. Throws Error as the constructor.
  ReloadResult reload(const config::Profile& profile);
  Status status() const;
  // Called when health, a reason, or a peer's endpoint changed, and at the end of a reload; not for
  // counters.
  void on_changed(std::function<void()> changed);
  // Called once when the tunnel cannot go on (its interface was deleted): the process should end
  // with this error.
  void on_broken(std::function<void(const Error&)> broken);

  // Whether it goes on with what an earlier session left in place.
  bool took_over() const;
  // Whether the start of that session was done; and that this one's is.
  bool was_ready() const;
  void remember_ready();
  // Whether a peer was heard since the session runs: a datagram of it was accepted.
  bool heard() const;
  // What the resolver is to be told now: [interface.dns] once a peer has an endpoint, nothing
  // before. Names that cannot be asked yet, perhaps the endpoint's own, are better asked elsewhere.
  config::Dns dns() const;
  // What came of telling it: why it does not know, as a sentence for the health; empty: it knows.
  void set_dns_failure(std::string failure);

  // alive is called once the worker has answered: it is not stuck.
  void ask_alive(std::function<void()> alive);
  // Another session of the tunnel follows: the destructor leaves interface, socket and host as they
  // are, in the descriptor store and by their marks.
  void release();

  // The read end of a pipe carrying pcapng. Throws Error: kFailed when too many captures run (8),
  // kInvalidArguments for the secrets of a tunnel without encryption.
  UniqueFd capture(const CaptureOptions& options);
  // Writes raw bytes into the interface; done gets 0 or an errno, later, on the control thread.
  void inject(std::span<const std::uint8_t> bytes, std::function<void(int error_number)> done);

 private:
  std::unique_ptr<Running> running_;
};

// For a tunnel that cannot be started any more: takes down what its earlier session left for the
// next.
void give_up(const std::string& tunnel, service::FdStore store) noexcept;

}  // namespace vpntun::session
