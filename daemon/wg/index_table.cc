#include "wg/index_table.h"

#include <utility>

#include "base/wire.h"

namespace vpntun::wg {
namespace {

constexpr std::size_t kFirstSize = 16;  // a power of two, as every later one

}  // namespace

IndexTable::Lease::Lease(Lease&& other) noexcept
    : table_(std::exchange(other.table_, nullptr)), index_(other.index_) {}

IndexTable::Lease& IndexTable::Lease::operator=(Lease&& other) noexcept {
  std::swap(table_, other.table_);
  std::swap(index_, other.index_);
  return *this;
}

IndexTable::Lease::~Lease() {
  if (!table_) return;
  table_->entries_[index_ & table_->mask_] = Entry{};
  --table_->used_;
}

void IndexTable::Lease::mean(Keypair* keypair) noexcept {
  table_->entries_[index_ & table_->mask_].keypair = keypair;
}

IndexTable::IndexTable(Random random)
    : random_(std::move(random)), entries_(kFirstSize), mask_(kFirstSize - 1) {}

IndexTable::Lease IndexTable::take(PeerId peer) {
  if (2 * (used_ + 1) > entries_.size()) grow();
  std::uint32_t index = draw();
  while (entries_[index & mask_].used) index = draw();  // twice on average when half are in use
  entries_[index & mask_] = Entry{.index = index, .used = true, .peer = peer};
  ++used_;
  return Lease(this, index);
}

std::uint32_t IndexTable::draw() const {
  std::uint8_t bytes[sizeof(std::uint32_t)];
  random_(bytes);
  return load_le<std::uint32_t>(bytes);
}

// What differs below a narrow mask differs below a wider one: no two meet.
void IndexTable::grow() {
  std::vector<Entry> wider(2 * entries_.size());
  mask_ = static_cast<std::uint32_t>(wider.size() - 1);
  for (const Entry& entry : entries_)
    if (entry.used) wider[entry.index & mask_] = entry;
  entries_ = std::move(wider);
}

}  // namespace vpntun::wg
