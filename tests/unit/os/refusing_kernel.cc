#include "refusing_kernel.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cstddef>
#include <cstdlib>
#include <thread>

namespace vpntun::os {

void refuse(const Refusal& refusal) {
  std::vector<sock_filter> program;
  // Each test is followed by a jump to the end, which allows.
  const std::size_t end = 2 + 3 * refusal.with.size() + 1;
  const auto unless_equal = [&](std::uint32_t value) {
    const auto rest = static_cast<std::uint8_t>(end - program.size() - 1);
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, rest));
  };
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  unless_equal(static_cast<std::uint32_t>(refusal.call));
  for (const Refusal::Argument& argument : refusal.with) {
    const std::size_t at = offsetof(seccomp_data, args) + 8 * argument.place;
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(at)));
    program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, argument.mask));
    unless_equal(argument.value);
  }
  const auto answer = static_cast<std::uint32_t>(refusal.error_number);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                          .filter = program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
    std::abort();
}

void with_refusal(const Refusal& refusal, const std::function<void()>& work) {
  std::thread thread([&] {
    refuse(refusal);
    work();
  });
  thread.join();
}

}  // namespace vpntun::os
