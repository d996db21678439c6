// The body of a worker: waits for its ports, its mailbox and its captures, and carries batches. The
// control thread posts commands and takes notices; everything else belongs to the thread in run().
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/mailbox.h"
#include "base/unique_fd.h"
#include "dataplane/inbound.h"
#include "dataplane/outbound.h"
#include "dataplane/plain.h"
#include "dataplane/refusals.h"
#include "dataplane/tables.h"
#include "dataplane/wireguard.h"
#include "dataplane/worker_options.h"
#include "packet/ports.h"

namespace vpntun::dataplane {

struct SetPeers {
  PeerTable peers;
  std::vector<wg::PeerSettings> keys;  // with the WireGuard transport: theirs, in the same order
};
struct SetPrivateKey {
  crypto::SecretKey key;
};
struct SetMtu {
  std::uint32_t mtu = 0;
};
// The ways to all peers may be others now.
struct Revive {};
struct AllowPublic {
  bool allowed = false;
};
struct SetEndpoint {
  PeerIndex peer = kNoPeer;
  std::optional<Endpoint> endpoint;
};
struct AddCapture {
  std::uint64_t id = 0;
  UniqueFd pipe;
  CaptureOptions options;
};
struct Inject {
  std::vector<std::uint8_t> bytes;
  std::uint64_t token = 0;
};
struct Ask {};  // whether the loop still goes round
struct Stop {};
using Command = std::variant<SetPeers, SetPrivateKey, SetMtu, Revive, AllowPublic, SetEndpoint,
                             AddCapture, Inject, Ask, Stop>;

// A peer has moved, or a handshake with it changed.
struct PeerChanged {
  std::shared_ptr<PeerRecord> record;  // outlives a change of the indices
};
struct InterfaceGone {};
struct Injected {
  std::uint64_t token = 0;
  int error_number = 0;
};
struct CaptureClosed {
  std::uint64_t id = 0;
  std::uint64_t lost = 0;
};
struct Answered {};
using Notice = std::variant<PeerChanged, InterfaceGone, Injected, CaptureClosed, Answered>;

class Loop {
 public:
  // Throws Error when the system refuses a descriptor.
  Loop(std::unique_ptr<packet::InsidePort> inside, std::unique_ptr<packet::OutsidePort> outside,
       const WorkerOptions& options);

  // Until Stop arrives.
  void run() noexcept;

  Mailbox<Command>& commands() noexcept { return commands_; }
  Mailbox<Notice>& notices() noexcept { return notices_; }
  // Of both ports; any thread.
  packet::OffloadStates offloads() const;
  // Only its counters, from other threads.
  const Tables& tables() const noexcept { return tables_; }

 private:
  void notice(const epoll_event& event) noexcept;
  int milliseconds_to_wait() const noexcept;
  void carry_outbound() noexcept;
  void run_protocol() noexcept;
  void obey(Command& command) noexcept;
  void set_peers(SetPeers& command) noexcept;
  void revive_all() noexcept;
  void announce() noexcept;
  void flush_captures() noexcept;
  void watch(int operation, int fd, std::uint32_t events, std::uint64_t source) noexcept;
  void lose_inside() noexcept;

  std::unique_ptr<packet::InsidePort> inside_;
  std::unique_ptr<packet::OutsidePort> outside_;
  Mailbox<Command> commands_;
  Mailbox<Notice> notices_;
  UniqueFd epoll_;
  Tables tables_;
  std::unique_ptr<Wireguard> wireguard_;  // none: the plain transport
  Plain plain_;
  Outbound outbound_;
  Inbound inbound_;
  Refusals refusals_;
  packet::Batch protocol_;     // datagrams of the protocol itself
  bool more_outside_ = false;  // to be read without waiting
  bool more_inside_ = false;
  bool blocked_ = false;  // the outside is full, the inside is not read
  bool inside_gone_ = false;
  bool stopping_ = false;
};

}  // namespace vpntun::dataplane
