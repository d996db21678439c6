// A kernel that refuses a system call, as an older or a smaller one does: a seccomp filter answers
// in its place.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace vpntun::os {

struct Refusal {
  struct Argument {
    unsigned place = 0;  // from 0
    std::uint32_t value = 0;
    std::uint32_t mask = 0xffffffff;  // of its low 32 bits
  };
  int call = 0;  // SYS_ of sys/syscall.h
  std::vector<Argument> with;
  int error_number = 0;
};

// For this thread and those it starts, for ever.
void refuse(const Refusal& refusal);
// For `work` alone, which runs in a thread of its own.
void with_refusal(const Refusal& refusal, const std::function<void()>& work);

}  // namespace vpntun::os
