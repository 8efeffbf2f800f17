// When the messages of one connection that are not answered yet were to be sent. Messages are due
// in bursts and answered in order, so this is a queue of runs: messages up to `end` were due at
// `ns`.
//
//   answered … | oldest run … end | run … end | newest run … end |
#pragma once

#include <cstdint>
#include <memory>

#include "core/base.h"

namespace spate::bench {

class DueTimes {
 public:
  // Messages up to `end` (not included), from where the newest run ends, are due at `ns`.
  void push(std::uint64_t end, std::uint64_t ns) {
    if (count_ == capacity_) [[unlikely]]
      grow();
    at(count_++) = {end, ns};
  }
  // When the oldest unanswered message was due, and how many from it on were due at the same time.
  // There must be one.
  struct Oldest {
    std::uint64_t ns;
    std::uint64_t messages;
  };
  [[nodiscard]] Oldest oldest(std::uint64_t number) const {
    const Run& run = runs_[first_ & (capacity_ - 1)];
    return {run.ns, run.end - number};
  }
  // Messages before `number` are answered.
  void answered(std::uint64_t number) {
    for (; count_ > 0 && runs_[first_ & (capacity_ - 1)].end <= number; --count_) ++first_;
  }

 private:
  struct Run {
    std::uint64_t end, ns;
  };

  Run& at(std::uint32_t i) { return runs_[(first_ + i) & (capacity_ - 1)]; }

  void grow() {
    const std::uint32_t capacity = capacity_ ? 2 * capacity_ : 2;
    auto runs = std::make_unique<Run[]>(capacity);
    for (std::uint32_t i = 0; i < count_; ++i) runs[i] = at(i);
    runs_ = std::move(runs);
    first_ = 0;
    capacity_ = capacity;
  }

  std::unique_ptr<Run[]> runs_;
  std::uint32_t capacity_ = 0;  // 0 or a power of two
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace spate::bench
