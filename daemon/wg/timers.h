// When something is due for one peer (paper, section 6). The hooks say what happened, not what
// follows; they are cheap, for each packet calls some. Pure: what is due is done by the device.
#pragma once

#include <algorithm>

#include "wg/constants.h"

namespace vpntun::wg {

struct Timers {
  Instant initiation = kNever;  // to be sent: the first wish for a handshake, or its repetition
  Instant silence = kNever;     // data was sent and nothing heard: a handshake
  Instant keepalive = kNever;   // data came and nothing was sent: a keepalive
  Instant persistent = kNever;  // the persistent keepalive
  Instant expiry = kNever;      // of the session that is sent with
  Instant zeroing = kNever;     // of every key

  Duration interval{};  // of the persistent keepalive; 0: off
  Duration jitter{};    // drawn anew for each handshake message

  // A message with authentication, data or not, goes out.
  void sent(Instant now) noexcept {
    keepalive = kNever;
    traversed(now);
  }
  void data_sent(Instant now) noexcept {
    sent(now);
    if (silence == kNever) silence = now + kKeepaliveTimeout + kRekeyTimeout + jitter;
  }
  // An authentic and new message came.
  void received(Instant now) noexcept {
    silence = kNever;
    traversed(now);
  }
  // Exact to the first data without an answer: the keepalive answers what came later too.
  void data_received(Instant now) noexcept {
    received(now);
    if (keepalive == kNever) keepalive = now + kKeepaliveTimeout;
  }
  void session_derived(Instant now) noexcept { zeroing = now + kZeroAfterTime; }

  // 0: off. It is due at once when it was off.
  void keep_alive_every(Duration every, Instant now) noexcept {
    const bool was_on = interval > Duration{};
    interval = every;
    if (every <= Duration{}) {
      persistent = kNever;
    } else {
      persistent = was_on ? std::min(persistent, now + every) : now;
    }
  }

  Instant next() const noexcept {
    return std::min({initiation, silence, keepalive, persistent, expiry, zeroing});
  }

 private:
  void traversed(Instant now) noexcept {
    if (interval > Duration{}) persistent = now + interval;
  }
};

}  // namespace vpntun::wg
