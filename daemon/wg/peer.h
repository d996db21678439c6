// What a Device knows of one peer. One that never shook hands is a few hundred bytes: sessions and
// handshakes are allocated when they begin. Thread: the device's.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "wg/constants.h"
#include "wg/index_table.h"
#include "wg/keypair.h"
#include "wg/macs.h"
#include "wg/noise.h"
#include "wg/timers.h"

namespace vpntun::wg {

// An initiation of ours that waits for its response.
struct Initiating {
  HandshakeState state;
  IndexTable::Lease index;
  std::uint32_t key_log = 0;  // as a Keypair's
  bool answered = false;      // something came that says it is the response
};

struct Peer {
  Peer(PeerId number, const crypto::PublicKey& public_key);

  // Pairs anew with our own key (none: we have no key), and with another preshared key.
  void pair(const std::optional<Identity>& own,
            const std::optional<crypto::SecretKey>& preshared) noexcept;
  // The label of an initiation that is sent now. It rises even when the wall clock was put back,
  // for the other side takes only ones that do.
  Timestamp next_timestamp(std::chrono::nanoseconds wall_clock) noexcept;

  // An authentic initiation is older than greatest_received. True: it is not a datagram that was
  // late, for it is newer than the last such one, so the peer makes them now.
  bool note_behind(const Timestamp& timestamp) noexcept;

  bool initiating() const noexcept { return timers.initiation != kNever; }

  PeerId id;
  bool paired = false;  // a handshake can be made
  Pairing pairing;
  CookieJar cookies;
  Timers timers;
  Keypairs keypairs;
  std::unique_ptr<Initiating> initiation;  // only while initiating()

  Timestamp greatest_received{};
  Timestamp greatest_behind{};          // of those refused for it since then
  Instant initiation_taken = kLongAgo;  // the last one of the peer
  std::chrono::nanoseconds last_timestamp = std::chrono::nanoseconds::min();  // ours
  Instant handshake_sent = kLongAgo;  // our last initiation or response
  Instant initiating_since = kNever;  // kNever: nothing was sent since it was wished for
  unsigned attempts = 0;              // initiations since the last answer
  Instant last_handshake{};
  bool asked_last_minute = false;  // for a successor of the session, on receiving
  std::uint8_t events = 0;         // a bit for each EventKind that was not told yet
};

}  // namespace vpntun::wg
