// A sleeper that others wake through an eventfd, and only when it sleeps: a word in shared memory
// beside it.
//
//   sleeper   sets the word, looks once more whether there is work, sleeps
//   waker     brings work (a sequentially consistent store), then clears the word: who finds it set
//             writes to the eventfd
//
// In the one order of those four accesses either the waker finds the word set or the sleeper finds
// the work. Cost: one load for work that is brought to somebody awake.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/sys.h"

namespace spate::core {

struct alignas(64) WakeWord {
  std::atomic<std::uint32_t> armed{0};

  // The sleeper's: before it looks for the last time, and when it is awake.
  void arm() { armed.store(1, std::memory_order_seq_cst); }
  void disarm() { armed.store(0, std::memory_order_relaxed); }
  // The waker's, after what it has brought. Whether the descriptor must be written to.
  bool take() {
    return armed.load(std::memory_order_seq_cst) != 0 &&
           armed.exchange(0, std::memory_order_seq_cst) != 0;
  }
};

}  // namespace spate::core
