// Counts what operator new hands out, so that a benchmark can say how many allocations an operation
// makes. Defines the global operators: include it in one file of a program.
#pragma once

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace spate::bench {

inline std::atomic<std::uint64_t> allocation_count{0};

inline void* counted_allocation(std::size_t bytes, std::size_t alignment) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* block = alignment <= alignof(std::max_align_t) ? std::malloc(bytes != 0 ? bytes : 1)
                                                       : std::aligned_alloc(alignment, rounded);
  if (block == nullptr) std::abort();
  return block;
}

// Runs `operation` a few times outside the timed loop, whose own bookkeeping allocates, and reports
// what one run allocates as `allocs/op`. Once before counting, so that what is only set up is not.
template <typename Operation>
void report_allocations(benchmark::State& state, Operation operation) {
  constexpr std::uint64_t kRuns = 16;
  operation();
  const std::uint64_t before = allocation_count.load(std::memory_order_relaxed);
  for (std::uint64_t i = 0; i < kRuns; ++i) operation();
  const std::uint64_t made = allocation_count.load(std::memory_order_relaxed) - before;
  state.counters["allocs/op"] = static_cast<double>(made) / kRuns;
}

}  // namespace spate::bench

void* operator new(std::size_t bytes) {
  return spate::bench::counted_allocation(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return spate::bench::counted_allocation(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  std::free(block);
}
