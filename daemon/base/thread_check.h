// Asserts, in builds with assertions, that an object is used by the thread that adopted it.
#pragma once

#include <cassert>
#include <thread>

namespace vpntun {

class ThreadCheck {
 public:
  // The calling thread is the owner from now on.
  void adopt() noexcept { owner_ = std::this_thread::get_id(); }
  void check() const noexcept { assert(owner_ == std::this_thread::get_id()); }

 private:
  std::thread::id owner_ = std::this_thread::get_id();
};

}  // namespace vpntun
