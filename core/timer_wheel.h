// A hierarchical timer wheel: one intrusive node a timer, O(1) to arm, re-arm and cancel, no memory
// of its own beyond 4 levels of 64 slots. Made for a heartbeat on each of a million connections.
//
//      level 0: 64 slots of 1 tick      (8 ms … 0.5 s)
//      level 1: 64 slots of 64 ticks    (… 33 s)
//      level 2: 64 slots of 4096 ticks  (… 35 min)
//      level 3: the rest                (… 37 h; later deadlines wait there in turns)
//
// A timer of level n drops to a finer level when its slot comes up, so it fires in its tick: never
// early, at most one tick late. One thread. Timers that must be precise: precise_timer.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base.h"

namespace spate::core {

using Tick = std::uint32_t;  // since the wheel's start; wraps after 397 days
inline constexpr std::int64_t kTickNs = 8'000'000;

constexpr Tick ticks_of_ms(std::uint64_t ms) {
  return static_cast<Tick>((ms * 1'000'000 + kTickNs - 1) / kTickNs);
}

// No deadline, where one is asked for.
inline constexpr Tick kNoDeadline = 0;

// Ticks wrap: they are compared by their difference, so two must not be 198 days apart.
constexpr bool reached(Tick now, Tick deadline) {
  return static_cast<std::int32_t>(now - deadline) >= 0;
}
constexpr Tick earlier(Tick a, Tick b) {
  if (a == kNoDeadline) return b;
  if (b == kNoDeadline) return a;
  return reached(a, b) ? b : a;
}

struct TimerNode {
  TimerNode* previous = nullptr;  // null: not armed
  TimerNode* next = nullptr;
  Tick deadline = 0;

  bool armed() const { return previous != nullptr; }
};

class TimerWheel {
 public:
  TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  Tick now() const { return now_; }

  // Fires once `deadline` is reached; a deadline that has passed fires at the next advance.
  // Re-arms.
  void arm(TimerNode& node, Tick deadline);
  void cancel(TimerNode& node);

  // Moves time to `to` and calls `fire(TimerNode&)` for each timer that is due; it may arm and
  // cancel any timer, also the one that fires.
  template <typename Fire>
  void advance(Tick to, Fire&& fire) {
    while (now_ != to) {
      // Nothing due before the next occupied slot: jump there instead of walking.
      const Tick step = std::min<Tick>(ticks_to_next(), to - now_);
      now_ += step > 0 ? step : 1;
      cascade();
      TimerNode& slot = slots_[0][now_ % kSlots];
      while (slot.next != &slot) {
        TimerNode& node = *slot.next;
        unlink(node);
        fire(node);
      }
      occupied_[0] &= ~(std::uint64_t{1} << (now_ % kSlots));
    }
  }

  // Ticks until something may be due: exact on level 0, a lower bound above. kNever when empty.
  static constexpr Tick kNever = 0x7FFFFFFF;
  Tick ticks_to_next() const;

 private:
  static constexpr unsigned kLevels = 4;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1u << kSlotBits;

  static void unlink(TimerNode& node) {
    node.previous->next = node.next;
    node.next->previous = node.previous;
    node.previous = node.next = nullptr;
  }
  void link(TimerNode& node);
  void cascade();

  // Circular lists with a sentinel a slot. A bit of occupied_ may be set for an empty slot (cancel
  // leaves it), never clear for a full one.
  std::array<std::array<TimerNode, kSlots>, kLevels> slots_;
  std::array<std::uint64_t, kLevels> occupied_{};
  Tick now_ = 0;
};

}  // namespace spate::core
