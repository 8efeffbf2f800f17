// Timers to the nanosecond, for the few things that need them (a listener's pause, a drain's steps,
// a linger): a binary heap of intrusive nodes. O(log n) to arm and cancel. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/base.h"

namespace spate::core {

class PreciseTimers;

class PreciseTimer {
 public:
  explicit PreciseTimer(std::function<void()> fire) : fire_(std::move(fire)) {}
  PreciseTimer(const PreciseTimer&) = delete;
  PreciseTimer& operator=(const PreciseTimer&) = delete;
  ~PreciseTimer() { SPATE_CHECK(!armed()); }  // its owner cancels: the heap points here

  bool armed() const { return index_ != kNowhere; }

 private:
  friend class PreciseTimers;
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  std::function<void()> fire_;
  std::int64_t deadline_ns_ = 0;
  std::size_t index_ = kNowhere;
};

class PreciseTimers {
 public:
  static constexpr std::int64_t kNever = INT64_MAX;

  void arm(PreciseTimer& timer, std::int64_t deadline_ns);  // monotonic time; re-arms
  void cancel(PreciseTimer& timer);
  std::int64_t next_deadline_ns() const { return heap_.empty() ? kNever : heap_[0]->deadline_ns_; }
  // Fires all that are due, in the order of their deadlines; they may arm and cancel.
  void fire_due(std::int64_t now_ns);

 private:
  void place(std::size_t index, PreciseTimer* timer);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);

  std::vector<PreciseTimer*> heap_;
};

}  // namespace spate::core
