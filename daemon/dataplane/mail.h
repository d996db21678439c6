// What the control thread and the workers tell each other: commands go to a worker's mailbox,
// notices come back in one that all workers share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/unique_fd.h"
#include "crypto/key.h"
#include "dataplane/capture.h"
#include "dataplane/peer_table.h"

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
// The way to the peer is another one now, and where it is the same.
struct ChangeWay {
  PeerIndex peer = kNoPeer;
};
struct AddCapture {
  std::uint64_t id = 0;
  UniqueFd pipe;
  CaptureOptions options;
};
// For all workers: the first one obeys while none of them is in a turn.
using Change = std::variant<SetPeers, SetPrivateKey, SetMtu, Revive, AllowPublic, SetEndpoint,
                            ChangeWay, AddCapture>;

struct Inject {
  std::vector<std::uint8_t> bytes;
  std::uint64_t token = 0;
};
struct Ask {};  // whether the loop still goes round
struct Stop {};
using Command = std::variant<Change, Inject, Ask, Stop>;

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
struct Answered {
  std::size_t worker = 0;
};
using Notice = std::variant<PeerChanged, InterfaceGone, Injected, CaptureClosed, Answered>;

}  // namespace vpntun::dataplane
