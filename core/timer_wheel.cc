#include "core/timer_wheel.h"

#include <algorithm>

namespace spate::core {

TimerWheel::TimerWheel() {
  for (auto& level : slots_)
    for (TimerNode& slot : level) slot.previous = slot.next = &slot;
}

void TimerWheel::arm(TimerNode& node, Tick deadline) {
  if (node.armed()) unlink(node);
  // The slot of now_ has been fired: what is due already goes to the next.
  const Tick ahead = deadline - now_;
  node.deadline = ahead == 0 || ahead > kNever ? now_ + 1 : deadline;
  link(node);
}

void TimerWheel::cancel(TimerNode& node) {
  if (node.armed()) unlink(node);
}

void TimerWheel::link(TimerNode& node) {
  constexpr Tick kFarthest = (Tick{1} << (kLevels * kSlotBits)) - 1;
  const Tick ahead = std::min(node.deadline - now_, kFarthest);
  const Tick at = now_ + ahead;
  unsigned level = 0;
  while (ahead >> ((level + 1) * kSlotBits) != 0) ++level;
  const unsigned index = (at >> (level * kSlotBits)) % kSlots;
  TimerNode& slot = slots_[level][index];
  node.previous = slot.previous;
  node.next = &slot;
  slot.previous->next = &node;
  slot.previous = &node;
  occupied_[level] |= std::uint64_t{1} << index;
}

// Where a coarser slot begins at now_, its timers move to finer levels (or stay for another turn).
void TimerWheel::cascade() {
  for (unsigned level = 1; level < kLevels; ++level) {
    if ((now_ & ((Tick{1} << (level * kSlotBits)) - 1)) != 0) return;
    const unsigned index = (now_ >> (level * kSlotBits)) % kSlots;
    occupied_[level] &= ~(std::uint64_t{1} << index);
    TimerNode& slot = slots_[level][index];
    TimerNode* node = slot.next;
    slot.previous = slot.next = &slot;
    while (node != &slot) {
      TimerNode* const next = node->next;
      link(*node);
      node = next;
    }
  }
}

Tick TimerWheel::ticks_to_next() const {
  Tick nearest = kNever;
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const unsigned shift = level * kSlotBits;
    const unsigned current = (now_ >> shift) % kSlots;
    // Slots after the current one in time's order; the current one itself comes up a turn later.
    const std::uint64_t ahead =
        std::rotr(occupied_[level], static_cast<int>((current + 1) % kSlots));
    const auto slots = static_cast<Tick>(std::countr_zero(ahead)) + 1;
    const Tick start = ((now_ >> shift) + slots) << shift;
    nearest = std::min(nearest, start - now_);
  }
  return nearest;
}

}  // namespace spate::core
