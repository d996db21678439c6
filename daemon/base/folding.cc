#include "base/folding.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace vpntun::log {

bool Folding::admit(const Line& line, Instant now) {
  if (!line.event) return true;
  Kind kind{*line.event, line.fields.tunnel, line.fields.peer, line.fields.reason};
  if (windows_.size() >= kMaximumKinds && !windows_.contains(kind))
    kind = {*line.event, "", "", ""};
  const auto [at, is_new] = windows_.try_emplace(std::move(kind));
  Window& window = at->second;
  if (is_new || (now >= window.until && window.folded == 0)) {
    window.until = now + kWindow;
    window.passed = 0;
  }
  if (window.passed < kAtOnce) {
    ++window.passed;
    return true;
  }
  window.last_seen = ++turns_;
  ++window.folded;
  window.last = line;
  return false;
}

Line Folding::summary(Window& window) {
  Line line = std::exchange(window.last, {});
  line.repeated = std::exchange(window.folded, 0);
  line.text += fmt::format(" (repeated {} {} in {} s)", line.repeated,
                           line.repeated == 1 ? "time" : "times", kWindow.count());
  return line;
}

std::vector<Line> Folding::take(bool all, Instant now) {
  std::vector<std::pair<std::uint64_t, Line>> seen;
  for (auto at = windows_.begin(); at != windows_.end();) {
    Window& window = at->second;
    if (!all && now < window.until) {
      ++at;
    } else if (window.folded == 0) {
      at = windows_.erase(at);
    } else {
      seen.emplace_back(window.last_seen, summary(window));
      window.until = now + kWindow;
      ++at;
    }
  }
  std::sort(seen.begin(), seen.end(),
            [](const auto& left, const auto& right) { return left.first < right.first; });
  std::vector<Line> lines;
  for (auto& [turn, line] : seen) lines.push_back(std::move(line));
  return lines;
}

std::vector<Line> Folding::take_due(Instant now) {
  return take(false, now);
}

std::vector<Line> Folding::take_all() {
  std::vector<Line> lines = take(true, Instant{});
  windows_.clear();
  return lines;
}

std::optional<Instant> Folding::due() const {
  std::optional<Instant> due;
  for (const auto& [kind, window] : windows_)
    if (window.folded != 0 && (!due || window.until < *due)) due = window.until;
  return due;
}

}  // namespace vpntun::log
