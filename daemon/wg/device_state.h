// What stands behind Device (device.h): device.cc keeps peers, data and timers, handshaking.cc the
// handshake. Thread: the device's.
#pragma once

#include <deque>
#include <optional>

#include "crypto/crypto.h"
#include "wg/deadline_queue.h"
#include "wg/device.h"
#include "wg/index_table.h"
#include "wg/load_meter.h"
#include "wg/peer.h"
#include "wg/rate_limiter.h"
#include "wg/roster.h"

namespace vpntun::wg {

struct Device::State {
  // Responses and cookies that were not fetched yet; a handshake message beyond is refused.
  static constexpr std::size_t kMaxAnswers = 256;

  explicit State(Surroundings given);

  // Handshakes: handshaking.cc.
  Arrival receive_handshake(Bytes datagram, MessageType type, const Path& path,
                            Instant now) noexcept;
  Arrival take_initiation(const Initiation& message, Instant now) noexcept;
  Arrival take_response(const Response& message, Instant now) noexcept;
  Arrival take_cookie(const CookieReply& message, Instant now) noexcept;
  // Why it is not looked at; a cookie is the answer to kCookieRequired.
  std::optional<Refusal> guard(Bytes datagram, MessageType type, const Path& path,
                               Instant now) noexcept;
  // Whether the response is the first to an initiation of ours; the next one is not.
  bool is_first_answer(const Response& message) noexcept;
  // Answers an initiation. False: its ephemeral key is a low-order point.
  bool respond_to(Peer& peer, const Initiation& message, const HandshakeState& state,
                  Instant now) noexcept;
  // Begins a handshake unless one is under way.
  void wish(Peer& peer, Instant now) noexcept;
  // What is due of a handshake that was begun: an initiation, or the end of its attempts.
  std::optional<Transmit> next_attempt(Peer& peer, Instant now) noexcept;
  std::optional<Transmit> initiation_to(Peer& peer, Instant now) noexcept;
  void handshake_done(Peer& peer, Instant now) noexcept;
  // Returns the number of the log that was told; 0: there is none.
  std::uint32_t tell_key_log(const Peer& peer, const crypto::SecretKey& ephemeral) const noexcept;
  // Wishes for another session when there is a log that was not told the current one's secrets.
  void renew_for_key_log(Peer& peer, Instant now) noexcept;
  crypto::SecretKey draw_key() noexcept;
  Duration draw_jitter() noexcept;

  // Data and time: device.cc.
  Arrival receive_data(MutableBytes datagram, const Opening& opening, Instant now) noexcept;
  std::optional<Transmit> keepalive_to(Peer& peer, Instant now) noexcept;
  // At most one message; what else is due stays due.
  std::optional<Transmit> take_due(Peer& peer, Instant now) noexcept;
  // Sees to it that the peer is looked at in time.
  void note(const Peer& peer) noexcept {
    const Instant next = peer.timers.next();
    if (next < deadlines.when(peer.id)) deadlines.set(peer.id, next);
  }
  void tell(Peer& peer, EventKind kind) noexcept;

  Surroundings surroundings;
  KeyLog key_log;
  std::uint32_t key_logs = 0;  // so far; the number of the latest
  std::optional<Identity> identity;
  std::optional<MacChecker> macs;  // with identity
  IndexTable indices;
  DeadlineQueue deadlines;
  Roster roster;  // its keypairs give back their indices
  LoadMeter load;
  RateLimiter limiter;
  std::deque<Transmit> answers;
  std::deque<PeerId> told;  // whose events were not all fetched; each peer once
};

inline Arrival refused(Refusal refusal, PeerId peer = kNobody) noexcept {
  return {.kind = Arrival::Kind::kRefused, .refusal = refusal, .peer = peer, .payload = {}};
}

}  // namespace vpntun::wg
