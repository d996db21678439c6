// A device that fuzz targets shoot at: it has a live session with a partner, and an initiation of
// its own under way. Everything is a function of nothing, so that a finding repeats.
#pragma once

#include <cstdlib>
#include <set>
#include <vector>

#include "base/wire.h"
#include "wg/device.h"
#include "wg/seeded.h"

namespace vpntun::wg {

// Ends the run as a finding.
inline void require(bool holds) {
  if (!holds) std::abort();
}

class Target {
 public:
  using Datagram = std::vector<std::uint8_t>;

  Target() {
    device.set_private_key(key_of(1), now);
    partner_.set_private_key(key_of(2), now);
    const PeerId partner =
        device.add({.public_key = public_key_of(key_of(2)), .preshared_key = {}}, now);
    peer_ = partner_.add({.public_key = public_key(), .preshared_key = {}}, now);
    partner_.wish_handshake(peer_, now);
    pass(partner_, device);
    pass(device, partner_);
    pass(partner_, device);
    now += std::chrono::seconds(6);
    device.wish_handshake(partner, now);
    initiation_ = outbox(device).at(0);
    for (int i = 0; i < 4; ++i) genuine_.insert(from_partner(static_cast<std::size_t>(i) * 20));
    answer();
  }

  static crypto::PublicKey public_key() { return public_key_of(key_of(1)); }
  // Of the initiation that waits for its response.
  std::uint32_t waiting_index() const { return load_le<std::uint32_t>(initiation_.data() + 4); }
  // What the partner sent and the device has not seen: data, an initiation, the response.
  const std::set<Datagram>& genuine() const { return genuine_; }

  // Only what is genuine is taken.
  Arrival shoot(Datagram datagram) {
    const Datagram original = datagram;
    const Endpoint source{IpAddress::v4(192, 0, 2, 1), 1, 0};
    const Arrival arrival = device.receive(datagram, source, now);
    if (arrival.kind != Arrival::Kind::kRefused) require(is_genuine(original));
    if (arrival.kind == Arrival::Kind::kData) {
      require(arrival.payload.data() >= datagram.data());
      require(arrival.payload.data() + arrival.payload.size() + kDataOverhead <=
              datagram.data() + datagram.size() + kDataHeaderSize);
    }
    require(outbox(device).size() <= 3);  // an answer, and a timer or two
    while (device.poll_event()) {
    }
    return arrival;
  }

  // The session with the partner is there as it was.
  void check_session() {
    Datagram datagram = from_partner(33);
    require(device.receive(datagram, {}, now).kind == Arrival::Kind::kData);
  }

  Instant now{std::chrono::seconds(1000)};
  Device device{surroundings(3)};

 private:
  Surroundings surroundings(unsigned seed) {
    return {seeded(seed), [this] { return now.time_since_epoch(); }};
  }

  std::vector<Datagram> outbox(Device& from) {
    std::vector<Datagram> all;
    while (const auto transmit = from.poll_transmit(now))
      all.emplace_back(transmit->datagram().begin(), transmit->datagram().end());
    return all;
  }
  void pass(Device& from, Device& to) {
    for (Datagram& datagram : outbox(from)) to.receive(datagram, {}, now);
  }
  Datagram from_partner(std::size_t size) {
    Datagram room(kDataOverhead + kPadding + size, 0x55);
    auto sealing =
        partner_.seal(peer_, MutableBytes(room).subspan(kDataHeaderSize, size), 1420, now);
    require(sealing.has_value());
    sealing->finish();
    return {sealing->datagram().begin(), sealing->datagram().end()};
  }
  // The partner's response to the device's initiation, and an initiation of its own.
  void answer() {
    partner_.wish_handshake(peer_, now);
    for (const Datagram& datagram : outbox(partner_)) genuine_.insert(datagram);
    Datagram initiation = initiation_;
    require(partner_.receive(initiation, {}, now).kind == Arrival::Kind::kHandshake);
    for (const Datagram& datagram : outbox(partner_)) genuine_.insert(datagram);
  }
  // Data is authentic as a whole; of handshake messages what the handshake hashes: whoever knows
  // the public key may put mac1 right behind other indices, and mac2 is not looked at.
  bool is_genuine(const Datagram& datagram) const {
    const auto type = type_of(datagram);
    const std::size_t indices = type == MessageType::kInitiation ? 8 : 12;  // end there
    for (const Datagram& one : genuine_) {
      if (one.size() != datagram.size() || type_of(one) != type) continue;
      if (type == MessageType::kData ? one == datagram
                                     : std::equal(one.begin() + static_cast<long>(indices),
                                                  one.end() - static_cast<long>(kMacsSize),
                                                  datagram.begin() + static_cast<long>(indices)))
        return true;
    }
    return false;
  }

  Device partner_{surroundings(4)};
  PeerId peer_ = kNobody;  // the device, to the partner
  Datagram initiation_;
  std::set<Datagram> genuine_;
};

}  // namespace vpntun::wg
