#include "core/precise_timer.h"

namespace spate::core {

void PreciseTimers::arm(PreciseTimer& timer, std::int64_t deadline_ns) {
  cancel(timer);
  timer.deadline_ns_ = deadline_ns;
  heap_.push_back(&timer);
  timer.index_ = heap_.size() - 1;
  sift_up(timer.index_);
}

void PreciseTimers::cancel(PreciseTimer& timer) {
  if (!timer.armed()) return;
  const std::size_t hole = timer.index_;
  timer.index_ = PreciseTimer::kNowhere;
  PreciseTimer* const last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  place(hole, last);
  sift_up(hole);
  sift_down(last->index_);
}

void PreciseTimers::fire_due(std::int64_t now_ns) {
  while (!heap_.empty() && heap_[0]->deadline_ns_ <= now_ns) {
    PreciseTimer& timer = *heap_[0];
    cancel(timer);
    timer.fire_();
  }
}

void PreciseTimers::place(std::size_t index, PreciseTimer* timer) {
  heap_[index] = timer;
  timer->index_ = index;
}

void PreciseTimers::sift_up(std::size_t index) {
  PreciseTimer* const timer = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent]->deadline_ns_ <= timer->deadline_ns_) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, timer);
}

void PreciseTimers::sift_down(std::size_t index) {
  PreciseTimer* const timer = heap_[index];
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ns_ < heap_[child]->deadline_ns_)
      ++child;
    if (timer->deadline_ns_ <= heap_[child]->deadline_ns_) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, timer);
}

}  // namespace spate::core
