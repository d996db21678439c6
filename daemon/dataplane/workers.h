// The packet threads of a session. Each has two ports of its own, a queue of the interface and a
// socket, and carries each batch from one to the other before it looks again; what they know of
// peers and sessions they share (see Plane). All public functions belong to the control thread;
// what they change reaches the threads through a mailbox between batches, what these have to say
// comes back as events.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "base/unique_fd.h"
#include "dataplane/capture.h"
#include "dataplane/counters.h"
#include "dataplane/mail.h"
#include "dataplane/peer.h"
#include "dataplane/worker_options.h"
#include "packet/ports.h"

namespace vpntun::dataplane {

// Something of a peer changed: where it is, or how its handshakes go. The snapshot says what.
struct PeerNews {};
// The interface was deleted: the worker goes on without an inside.
struct InsideGone {};
struct InjectDone {
  std::uint64_t token = 0;
  int error_number = 0;  // 0: written
};
// The reader is gone, or the pipe broke.
struct CaptureEnded {
  std::uint64_t id = 0;
  std::uint64_t lost = 0;  // records lost because the reader was slow
};
// The answer to ask_alive().
struct Alive {};
using Event = std::variant<PeerNews, InsideGone, InjectDone, CaptureEnded, Alive>;

struct Snapshot {
  Traffic traffic;  // of all peers, also of former ones
  std::vector<Drop> drops;
  struct PeerState {
    Traffic traffic;
    std::optional<Endpoint> endpoint;
    Handshakes handshakes;
    std::optional<Refused> refused;
  };
  std::vector<PeerState> peers;  // in the order of set_peers
  packet::OffloadStates offloads;
};

// Of one thread.
struct Ports {
  std::unique_ptr<packet::InsidePort> inside;
  std::unique_ptr<packet::OutsidePort> outside;
};

class Worker;
class Plane;

class Workers {
 public:
  // ports: of each thread, at least one. Throws Error when the system refuses an epoll or event
  // descriptor.
  Workers(std::vector<Ports> ports, const WorkerOptions& options);
  ~Workers();  // stops
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void start();
  // Ends and joins the threads; start() goes on where they ended. May be called twice.
  void stop() noexcept;

  // Replaces all peers. Those with a known name keep their counters, their session, their MAC
  // addresses and, when they learn, their endpoint, unless they are given another one; packets on
  // their way to them arrive.
  void set_peers(const std::vector<PeerConfig>& peers);
  // With the WireGuard transport. Ends every session when the key is another one.
  void set_private_key(const crypto::SecretKey& key);
  void set_allow_public_plaintext(bool allowed);
  // Of the interface: bytes of an IP packet.
  void set_mtu(std::uint32_t mtu);
  // The ways to all peers may be others now (the machine slept, the network changed): WireGuard
  // proves them by a message to each.
  void revive_peers();
  // Another configured endpoint (a host name resolved anew, the next of a list), or none: the one
  // that set_peers() compares with.
  void set_endpoint(PeerIndex peer, const std::optional<Endpoint>& endpoint);
  // The way to the peer is another one, wherever it is by now: it hears from us the new way.
  void change_way(PeerIndex peer);

  // Writes pcapng to a pipe until its reader goes. Returns the capture's id; nullopt: kMaxCaptures
  // run already.
  std::optional<std::uint64_t> add_capture(UniqueFd pipe, const CaptureOptions& options);
  // Writes raw bytes into the interface; InjectDone with the token follows.
  void inject(std::vector<std::uint8_t> bytes, std::uint64_t token);

  // Alive follows, once every thread has come round to it. Not again before.
  void ask_alive();

  // Readable when take_events() has something.
  int event_fd() const noexcept;
  std::vector<Event> take_events();
  // A peer has news once, and again after this call: before a snapshot that is looked at for them,
  // so that it or other news tell of every change.
  void hear_again();

  Snapshot snapshot() const;

 private:
  void post(Change change);

  std::vector<PeerConfig> configs_;
  std::vector<std::shared_ptr<PeerRecord>> records_;  // of configs_
  std::unique_ptr<Plane> plane_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<bool> answered_;                      // of workers_, since the last Alive
  std::vector<std::shared_ptr<PeerRecord>> heard_;  // of peers that had news, until hear_again()
  std::uint64_t next_capture_ = 1;
  std::size_t captures_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace vpntun::dataplane
