#include "wg/deadline_queue.h"

namespace vpntun::wg {

Instant DeadlineQueue::when(PeerId peer) const noexcept {
  if (peer >= places_.size() || places_[peer] == kOutside) return kNever;
  return heap_[places_[peer]].when;
}

void DeadlineQueue::set(PeerId peer, Instant when) {
  if (when == kNever) return remove(peer);
  if (peer >= places_.size()) places_.resize(std::size_t{peer} + 1, kOutside);
  const Entry entry{.when = when, .peer = peer};
  if (places_[peer] == kOutside) {
    heap_.push_back(entry);
    return rise(heap_.size() - 1, entry);
  }
  const std::size_t at = places_[peer];
  if (when < heap_[at].when) {
    rise(at, entry);
  } else {
    sink(at, entry);
  }
}

void DeadlineQueue::remove(PeerId peer) noexcept {
  if (peer >= places_.size() || places_[peer] == kOutside) return;
  const std::size_t at = places_[peer];
  const Entry removed = heap_[at];
  const Entry last = heap_.back();
  heap_.pop_back();
  places_[peer] = kOutside;
  if (at == heap_.size()) return;
  if (last.when < removed.when) {
    rise(at, last);
  } else {
    sink(at, last);
  }
}

void DeadlineQueue::place(std::size_t at, Entry entry) noexcept {
  heap_[at] = entry;
  places_[entry.peer] = static_cast<std::uint32_t>(at);
}

void DeadlineQueue::rise(std::size_t at, Entry entry) noexcept {
  while (at > 0 && entry.when < heap_[(at - 1) / 2].when) {
    place(at, heap_[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
  place(at, entry);
}

void DeadlineQueue::sink(std::size_t at, Entry entry) noexcept {
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].when < heap_[child].when) ++child;
    if (entry.when <= heap_[child].when) break;
    place(at, heap_[child]);
    at = child;
  }
  place(at, entry);
}

}  // namespace vpntun::wg
