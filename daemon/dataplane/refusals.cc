#include "dataplane/refusals.h"

namespace vpntun::dataplane {

void Refusals::note(std::span<const packet::Unreachable> unreachables, Tables& tables) noexcept {
  if (unreachables.empty()) return;
  if (tables.now - second_ >= std::chrono::seconds(1)) {
    second_ = tables.now;
    looked_at_ = 0;
  }
  for (const packet::Unreachable& unreachable : unreachables) {
    if (++looked_at_ > kMost) return;
    const PeerIndex peer = tables.peers.find(unreachable.remote);
    if (peer == kNoPeer) continue;
    PeerRecord& record = *tables.peers[peer].record;
    const std::optional<Refused> before = record.refused();
    record.set_refused({unreachable, tables.now});
    if (!before || before->what != unreachable || tables.now - before->when >= kOldNews)
      tables.announce(peer);
  }
}

}  // namespace vpntun::dataplane
