// wg_sim DEVICES MINUTES [SEED]: a hub and its spokes on a noisy wire, in virtual time. Storms, in
// which the wire is bad and stations vanish, restart, move, sleep and have their clocks put wrong,
// take turns with calms, in which traffic must be back within the protocol's own time. The same
// seed makes the same run.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "sim/station.h"

namespace vpntun::wg::sim {
namespace {

using namespace std::chrono_literals;

// When data that nobody answers began a handshake (15 s and jitter), whose first message may have
// to wait until 5 s (and jitter) after one that was lost.
constexpr Duration kBack = kKeepaliveTimeout + 2 * (kRekeyTimeout + kRekeyJitter) + 1s;
constexpr Duration kCalm = 60s;

class World {
 public:
  World(unsigned stations, std::uint64_t seed) : chance_(seed) {
    for (unsigned i = 0; i < stations; ++i) {
      stations_.push_back(std::make_unique<Station>(i, chance_, wire_, ledger_));
      if (i == 0) continue;
      stations_[i]->know(hub(), hub().address(), now_);
      hub().know(*stations_[i], std::nullopt, now_);
    }
  }

  void run(Duration span) {
    const Instant end = now_ + span;
    while (now_ < end) {
      storm();
      calm();
    }
    fall_silent();
  }

  void print() const {
    std::size_t looks = 0;
    std::size_t handshakes = 0;
    std::size_t refused = 0;
    for (const auto& station : stations_) {
      looks += station->looks();
      handshakes += station->handshakes();
      refused += station->refused();
    }
    std::printf("%zu payloads, %zu delivered; %zu sessions; %zu datagrams refused; %zu looks\n",
                ledger_.sent(), ledger_.delivered(), handshakes / 2, refused, looks);
  }

 private:
  Station& hub() { return *stations_[0]; }
  Station& any_spoke() { return *stations_[1 + below(chance_, stations_.size() - 1)]; }

  // Until then; whoever has something to do is looked at, and nobody else.
  void pass(Instant until) {
    for (;;) {
      Station* first = nullptr;
      Instant next = wire_.next();
      for (const auto& station : stations_) {
        if (station->next() >= next) continue;
        next = station->next();
        first = station.get();
      }
      if (next > until) break;
      now_ = std::max(now_, next);
      if (first) {
        first->run(now_);
      } else {
        deliver(*wire_.arrival(now_));
      }
    }
    now_ = until;
  }
  void deliver(const Passage& passage) {
    for (const auto& station : stations_)
      if (station->address() == passage.to && station.get() != away_)
        return station->arrive(passage, now_);
  }

  void storm() {
    const Instant end = now_ + between(chance_, 30s, 500s);
    wire_.quality = {.loss = happens(chance_, 0.2) ? 1.0 : 0.4 * unit(),
                     .doubled = 0.1,
                     .damaged = 0.1 * unit(),
                     .replayed = 0.02,
                     .least_delay = 1ms,
                     .most_delay = between(chance_, 1ms, 800ms)};
    const double busy = happens(chance_, 0.3) ? 0.02 : unit();
    while (now_ < end) {
      pass(now_ + between(chance_, 10ms, 3s));
      if (happens(chance_, 0.03)) mischief();
      for (unsigned i = 1; i < stations_.size(); ++i) {
        if (happens(chance_, busy * 0.5)) stations_[i]->say(hub(), false, now_);
        if (happens(chance_, busy * 0.5)) hub().say(*stations_[i], false, now_);
      }
    }
  }

  void mischief() {
    Station& spoke = any_spoke();
    switch (below(chance_, 7)) {
      case 0:
        return spoke.restart(now_);
      case 1:
        return hub().restart(now_);
      case 2:  // both at once
        spoke.wish(hub(), now_);
        hub().wish(spoke, now_);
        spoke.run(now_);
        return hub().run(now_);
      case 3:
        spoke.move_to({IpAddress::v4(10, 1, static_cast<std::uint8_t>(moves_ >> 8),
                                     static_cast<std::uint8_t>(moves_)),
                       51820, 0});
        ++moves_;
        return happens(chance_, 0.5) ? spoke.revive(now_) : void();
      case 4:  // nothing reaches it until the storm ends, or somebody else is away
        away_ = happens(chance_, 0.2) ? &hub() : &spoke;
        return;
      case 5:  // asleep, all of them: the clock goes on and nobody looks
        now_ += between(chance_, 1s, 10min);
        return happens(chance_, 0.5) ? spoke.revive(now_) : void();
      default:  // a day ahead, or right again; a restart with a clock behind has to wait for it
        clocks_ahead_ = true;
        return spoke.put_clock(happens(chance_, 0.5) ? 24h : -24h);
    }
  }

  void calm() {
    wire_.quality = {};
    wire_.forget_held_back(now_);
    away_ = nullptr;
    if (clocks_ahead_)
      for (const auto& station : stations_) station->put_clock(48h * ++days_);
    clocks_ahead_ = false;
    const Instant begun = now_;
    while (now_ < begun + kCalm) {
      const bool back = now_ >= begun + kBack;
      for (unsigned i = 1; i < stations_.size(); ++i) {
        stations_[i]->say(hub(), back, now_);
        hub().say(*stations_[i], back, now_);
      }
      pass(now_ + 1s);
    }
    ledger_.check_arrivals();
  }

  void fall_silent() {
    wire_.quality = {};
    pass(now_ + 2 * kZeroAfterTime);
    for (const auto& station : stations_)
      require(station->next() == kNever, "who has nothing to say is not woken");
  }

  double unit() { return std::uniform_real_distribution<double>(0, 1)(chance_); }

  Chance chance_;
  Ledger ledger_;
  Wire wire_{chance_};
  Instant now_{1000s};
  std::vector<std::unique_ptr<Station>> stations_;
  const Station* away_ = nullptr;
  unsigned moves_ = 0;
  int days_ = 0;
  bool clocks_ahead_ = false;
};

}  // namespace
}  // namespace vpntun::wg::sim

int main(int argc, char** argv) {
  using namespace vpntun::wg::sim;
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s DEVICES MINUTES [SEED]\n", argv[0]);
    return 2;
  }
  const std::uint64_t seed =
      argc > 3 ? std::strtoull(argv[3], nullptr, 10) : std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  try {
    World world(static_cast<unsigned>(std::atoi(argv[1])), seed);
    world.run(std::chrono::minutes(std::atoi(argv[2])));
    world.print();
  } catch (const Broken& broken) {
    std::printf("broken: %s\n", broken.what());
    return 1;
  }
}
