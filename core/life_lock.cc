#include "core/life_lock.h"

#include <cerrno>

#include "core/base.h"

namespace spate::core {

void LifeLock::reset() {
  pthread_mutexattr_t attributes;
  SPATE_CHECK(pthread_mutexattr_init(&attributes) == 0);
  SPATE_CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  SPATE_CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
  SPATE_CHECK(pthread_mutex_init(&mutex_, &attributes) == 0);
  (void)pthread_mutexattr_destroy(&attributes);
}

void LifeLock::hold() {
  SPATE_CHECK(pthread_mutex_lock(&mutex_) == 0);
}

bool LifeLock::held() {
  const int result = pthread_mutex_trylock(&mutex_);
  // Anything else, such as EINVAL, is the work of a process that has written where it should not:
  // who asks must not fall with it.
  if (result != 0 && result != EOWNERDEAD) return true;
  if (result == EOWNERDEAD) (void)pthread_mutex_consistent(&mutex_);
  (void)pthread_mutex_unlock(&mutex_);
  return false;
}

}  // namespace spate::core
