#include "core/life_lock.h"

#include <cerrno>

#include "core/base.h"

namespace spate::core {

LifeLock::LifeLock() {
  pthread_mutexattr_t attributes;
  SPATE_CHECK(pthread_mutexattr_init(&attributes) == 0);
  SPATE_CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  SPATE_CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
  SPATE_CHECK(pthread_mutex_init(&mutex_, &attributes) == 0);
  (void)pthread_mutexattr_destroy(&attributes);
}

void LifeLock::hold() {
  const int result = pthread_mutex_lock(&mutex_);
  if (result == EOWNERDEAD)
    SPATE_CHECK(pthread_mutex_consistent(&mutex_) == 0);
  else
    SPATE_CHECK(result == 0);
}

bool LifeLock::held() {
  const int result = pthread_mutex_trylock(&mutex_);
  if (result == EBUSY) return true;
  if (result == EOWNERDEAD)
    SPATE_CHECK(pthread_mutex_consistent(&mutex_) == 0);
  else
    SPATE_CHECK(result == 0);
  SPATE_CHECK(pthread_mutex_unlock(&mutex_) == 0);
  return false;
}

}  // namespace spate::core
