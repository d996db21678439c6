// A device with what stands around it in a daemon: where its peers are, and the packets that wait
// for a session.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "sim/ledger.h"
#include "sim/wire.h"

namespace vpntun::wg::sim {

class Station {
 public:
  Station(unsigned number, Chance& chance, Wire& wire, Ledger& ledger);

  // Another process with the same key: no session, no counter, no learned endpoint is left.
  void restart(Instant now);
  // configured: where the peer is said to be; nothing: it is learned.
  void know(Station& peer, std::optional<Endpoint> configured, Instant now);
  void move_to(const Endpoint& address) { address_ = address; }
  void revive(Instant now);
  void put_clock(std::chrono::nanoseconds ahead) { clock_ahead_ = ahead; }

  void say(Station& to, bool must_arrive, Instant now);
  void wish(Station& to, Instant now) { device_->wish_handshake(peers_.at(to.number_).id, now); }
  void arrive(const Passage& passage, Instant now);
  // Sends what is to be sent now.
  void run(Instant now);
  Instant next() const { return device_->next_deadline(); }

  unsigned number() const { return number_; }
  const Endpoint& address() const { return address_; }
  const crypto::PublicKey& public_key() const { return public_key_; }
  std::size_t looks() const { return looks_; }
  std::size_t handshakes() const { return handshakes_; }
  std::size_t refused() const { return refused_; }

 private:
  static constexpr std::size_t kMostHeld = 128;
  struct Known {
    Station* station = nullptr;
    PeerId id = kNobody;
    std::optional<Endpoint> configured;
    std::optional<Endpoint> endpoint;
    std::deque<Datagram> held;
  };

  void make_device();
  Known& by_id(PeerId id);
  bool seal(Known& to, const Datagram& payload, Instant now);
  void sent(const Known& to, Bytes datagram, Instant now);
  void events(Instant now);

  unsigned number_;
  Chance& chance_;
  Wire& wire_;
  Ledger& ledger_;
  crypto::SecretKey key_;
  crypto::PublicKey public_key_;
  Endpoint address_;
  Instant now_{};
  std::chrono::nanoseconds clock_ahead_{};
  std::unique_ptr<Device> device_;
  std::map<unsigned, Known> peers_;  // by the number of the station
  std::size_t looks_ = 0;
  std::size_t handshakes_ = 0;
  std::size_t refused_ = 0;
};

}  // namespace vpntun::wg::sim
