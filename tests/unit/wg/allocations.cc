#include "allocations.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace vpntun {
namespace {

std::atomic<std::size_t> calls;
std::atomic<std::size_t> bytes;

}  // namespace

std::size_t allocations() noexcept {
  return calls;
}

std::size_t allocated_bytes() noexcept {
  return bytes;
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
  if (memory) vpntun::bytes -= ::malloc_usable_size(memory);
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}
