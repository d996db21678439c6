// A peer as the data plane knows it. PeerConfig goes from the control thread to the workers,
// PeerRecord is what both share, Peer is the workers' own.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "dataplane/counters.h"
#include "packet/batch.h"
#include "packet/unreachable.h"
#include "wg/device.h"

namespace vpntun::dataplane {

using packet::kNoPeer;
using packet::PeerIndex;

struct PeerConfig {
  std::string name;    // as captures show it; unique
  bool learns = true;  // no configured endpoint: taken from acceptable datagrams, and roams
  std::optional<Endpoint>
      endpoint;  // the configured one, once resolved; or a learned one remembered from before
  std::vector<IpPrefix> allowed_ips;  // TUN only
  wg::PeerSettings keys;              // with the WireGuard transport
};

// What became of the handshakes with a peer.
struct Handshakes {
  Instant last{};            // Instant{}: none succeeded
  Instant tried{};           // the last that we began; Instant{}: none
  Instant answer_refused{};  // the last answer that did not decrypt; Instant{}: none
  Instant clock_behind{};    // the last time the peer's clock was found behind; Instant{}: never
  unsigned attempts = 0;     // since the last success
  bool under_way = false;
};

// The last word of ICMP about datagrams to a peer.
struct Refused {
  packet::Unreachable what;
  Instant when{};
};

// Counters and current endpoint. Written by the worker that holds the tables, read by any thread.
class PeerRecord {
 public:
  TrafficCounter traffic;

  std::optional<Endpoint> endpoint() const;
  void set_endpoint(const std::optional<Endpoint>& endpoint);
  Handshakes handshakes() const;
  void set_handshakes(const Handshakes& handshakes);
  std::optional<Refused> refused() const;
  void set_refused(const Refused& refused);

  // At most one announcement of news is under way, however often a peer roams.
  bool start_announcing() noexcept { return !announcing_.exchange(true); }
  void announced() noexcept { announcing_.store(false); }

 private:
  mutable std::mutex mutex_;  // taken by workers only for a change
  std::optional<Endpoint> endpoint_;
  Handshakes handshakes_;
  std::optional<Refused> refused_;
  std::atomic<bool> announcing_{false};
};

struct Peer {
  std::string name;
  bool learns = true;
  std::optional<Endpoint> endpoint;
  IpAddress local;       // our address the peer last wrote to; unspecified: the kernel's choice
  Instant last_heard{};  // last acceptable datagram
  wg::PeerId id = wg::kNobody;  // with the WireGuard transport
  std::shared_ptr<PeerRecord> record;
};

}  // namespace vpntun::dataplane
