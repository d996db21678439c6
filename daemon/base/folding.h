// Keeps what others can bring about at will from filling the log: of lines with the same event,
// tunnel, peer and reason the first few of a minute are let through, the others are counted, and
// the last of them comes out at the end of that minute with their number. Pure. Called by the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/events.h"
#include "base/time.h"

namespace vpntun::log {

class Folding {
 public:
  static constexpr std::chrono::seconds kWindow{60};
  static constexpr unsigned kAtOnce = 3;  // so that what happens now and then is told now
  static constexpr std::size_t kMaximumKinds = 256;  // beyond them the event alone counts

  // True: write it now. False: it is counted, and comes out of take_due() or take_all().
  bool admit(const Line& line, Instant now);
  // The folded lines whose minute is over, in the order in which they were last seen, each with its
  // count in text and `repeated`. A minute in which something was folded is followed by the next.
  std::vector<Line> take_due(Instant now);
  // All of them, at the end of the process.
  std::vector<Line> take_all();
  // When take_due() will have something; nothing: not before the next admit() that folds.
  std::optional<Instant> due() const;

 private:
  // event, tunnel, peer, reason
  using Kind = std::tuple<Event, std::string, std::string, std::string>;
  struct Window {
    Instant until;
    std::uint64_t last_seen = 0;  // of turns_
    unsigned passed = 0;
    unsigned folded = 0;
    Line last;
  };

  static Line summary(Window& window);
  std::vector<Line> take(bool all, Instant now);

  std::map<Kind, Window> windows_;
  std::uint64_t turns_ = 0;
};

}  // namespace vpntun::log
