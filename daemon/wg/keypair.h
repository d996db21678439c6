// A session's keys, and the three sessions that a peer may have at a time (paper, section 5.4.6,
// 6.2, 6.3): the current one is sent with; the previous one still receives what was on its way;
// the next one, which the peer began, waits to be confirmed by its first data. Thread: the
// device's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "wg/arrival.h"
#include "wg/ciphers.h"
#include "wg/index_table.h"
#include "wg/noise.h"
#include "wg/replay_window.h"

namespace vpntun::wg {

struct Keypair {
  explicit Keypair(const TransportKeys& keys) : ciphers(std::make_shared<Ciphers>(keys)) {}

  std::shared_ptr<Ciphers> ciphers;  // what was begun with them ends, also without the session
  IndexTable::Lease index;           // ours: the peer's datagrams carry it
  std::uint32_t remote_index = 0;    // the peer's
  bool initiator = false;            // we began it, so we renew it
  Instant created{};
  std::uint32_t key_log = 0;  // the number of the key log that has its secrets; 0: none
  std::uint64_t next_counter = 0;
  ReplayWindow window;

  bool expired(Instant now) const noexcept { return created + kRejectAfterTime <= now; }
  bool can_send(Instant now) const noexcept {
    return !expired(now) && next_counter < kRejectAfterMessages;
  }
  // Asked after sending; and after receiving, when there is little time left.
  bool wants_successor(Instant now) const noexcept;
  bool wants_successor_soon(Instant now) const noexcept;

  // Makes a datagram in place: the payload, then zeros up to size. kDataHeaderSize bytes must be in
  // front of it, size - payload.size() + kTagSize behind. Requires can_send().
  Sealing seal(MutableBytes payload, std::size_t size) noexcept;
  // Decrypts data in place, unless its opening with our ciphers was finished, and uses up its
  // counter when it is authentic.
  struct Opened {
    std::optional<Refusal> refusal;
    MutableBytes payload;
  };
  Opened open(MutableBytes datagram, const Opening& opening, Instant now) noexcept;
  // Whether it would be refused whatever is in it.
  bool refuses(std::uint64_t counter, Instant now) const noexcept {
    return expired(now) || counter >= kRejectAfterMessages;
  }
};

// The size of a payload with its padding: to a multiple of kPadding, but not above mtu (0: no
// bound). One that is larger than mtu already is padded as the rest of its last mtu bytes would be.
std::size_t padded_size(std::size_t size, std::size_t mtu) noexcept;

class Keypairs {
 public:
  // A session that we began is known to the peer: it is sent with from now on.
  void add_ours(std::unique_ptr<Keypair> keypair) noexcept;
  // One that the peer began may not have reached it: nothing is sent with it before confirm().
  void add_theirs(std::unique_ptr<Keypair> keypair) noexcept;
  // Something authentic came with it. True: it is the current one only now.
  bool confirm(const Keypair* keypair) noexcept;

  Keypair* current() const noexcept { return current_.get(); }
  // Nothing: there is none that could be sent with.
  Keypair* sendable(Instant now) const noexcept {
    return current_ && current_->can_send(now) ? current_.get() : nullptr;
  }
  void clear() noexcept;

 private:
  std::unique_ptr<Keypair> previous_;
  std::unique_ptr<Keypair> current_;
  std::unique_ptr<Keypair> next_;
  bool apart_ =
      false;  // the peer sends with previous_, not with current_: keep it rather than that
};

}  // namespace vpntun::wg
