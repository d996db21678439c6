// The ciphers of a session and what is to be done with them: the part of a packet's way that takes
// the time and does not need the device, so that one thread can do it while another one uses the
// device. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "crypto/crypto.h"
#include "wg/messages.h"
#include "wg/noise.h"

namespace vpntun::wg {

// Threads take turns with each cipher. As a rule one thread has all datagrams of a peer.
class Ciphers {
 public:
  explicit Ciphers(const TransportKeys& keys) noexcept
      : sealer_(keys.send.expose()), opener_(keys.receive.expose()) {}

  // In place, bytes as those of crypto::Sealer and crypto::Opener.
  void seal(std::uint64_t counter, MutableBytes bytes) noexcept;
  [[nodiscard]] bool open(std::uint64_t counter, MutableBytes bytes) noexcept;

 private:
  std::mutex sealing_;
  std::mutex opening_;
  crypto::Sealer sealer_;
  crypto::Opener opener_;
};

// A datagram that has its header, with its counter, and its padding.
class Sealing {
 public:
  Sealing(std::shared_ptr<Ciphers> ciphers, MutableBytes datagram) noexcept
      : ciphers_(std::move(ciphers)), datagram_(datagram) {}

  MutableBytes datagram() const noexcept { return datagram_; }
  // Encrypts it. Once, before it is sent.
  void finish() noexcept;

 private:
  std::shared_ptr<Ciphers> ciphers_;
  MutableBytes datagram_;
};

// A datagram that says which session it is of.
class Opening {
 public:
  Opening() noexcept = default;  // of no session: nothing to be done
  Opening(std::shared_ptr<Ciphers> ciphers, MutableBytes datagram) noexcept
      : ciphers_(std::move(ciphers)), datagram_(datagram) {}

  // Decrypts it. Once, before the device receives it.
  void finish() noexcept;

  // Whether it is of this datagram and these ciphers: only then authentic() says anything of it.
  bool is_of(MutableBytes datagram, const std::shared_ptr<Ciphers>& ciphers) const noexcept {
    return ciphers_ == ciphers && datagram_.data() == datagram.data() &&
           datagram_.size() == datagram.size();
  }
  bool authentic() const noexcept { return authentic_; }

 private:
  std::shared_ptr<Ciphers> ciphers_;
  MutableBytes datagram_;
  bool authentic_ = false;
};

}  // namespace vpntun::wg
