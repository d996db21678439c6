#include "bus/readiness.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "service/notify.h"

namespace vpntun::bus {

namespace {

constexpr Duration kInterval = std::chrono::milliseconds(200);

}  // namespace

void Readiness::begin(std::function<void()> became_ready) {
  became_ready_ = std::move(became_ready);
  const bool waits = session_.profile().ready_when == config::ReadyWhen::kHandshake;
  if (!waits || session_.was_ready() || session_.heard()) return be_ready();
  tell_status(session_.status());
  next_look_ = loop_.add_timer(BootClock::now() + kInterval, [this] { look(); });
}

void Readiness::look() {
  session_.heard() ? be_ready() : loop_.set_timer(next_look_, loop_.now() + kInterval);
}

void Readiness::be_ready() {
  ready_ = true;
  session_.remember_ready();
  tell_status(session_.status());
  became_ready_();
  service::notify_ready();
}

void Readiness::tell_status(const session::Status& now) const {
  if (ready_) return service::notify_status(session::summary(now));
  std::vector<std::string> names;
  for (const session::PeerStatus& peer : now.peers) names.push_back(peer.name);
  constexpr std::size_t kShown = 3;
  const std::string more = names.size() > kShown ? ", ..." : "";
  if (names.size() > kShown) names.resize(kShown);
  service::notify_status(fmt::format("{}: no peer was heard yet (waiting for {}{})", now.interface,
                                     fmt::join(names, ", "), more));
}

}  // namespace vpntun::bus
