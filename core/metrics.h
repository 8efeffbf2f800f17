// What is counted, as words in memory: counters that only grow, gauges that come and go, histograms
// of durations. A component declares a struct of them and counts into it; where the struct lies (in
// shared memory, for a server's workers) and what its members are called is said to a MetricTable.
//
// One writer a word, any reader: an increment is a load and a store, without a locked instruction,
// and a reader sees each word whole, but not all of them at one moment.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace spate::core {

// Left to itself the compiler calls an increment, for it is everywhere: four instructions become
// eight.
#define SPATE_INLINE [[gnu::always_inline]] inline

class Counter {
 public:
  SPATE_INLINE void add(std::uint64_t count = 1) {
    word_.store(value() + count, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return word_.load(std::memory_order_relaxed); }
  operator std::uint64_t() const { return value(); }

 private:
  std::atomic<std::uint64_t> word_{0};
};

// Never below zero.
class Gauge {
 public:
  SPATE_INLINE void set(std::uint64_t value) { word_.store(value, std::memory_order_relaxed); }
  SPATE_INLINE void add(std::uint64_t count = 1) { set(value() + count); }
  SPATE_INLINE void sub(std::uint64_t count = 1) { set(value() - count); }
  std::uint64_t value() const { return word_.load(std::memory_order_relaxed); }
  operator std::uint64_t() const { return value(); }

 private:
  std::atomic<std::uint64_t> word_{0};
};

// Durations in nanoseconds, in buckets of fixed bounds, two for each doubling:
//
//      bound:   1024   1536   2048   3072   4096  …  2^34 ns (17 s)   above
//      bucket:   0      1      2      3      4    …       48           49
//
// A bucket holds what is at most its bound, and above the one before it: a quantile read from it is
// at most a third off. An observation costs two increments and a handful of shifts.
class Histogram {
 public:
  static constexpr unsigned kFirstBits = 10;
  static constexpr unsigned kOctaves = 24;
  static constexpr std::size_t kBounds = 1 + 2 * kOctaves;

  static constexpr std::uint64_t bound(std::size_t bucket) {
    const std::uint64_t power = std::uint64_t{1} << (kFirstBits + bucket / 2);
    return bucket % 2 == 0 ? power : power + power / 2;
  }
  static constexpr std::size_t bucket_of(std::uint64_t ns) {
    if (ns <= bound(0)) return 0;
    const std::uint64_t below = ns - 1;  // a bound belongs to its bucket
    const auto power = static_cast<unsigned>(std::bit_width(below)) - 1;
    const std::uint64_t upper_half = below >> (power - 1) & 1;
    return std::min<std::size_t>(2 * (power - kFirstBits) + 1 + upper_half, kBounds);
  }

  void observe(std::int64_t ns) {
    const auto duration = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
    buckets_[bucket_of(duration)].add();
    sum_.add(duration);
  }

  std::uint64_t bucket(std::size_t index) const { return buckets_[index]; }
  std::uint64_t sum() const { return sum_; }
  std::uint64_t count() const {
    std::uint64_t count = 0;
    for (const Counter& bucket : buckets_) count += bucket;
    return count;
  }

 private:
  Counter sum_;
  std::array<Counter, kBounds + 1> buckets_;  // the last: above all bounds
};

#undef SPATE_INLINE

// A component's metrics: those it was given, or its own where nobody reads them.
template <typename T>
class MetricsOf {
 public:
  explicit MetricsOf(T* given)
      : own_(given == nullptr ? std::make_unique<T>() : nullptr),
        metrics_(given == nullptr ? own_.get() : given) {}

  T* operator->() const { return metrics_; }
  T& operator*() const { return *metrics_; }

 private:
  std::unique_ptr<T> own_;
  T* metrics_;
};

}  // namespace spate::core
