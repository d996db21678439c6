// What a session leaves to the next one of its tunnel in the descriptor store: the interface's
// queues, the UDP sockets, learned endpoints. It gives what an earlier session left where that fits
// the profile, and makes anew what is missing or does not fit. Called by Running. Thread: control.
#pragma once

#include <optional>
#include <vector>

#include "config/profile.h"
#include "os/netns.h"
#include "os/tun.h"
#include "os/udp.h"
#include "service/fd_store.h"
#include "session/endpoint_memory.h"

namespace vpntun::session {

class Handover {
 public:
  explicit Handover(service::FdStore store);
  // The store forgets all of it, and the interface is deleted, unless release() was called.
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  // Where the interface of the earlier session is; nothing: none was left.
  std::optional<os::Netns> netns_before() const;

  // One for each worker; each once, in the network namespace the thing belongs into. Errors: as of
  // UdpSocket::bind and Tun::open.
  std::vector<os::UdpSocket> sockets(const config::Profile& profile, std::uint32_t mark);
  std::vector<os::Tun> queues(const config::Profile& profile);
  // queues() gave those of an earlier session.
  bool took_over() const noexcept { return took_over_; }
  // That session's start was done.
  bool was_ready() const noexcept { return static_cast<bool>(ready_); }
  // What was learned by the earlier session.
  std::vector<LearnedEndpoint> endpoints();

  void remember(const std::vector<LearnedEndpoint>& learned) noexcept;
  // The start is done, also for the sessions that follow.
  void remember_ready();
  // Another session follows: everything stays in the store. Stores it once more, for a service
  // manager that was restarted meanwhile.
  void release();

 private:
  void delete_left_interface();

  service::FdStore store_;
  std::vector<UniqueFd> left_queues_;  // of the earlier session, until queues() looked at them
  std::vector<UniqueFd> queues_;       // copies of what is in the store
  std::vector<UniqueFd> sockets_;
  UniqueFd ready_;  // says it by being there
  std::optional<EndpointMemory> memory_;
  bool took_over_ = false;
  bool released_ = false;
};

}  // namespace vpntun::session
