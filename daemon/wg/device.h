// The WireGuard protocol of one interface, without I/O: datagrams, wishes to send and the time go
// in; datagrams, events and the next deadline come out. Knows no address of a peer: whoever owns
// the socket sends a Transmit to where the peer was heard last, and moves it there when receive()
// says that a datagram was the peer's. Never sees an IP packet: payloads are bytes.
//
//   receive(datagram) / seal(peer, payload) / wish_handshake(peer) / changes of peers
//     then, until each says nothing: poll_event(), poll_transmit(now); and again at
//     next_deadline().
//
// Ciphers take most of the time, and need not take it here: seal() and begin_open() give what is
// left to be done, in any thread.
//
// Thread: one at a time. No allocation per packet; some for each handshake.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/address.h"
#include "base/time.h"
#include "crypto/key.h"
#include "wg/arrival.h"
#include "wg/ciphers.h"
#include "wg/constants.h"
#include "wg/macs.h"
#include "wg/messages.h"

namespace vpntun::wg {

// What is not a function of the past: asked for when a handshake message is made, never per packet.
struct Surroundings {
  Random random;                                         // crypto::random_bytes, or a test's
  std::function<std::chrono::nanoseconds()> wall_clock;  // since 1970, for timestamps only
};

// Whoever has the secrets of a handshake and sees its messages can read the session that follows.
struct HandshakeSecrets {
  const crypto::SecretKey& local_static;
  const crypto::PublicKey& remote_static;
  const crypto::SecretKey& local_ephemeral;
  const crypto::SecretKey& preshared;  // all zero: none
};
// Must not throw; the secrets are good for the time of the call.
using KeyLog = std::function<void(const HandshakeSecrets&)>;

struct PeerSettings {
  crypto::PublicKey public_key;
  std::optional<crypto::SecretKey> preshared_key;
  Duration persistent_keepalive{};  // 0: off
};

// Where a datagram came from, and to which of our addresses: what answers it goes back that way.
struct Path {
  Path() = default;
  Path(const Endpoint& from, const IpAddress& to = {}) : remote(from), local(to) {}
  bool operator==(const Path&) const = default;
  Endpoint remote;
  IpAddress local;  // unspecified: any
};

// A datagram to be sent.
struct Transmit {
  PeerId peer = kNobody;       // to where this peer was heard last
  std::optional<Path> answer;  // instead: a cookie, to where the handshake message came from
  std::size_t size = 0;
  std::array<std::uint8_t, kInitiationSize> bytes{};
  Bytes datagram() const noexcept { return Bytes(bytes).first(size); }
};

// In the order in which they are told when several happened to one peer.
enum class EventKind : std::uint8_t {
  kExpired,              // no session that could be sent with is left
  kHandshakeUnanswered,  // no answer to an initiation for 5 s; another one follows
  kHandshakeGivenUp,  // no answer for 90 s: packets held for it are lost, the next one begins anew
  kAnswerRefused,     // an answer came that does not decrypt: another key, or preshared key
  kPeerClockBehind,   // the peer's initiations are older than one that was taken, and refused
  kKeypairReady,  // a handshake is done, by whichever side it began: packets held for the peer can
                  // be sealed now, and should be before poll_transmit()
};
struct Event {
  EventKind kind{};
  PeerId peer = kNobody;
};

struct PeerStatus {
  bool possible = false;      // its key goes with ours: a handshake can be made
  Instant last_handshake{};   // Instant{}: none yet
  bool handshaking = false;   // an initiation waits for its response
  unsigned attempts = 0;      // initiations since the last answer
  bool has_session = false;   // can be sent to now
  Instant session_expires{};  // with has_session
};

class Device {
 public:
  explicit Device(Surroundings surroundings);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Ends every session, and pairs every peer anew. Peers that do not go with the key (its own, see
  // add) stay, without ever having a session. The key that is set already changes nothing.
  void set_private_key(const crypto::SecretKey& private_key, Instant now);

  // A peer that is there already by its public key is changed (see change) and keeps its id. One
  // whose public key is our own, or a low-order point, is taken but never has a session.
  PeerId add(const PeerSettings& settings, Instant now);
  // Keeps its sessions; another preshared key is used from the next handshake on. The public key
  // must be the same.
  void change(PeerId peer, const PeerSettings& settings, Instant now) noexcept;
  // Its sessions end at once.
  void remove(PeerId peer) noexcept;
  // kNobody: there is none.
  PeerId find(const crypto::PublicKey& public_key) const noexcept;
  std::size_t size() const noexcept;

  // The datagram of a payload, in place, which is left to be encrypted: finish() does it. Room for
  // kDataHeaderSize bytes must be in front of the payload, and for kPadding + kTagSize behind. mtu:
  // of the interface in bytes; padding stays below it (0: no bound). Nothing: no session
  // (kKeypairReady follows when there is one; a handshake is begun when none is under way): hold
  // the payload. Counts as data for the timers; an empty payload is a keepalive.
  std::optional<Sealing> seal(PeerId peer, MutableBytes payload, std::size_t mtu,
                              Instant now) noexcept;

  // Decrypts data in place, unless that was done already by what begin_open() gave for it.
  Arrival receive(MutableBytes datagram, const Path& path, Instant now,
                  const Opening& opening = {}) noexcept;
  // What may be done with a datagram before receive(): its decryption, when it is data of a session
  // there is.
  Opening begin_open(MutableBytes datagram, Instant now) const noexcept;

  // Begins a handshake unless one is under way: a packet waits.
  void wish_handshake(PeerId peer, Instant now) noexcept;
  // The way to the peer is another one (resumed, roamed, resolved anew): sends what proves it, a
  // handshake where there is no session, or one that may be too old, else a keepalive.
  void revive(PeerId peer, Instant now) noexcept;

  // What poll_transmit() had for the peer was not sent, for nobody knows where it is: its first
  // way, when revive() tells of one, need not wait for the next initiation to be due.
  void not_sent(PeerId peer) noexcept;

  // From now on the log is told the secrets of each handshake, before there is the message that
  // uses them; and a session whose secrets it was not told is replaced by another one as soon as
  // the peer may be asked for one. Empty, as in the beginning: nobody is told anything, and nothing
  // is kept.
  void set_key_log(KeyLog log, Instant now);

  std::optional<Event> poll_event() noexcept;
  std::optional<Transmit> poll_transmit(Instant now) noexcept;
  // When poll_transmit() and poll_event() may have something although nothing happens: at once,
  // when they were not asked for all of it. Never: Instant::max().
  Instant next_deadline() const noexcept;

  PeerStatus status(PeerId peer, Instant now) const noexcept;
  bool under_load(Instant now) const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vpntun::wg
