// Two devices that know each other, and the wire between them in virtual time: what one sends the
// other has at once, unless the test takes it off the wire. Chance is a seeded generator.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "seeded.h"
#include "wg/device.h"

namespace vpntun::wg {

using Datagram = std::vector<std::uint8_t>;
using namespace std::chrono_literals;

// One of the two, and what it was told.
struct End {
  End(unsigned seed, const std::chrono::nanoseconds& wall_clock)
      : key(key_of(seed)),
        public_key(crypto::public_key_of(key)),
        address{IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(seed)), 51820, 0},
        device(Surroundings{seeded(seed + 1000), [&wall_clock] { return wall_clock; }}) {}

  crypto::SecretKey key;
  crypto::PublicKey public_key;
  Endpoint address;
  Device device;
  PeerId peer = kNobody;  // the other one
  std::vector<EventKind> events;
  std::vector<std::string> heard;  // payloads, without the zeros of their padding
  std::vector<Arrival> arrivals;   // of whatever kind; payloads are gone

  std::size_t count(EventKind kind) const {
    return static_cast<std::size_t>(std::count(events.begin(), events.end(), kind));
  }
  std::size_t refusals(Refusal refusal) const {
    return static_cast<std::size_t>(
        std::count_if(arrivals.begin(), arrivals.end(), [refusal](const Arrival& arrival) {
          return arrival.kind == Arrival::Kind::kRefused && arrival.refusal == refusal;
        }));
  }
};

struct Sent {
  Instant when{};
  const End* from = nullptr;
  MessageType type{};
  Datagram bytes;
};

class TwoDevices {
 public:
  explicit TwoDevices(PeerSettings settings = {}) : a(1, wall), b(2, wall) {
    a.device.set_private_key(a.key, now);
    b.device.set_private_key(b.key, now);
    introduce(a, b, settings);
    introduce(b, a, settings);
  }

  void introduce(End& to, const End& other, PeerSettings settings) {
    settings.public_key = other.public_key;
    to.peer = to.device.add(settings, now);
  }
  End& other(const End& end) { return &end == &a ? b : a; }

  // What an end has to send now, in order, off the wire.
  std::vector<Datagram> outbox(End& from) {
    std::vector<Datagram> all;
    while (const auto transmit = from.device.poll_transmit(now)) {
      const Bytes bytes = transmit->datagram();
      all.emplace_back(bytes.begin(), bytes.end());
      sent.push_back({now, &from, type_of(bytes).value(), all.back()});
      if (all.size() > 1000) throw std::runtime_error("never falls silent");
    }
    listen(from);
    return all;
  }

  Arrival deliver(End& to, Datagram datagram) { return deliver(to, datagram, other(to).address); }
  Arrival deliver(End& to, Datagram& datagram, const Endpoint& source) {
    const Arrival arrival = to.device.receive(datagram, source, now);
    to.arrivals.push_back(arrival);
    if (arrival.kind == Arrival::Kind::kData) {
      std::string text(arrival.payload.begin(), arrival.payload.end());
      text.resize(std::min(text.size(), text.find('\0')));
      to.heard.push_back(text);
    }
    listen(to);
    return arrival;
  }

  // Payload as datagram; nothing: there is no session, and a handshake was wished for.
  std::optional<Datagram> seal(End& from, std::string_view text, std::size_t mtu = 1420) {
    Datagram room(kDataHeaderSize + text.size() + kPadding + crypto::kTagSize);
    std::copy(text.begin(), text.end(), room.begin() + kDataHeaderSize);
    auto sealing = from.device.seal(
        from.peer, MutableBytes(room).subspan(kDataHeaderSize, text.size()), mtu, now);
    if (!sealing) return std::nullopt;
    sealing->finish();
    const Bytes bytes = sealing->datagram();
    sent.push_back({now, &from, MessageType::kData, Datagram(bytes.begin(), bytes.end())});
    return sent.back().bytes;
  }
  // Seals and delivers. False: there is no session yet.
  bool say(End& from, std::string_view text) {
    const auto datagram = seal(from, text);
    if (datagram && passes(from, *datagram)) deliver(other(from), *datagram);
    return datagram.has_value();
  }

  // Carries everything that is to be sent now, and what answers it.
  void settle() {
    for (int round = 0; round < 100; ++round) {
      bool quiet = true;
      for (End* from : {&a, &b}) {
        for (const Datagram& datagram : outbox(*from)) {
          quiet = false;
          if (passes(*from, datagram)) deliver(other(*from), datagram);
        }
      }
      if (quiet) return;
    }
    throw std::runtime_error("never falls silent");
  }

  // Lets time go by; both ends are looked at when they asked to be, and only then.
  void wait(Duration span) {
    const Instant end = now + span;
    settle();
    for (;;) {
      const Instant next = std::min(a.device.next_deadline(), b.device.next_deadline());
      if (next > end) break;
      now = std::max(now, next);
      ++wakeups;
      settle();
    }
    now = end;
  }

  // A session that both ends can send with, begun by a.
  void connect() {
    a.device.wish_handshake(a.peer, now);
    settle();
  }

  std::size_t count(const End& from, MessageType type) const {
    return static_cast<std::size_t>(std::count_if(sent.begin(), sent.end(), [&](const Sent& one) {
      return one.from == &from && one.type == type;
    }));
  }

  Instant now = Instant(1000s);
  std::chrono::nanoseconds wall = std::chrono::hours(24 * 365 * 50);
  End a;
  End b;
  std::function<bool(const End& from, const Datagram&)> passes = [](const End&, const Datagram&) {
    return true;
  };
  std::vector<Sent> sent;
  std::size_t wakeups = 0;

 private:
  void listen(End& end) {
    while (const auto event = end.device.poll_event()) end.events.push_back(event->kind);
  }
};

// Takes everything off the wire.
inline bool nothing_passes(const End&, const Datagram&) {
  return false;
}

}  // namespace vpntun::wg
