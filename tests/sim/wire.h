// The network of the simulation: datagrams are lost, doubled, delayed, overtaken, damaged, held
// back to be replayed later, or just delivered, in virtual time and by a seeded generator.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <vector>

#include "wg/constants.h"
#include "wg/device.h"

namespace vpntun::wg::sim {

using Datagram = std::vector<std::uint8_t>;
using Chance = std::mt19937_64;

inline bool happens(Chance& chance, double probability) {
  return std::bernoulli_distribution(probability)(chance);
}
inline std::uint64_t below(Chance& chance, std::uint64_t limit) {
  return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(chance);
}
inline Duration between(Chance& chance, Duration least, Duration most) {
  return Duration(
      std::uniform_int_distribution<Duration::rep>(least.count(), most.count())(chance));
}

struct Quality {
  double loss = 0;
  double doubled = 0;
  double damaged = 0;
  double replayed = 0;  // again, seconds to minutes later
  Duration least_delay = std::chrono::milliseconds(20);
  Duration most_delay = std::chrono::milliseconds(20);  // above the least: some overtake others
};

struct Passage {
  Endpoint from;
  Endpoint to;
  Datagram datagram;
  bool intact = true;
};

class Wire {
 public:
  explicit Wire(Chance& chance) : chance_(chance) {}

  Quality quality;

  void send(const Endpoint& from, const Endpoint& to, Bytes datagram, Instant now) {
    Passage passage{from, to, Datagram(datagram.begin(), datagram.end()), true};
    if (happens(chance_, quality.replayed))
      under_way_.emplace(now + between(chance_, std::chrono::seconds(1), std::chrono::minutes(5)),
                         passage);
    if (happens(chance_, quality.doubled)) under_way_.emplace(now + delay(), passage);
    if (happens(chance_, quality.loss)) return;
    if (happens(chance_, quality.damaged)) damage(passage);
    under_way_.emplace(now + delay(), std::move(passage));
  }
  // What was held back for longer is lost: new to its receiver, it would move a station that has
  // moved meanwhile back to where it was, until it speaks again.
  void forget_held_back(Instant now) {
    under_way_.erase(under_way_.upper_bound(now + std::chrono::seconds(1)), under_way_.end());
  }
  Instant next() const { return under_way_.empty() ? kNever : under_way_.begin()->first; }
  std::optional<Passage> arrival(Instant now) {
    if (next() > now) return std::nullopt;
    Passage passage = std::move(under_way_.begin()->second);
    under_way_.erase(under_way_.begin());
    return passage;
  }

 private:
  Duration delay() { return between(chance_, quality.least_delay, quality.most_delay); }
  void damage(Passage& passage) {
    Datagram& datagram = passage.datagram;
    passage.intact = false;
    if (happens(chance_, 0.2)) {
      datagram.resize(below(chance_, datagram.size()));
    } else {
      datagram[below(chance_, datagram.size())] ^=
          static_cast<std::uint8_t>(1 + below(chance_, 255));
    }
  }

  Chance& chance_;
  std::multimap<Instant, Passage> under_way_;
};

}  // namespace vpntun::wg::sim
