// When each peer has to be looked at next: a heap that knows where everyone is in it. An entry may
// be earlier than need be (whoever is woken looks again), never later. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "wg/constants.h"

namespace vpntun::wg {

class DeadlineQueue {
 public:
  struct Entry {
    Instant when{};
    PeerId peer = kNobody;
  };

  // Enters the peer or moves it, O(log n). kNever: takes it out. Allocates only for a peer whose
  // number was never there.
  void set(PeerId peer, Instant when);
  // kNever: it is not in here. O(1).
  Instant when(PeerId peer) const noexcept;
  // The earliest; O(1). Nothing: there is none.
  const Entry* first() const noexcept { return heap_.empty() ? nullptr : heap_.data(); }
  std::size_t size() const noexcept { return heap_.size(); }

 private:
  static constexpr std::uint32_t kOutside = ~std::uint32_t{0};

  void place(std::size_t at, Entry entry) noexcept;
  void rise(std::size_t at, Entry entry) noexcept;
  void sink(std::size_t at, Entry entry) noexcept;
  void remove(PeerId peer) noexcept;

  std::vector<Entry> heap_;
  std::vector<std::uint32_t> places_;  // in heap_, by peer
};

}  // namespace vpntun::wg
