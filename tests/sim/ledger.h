// What must hold whatever the wire does: the ledger sees every payload and every datagram, and ends
// the simulation with a sentence when a promise is broken.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/wire.h"
#include "sim/wire.h"

namespace vpntun::wg::sim {

class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const char* promise) {
  if (!holds) throw Broken(promise);
}

class Ledger {
 public:
  // A payload of chance, which carries its number: 16 to 1400 bytes, all a function of the number.
  // must_arrive: sent when nothing hinders it.
  Datagram write(unsigned from, unsigned to, bool must_arrive) {
    const std::uint64_t number = payloads_.size();
    payloads_.push_back({from, to, must_arrive, 0});
    return content(number);
  }

  void arrived(unsigned from, unsigned to, Bytes payload) {
    require(payload.size() >= 16, "a payload arrives whole");
    const std::uint64_t number = load_le<std::uint64_t>(payload.data());
    require(number < payloads_.size(), "only what was sent arrives");
    Payload& sent = payloads_[number];
    const Datagram expected = content(number);
    require(payload.size() >= expected.size(), "a payload arrives whole");
    require(std::equal(expected.begin(), expected.end(), payload.begin()),
            "a payload arrives unaltered");
    require(sent.from == from && sent.to == to, "a payload comes from its sender, to its receiver");
    require(++sent.arrivals == 1, "a payload arrives once");
    ++delivered_;
  }

  // All that were to arrive have.
  void check_arrivals() {
    for (; checked_ < payloads_.size(); ++checked_)
      require(!payloads_[checked_].must_arrive || payloads_[checked_].arrivals == 1,
              "traffic is back within the protocol's time after an outage, and then loses nothing");
  }

  // Which session a data datagram belongs to: whom it is for, and the index that it chose.
  void session_used(unsigned receiver, std::uint32_t index, Instant now) {
    const auto [first, fresh] = first_use_.try_emplace({receiver, index}, now);
    require(now - first->second < kRejectAfterTime, "no session is used for 180 s or longer");
  }
  // An answer went out: its sender may send with the session when data came with index answering.
  void answered(unsigned responder, std::uint32_t answering, unsigned initiator,
                std::uint32_t asking) {
    unconfirmed_[{initiator, asking}] = {responder, answering};
  }
  void data_taken(unsigned receiver, std::uint32_t index) { confirmed_.insert({receiver, index}); }
  void data_sent(unsigned receiver, std::uint32_t index) {
    const auto answered = unconfirmed_.find({receiver, index});
    if (answered == unconfirmed_.end()) return;
    require(confirmed_.contains(answered->second),
            "a responder sends nothing before data confirmed the session");
  }

  void initiated(unsigned from, unsigned to, Instant now) {
    const auto [last, first] = last_initiation_.try_emplace({from, to}, now);
    require(first || now - last->second >= kRekeyTimeout, "initiations are 5 s apart");
    last->second = now;
  }
  void restarted(unsigned station) {
    std::erase_if(last_initiation_,
                  [station](const auto& entry) { return entry.first.first == station; });
  }

  std::size_t sent() const { return payloads_.size(); }
  std::size_t delivered() const { return delivered_; }

 private:
  using Session = std::pair<unsigned, std::uint32_t>;
  struct Payload {
    unsigned from;
    unsigned to;
    bool must_arrive;
    unsigned arrivals;
  };

  static Datagram content(std::uint64_t number) {
    Chance chance(number);
    Datagram bytes(16 + below(chance, 1385));
    store_le(bytes.data(), number);
    for (std::size_t i = 8; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(number * 31 + i * 7 + 1);
    return bytes;
  }

  std::vector<Payload> payloads_;
  std::size_t checked_ = 0;
  std::size_t delivered_ = 0;
  std::map<Session, Instant> first_use_;
  std::map<Session, Session> unconfirmed_;
  std::set<Session> confirmed_;
  std::map<std::pair<unsigned, unsigned>, Instant> last_initiation_;
};

}  // namespace vpntun::wg::sim
