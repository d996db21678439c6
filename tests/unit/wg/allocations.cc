#include "allocations.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace vpntun {
namespace {

std::atomic<std::size_t> calls;
std::atomic<std::size_t> bytes;
std::span<const std::uint8_t> looked_for;
std::size_t found;

void look(const void* memory, std::size_t size) noexcept {
  if (!looked_for.empty() && ::memmem(memory, size, looked_for.data(), looked_for.size())) ++found;
}

}  // namespace

std::size_t allocations() noexcept {
  return calls;
}

std::size_t allocated_bytes() noexcept {
  return bytes;
}

FreedWith::FreedWith(std::span<const std::uint8_t> secret) noexcept {
  looked_for = secret;
  found = 0;
}

FreedWith::~FreedWith() {
  looked_for = {};
}

std::size_t FreedWith::times() const noexcept {
  return found;
}

}  // namespace vpntun

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (!memory) throw std::bad_alloc();
  ++vpntun::calls;
  vpntun::bytes += ::malloc_usable_size(memory);
  return memory;
}

void operator delete(void* memory) noexcept {
  if (memory) {
    const std::size_t size = ::malloc_usable_size(memory);
    vpntun::bytes -= size;
    vpntun::look(memory, size);
  }
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}
