// Whether a process still runs, known before it has ended. A killed process can be reaped once the
// kernel has closed all that it had open, and with thousands of sockets that takes a tenth of a
// second, in which its listeners go unserved. But what the kernel does first of all is to mark the
// robust mutexes that the process held: it runs no instruction any more, and never will.
//
// Lies in memory that the processes share.
#pragma once

#include <pthread.h>

namespace spate::core {

class LifeLock {
 public:
  LifeLock() { reset(); }
  LifeLock(const LifeLock&) = delete;
  LifeLock& operator=(const LifeLock&) = delete;

  // For the next process; the one before is gone, whatever it has left here.
  void reset();
  // Once in a process, by its main thread, for the rest of its life.
  void hold();
  // Somebody holds it. Costs no system call, and never waits.
  bool held();

 private:
  pthread_mutex_t mutex_;
};

}  // namespace spate::core
