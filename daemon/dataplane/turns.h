// Workers take their turns side by side. A change of what they all work with waits until none is in
// a turn, and goes before the next turn of any: it waits for the slowest. Use with std::shared_lock
// (a turn) and std::lock_guard (a change); neither inside of the other. Any thread.
#pragma once

#include <pthread.h>

namespace vpntun::dataplane {

class Turns {
 public:
  Turns() noexcept {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    // std::shared_mutex lets turns go before a change, which busy workers would then hold up.
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~Turns() { pthread_rwlock_destroy(&lock_); }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  void lock_shared() noexcept { pthread_rwlock_rdlock(&lock_); }
  void unlock_shared() noexcept { pthread_rwlock_unlock(&lock_); }
  void lock() noexcept { pthread_rwlock_wrlock(&lock_); }
  void unlock() noexcept { pthread_rwlock_unlock(&lock_); }

 private:
  pthread_rwlock_t lock_;
};

}  // namespace vpntun::dataplane
