// What the load processes of a fan-out tell one another, in pages that all map: how many
// publications there are, how far each has come, and how to wake a publisher's process. Valid when
// zero.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace spate::bench {

class Board {
 public:
  static constexpr std::size_t kSlots = 1 << 16;
  static constexpr std::size_t kMostPublishers = 4096;
  static constexpr std::size_t kMostProcs = 512;

  static constexpr std::size_t slot_of(std::uint64_t key) { return key * 0x9e3779b97f4a7c15 >> 48; }

  // Every subscriber of one process has the publication `key` (48 bits). True for the last of
  // `procs` processes.
  // A slot remembers one publication, until another takes it; 65,536 under way at once are more
  // than any server keeps up with.
  bool process_has(std::uint64_t key, std::uint32_t procs) {
    std::atomic<std::uint64_t>& slot = slots_[slot_of(key)];
    std::uint64_t seen = slot.load(std::memory_order_relaxed), next;
    do {
      next = seen >> 16 == key ? seen + 1 : key << 16 | 1;
    } while (!slot.compare_exchange_weak(seen, next, std::memory_order_relaxed));
    return (next & 0xffff) == procs;
  }

  std::array<std::atomic<std::uint64_t>, kMostPublishers> published;
  std::array<std::atomic<std::uint64_t>, kMostPublishers> completed;  // all subscribers have it
  std::array<std::atomic<std::uint64_t>, kSlots> raw_due_ns;          // of raw ones, by number
  // Set before the load processes start.
  std::array<int, kMostProcs> wake_fds;

 private:
  std::array<std::atomic<std::uint64_t>, kSlots> slots_;  // key, and in the low 16 bits how many
};

}  // namespace spate::bench
