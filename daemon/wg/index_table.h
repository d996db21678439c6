// Which session or handshake a receiver index means. Indices are drawn at random (paper, section
// 5.4.2) until their place in the table is free, so a lookup is one comparison and never a search.
// The table grows to twice the number of indices in use and no further. Thread: the device's.
#pragma once

#include <cstdint>
#include <vector>

#include "wg/constants.h"
#include "wg/macs.h"

namespace vpntun::wg {

struct Keypair;

class IndexTable {
 public:
  struct Entry {
    std::uint32_t index = 0;
    bool used = false;
    PeerId peer = kNobody;
    Keypair* keypair = nullptr;  // none: a handshake that waits for its response
  };

  // Gives its index back when it ends. Must not outlive the table.
  class Lease {
   public:
    Lease() noexcept = default;
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    std::uint32_t index() const noexcept { return index_; }
    // From now on the index means this session.
    void mean(Keypair* keypair) noexcept;

   private:
    friend class IndexTable;
    Lease(IndexTable* table, std::uint32_t index) noexcept : table_(table), index_(index) {}

    IndexTable* table_ = nullptr;
    std::uint32_t index_ = 0;
  };

  explicit IndexTable(Random random);

  Lease take(PeerId peer);
  // Nothing: the index is nobody's.
  const Entry* find(std::uint32_t index) const noexcept {
    const Entry& entry = entries_[index & mask_];
    return entry.used && entry.index == index ? &entry : nullptr;
  }
  std::size_t size() const noexcept { return used_; }

 private:
  std::uint32_t draw() const;
  void grow();

  Random random_;
  std::vector<Entry> entries_;
  std::uint32_t mask_;
  std::size_t used_ = 0;
};

}  // namespace vpntun::wg
