#include "core/precise_timer.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "tests/core/random.h"

namespace spate::core {
namespace {

using test::Random;

class PreciseTimersTest : public testing::Test {
 protected:
  ~PreciseTimersTest() override {
    for (auto& timer : timers) heap.cancel(*timer);
  }
  PreciseTimer& add(std::function<void()> fire) {
    timers.push_back(std::make_unique<PreciseTimer>(std::move(fire)));
    return *timers.back();
  }

  PreciseTimers heap;
  std::vector<std::unique_ptr<PreciseTimer>> timers;
};

TEST_F(PreciseTimersTest, FireInOrderAndNotEarly) {
  std::vector<int> fired;
  for (int i = 0; i < 5; ++i) add([&fired, i] { fired.push_back(i); });
  const std::int64_t deadlines[] = {50, 10, 40, 20, 30};
  for (std::size_t i = 0; i < 5; ++i) heap.arm(*timers[i], deadlines[i]);
  EXPECT_EQ(heap.next_deadline_ns(), 10);
  heap.fire_due(9);
  EXPECT_TRUE(fired.empty());
  heap.fire_due(40);
  EXPECT_EQ(fired, (std::vector<int>{1, 3, 4, 2}));
  EXPECT_EQ(heap.next_deadline_ns(), 50);
  heap.fire_due(50);
  EXPECT_EQ(fired.size(), 5u);
  EXPECT_EQ(heap.next_deadline_ns(), PreciseTimers::kNever);
}

TEST_F(PreciseTimersTest, AgreeWithASortedSet) {
  for (std::uint64_t round = 0; round < 20; ++round) {
    Random random(test::test_seed(round));
    SCOPED_TRACE(round);
    constexpr std::size_t kTimers = 40;
    PreciseTimers model_heap;
    std::vector<std::unique_ptr<PreciseTimer>> model_timers;
    std::vector<std::int64_t> deadlines(kTimers, -1);
    std::multiset<std::int64_t> due;
    std::int64_t now = 0;
    const auto forget = [&](std::size_t i) {
      if (deadlines[i] >= 0) due.erase(due.find(deadlines[i]));
      deadlines[i] = -1;
    };
    const auto arm = [&](std::size_t i, std::int64_t at) {
      forget(i);
      model_heap.arm(*model_timers[i], at);
      deadlines[i] = at;
      due.insert(at);
    };
    for (std::size_t i = 0; i < kTimers; ++i) {
      model_timers.push_back(std::make_unique<PreciseTimer>([&, i] {
        ASSERT_FALSE(model_timers[i]->armed());
        ASSERT_LE(deadlines[i], now);
        ASSERT_EQ(deadlines[i], *due.begin()) << "out of order";
        forget(i);
        const std::size_t other = random.below(kTimers);
        if (random.chance(200)) arm(other, now + 1 + static_cast<std::int64_t>(random.below(50)));
        if (random.chance(200)) {
          forget(other);
          model_heap.cancel(*model_timers[other]);
        }
      }));
    }
    for (int step = 0; step < 3000 && !HasFatalFailure(); ++step) {
      const std::size_t i = random.below(kTimers);
      if (random.chance(500)) {
        arm(i, now + static_cast<std::int64_t>(random.below(60)));
      } else if (random.chance(300)) {
        forget(i);
        model_heap.cancel(*model_timers[i]);
      } else {
        now += static_cast<std::int64_t>(random.below(20));
        model_heap.fire_due(now);
        ASSERT_TRUE(due.empty() || *due.begin() > now);
      }
      ASSERT_EQ(model_heap.next_deadline_ns(), due.empty() ? PreciseTimers::kNever : *due.begin());
      ASSERT_EQ(model_timers[i]->armed(), deadlines[i] >= 0);
    }
    for (auto& timer : model_timers) model_heap.cancel(*timer);
  }
}

TEST_F(PreciseTimersTest, ATimerMayArmItselfAgain) {
  int fired = 0;
  PreciseTimer* self = nullptr;
  self = &add([&] {
    if (++fired < 3) heap.arm(*self, fired * 10);
  });
  heap.arm(*self, 0);
  heap.fire_due(100);
  EXPECT_EQ(fired, 3);
  EXPECT_FALSE(self->armed());
}

TEST_F(PreciseTimersTest, DestroyingAnArmedTimerIsABug) {
  EXPECT_DEATH(
      {
        PreciseTimer timer([] {});
        heap.arm(timer, 1);
      },
      "check failed: !armed\\(\\)");
}

}  // namespace
}  // namespace spate::core
