#include "core/timer_wheel.h"

#include <gtest/gtest.h>
#include <time.h>

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "tests/core/random.h"

namespace spate::core {
namespace {

using test::Random;

constexpr auto kIgnore = [](TimerNode&) {};

// The wheel beside a sorted map of deadlines in 64 bits, which knows no wrap and no levels.
class Model {
 public:
  Model(std::uint64_t seed, std::uint64_t start, std::size_t timers)
      : random_(seed), now_(start), timers_(timers) {
    wheel_.advance(static_cast<Tick>(start), kIgnore);
  }

  Random& random() { return random_; }

  void arm(std::size_t timer, std::uint64_t ahead) {
    forget(timer);
    wheel_.arm(timers_[timer].node, static_cast<Tick>(now_ + ahead));
    // What is due already comes with the next tick.
    expect(timer, now_ + std::max<std::uint64_t>(ahead, 1));
  }
  // A deadline that has passed.
  void arm_late(std::size_t timer, std::uint64_t behind) {
    forget(timer);
    wheel_.arm(timers_[timer].node, static_cast<Tick>(now_ - behind));
    expect(timer, now_ + 1);
  }
  void cancel(std::size_t timer) {
    forget(timer);
    wheel_.cancel(timers_[timer].node);
  }
  void advance(std::uint64_t ticks) {
    const std::uint64_t to = now_ + ticks;
    wheel_.advance(static_cast<Tick>(to), [&](TimerNode& node) { fired(node, to); });
    now_ = to;
    ASSERT_EQ(wheel_.now(), static_cast<Tick>(to));
    ASSERT_TRUE(due_.empty() || due_.begin()->first > to) << "a timer was passed over";
    check_next();
  }
  std::size_t armed() const { return due_.size(); }

 private:
  struct Timer {
    TimerNode node;
    std::uint64_t deadline = 0;  // 0: not armed
  };

  void expect(std::size_t timer, std::uint64_t deadline) {
    timers_[timer].deadline = deadline;
    due_.emplace(deadline, timer);
    EXPECT_TRUE(timers_[timer].node.armed());
  }
  void forget(std::size_t timer) {
    if (timers_[timer].deadline != 0) due_.erase({timers_[timer].deadline, timer});
    timers_[timer].deadline = 0;
  }
  void fired(TimerNode& node, std::uint64_t to) {
    const auto timer = static_cast<std::size_t>(reinterpret_cast<Timer*>(&node) - timers_.data());
    ASSERT_FALSE(node.armed());
    // The time of the wheel is the deadline, however far it was moved at once.
    const std::uint64_t deadline = timers_[timer].deadline;
    ASSERT_EQ(static_cast<Tick>(deadline), wheel_.now());
    ASSERT_LE(deadline, to);
    ASSERT_EQ(due_.begin()->first, deadline) << "out of order";
    forget(timer);
    now_ = deadline;
    // A callback arms and cancels what it likes, itself too.
    if (random_.chance(300)) arm(timer, random_.spread(20));
    if (random_.chance(100)) arm(random_.below(timers_.size()), random_.spread(12));
    if (random_.chance(100)) cancel(random_.below(timers_.size()));
  }
  void check_next() {
    const Tick next = wheel_.ticks_to_next();
    ASSERT_GE(next, 1u);
    if (due_.empty()) return;
    const std::uint64_t ahead = due_.begin()->first - now_;
    ASSERT_LE(next, ahead) << "the loop would sleep through a deadline";
  }

  Random random_;
  TimerWheel wheel_;
  std::uint64_t now_;
  std::vector<Timer> timers_;
  std::set<std::pair<std::uint64_t, std::size_t>> due_;
};

void run_model(std::uint64_t seed, std::uint64_t start) {
  SCOPED_TRACE(seed);
  constexpr std::size_t kTimers = 300;
  Model model(seed, start, kTimers);
  Random& random = model.random();
  for (int i = 0; i < 20000 && !testing::Test::HasFatalFailure(); ++i) {
    const std::size_t timer = random.below(kTimers);
    if (random.chance(450)) {
      model.arm(timer, random.spread(random.chance(50) ? 30 : 22));
    } else if (random.chance(30)) {
      model.arm_late(timer, random.spread(16));
    } else if (random.chance(200)) {
      model.cancel(timer);
    } else {
      model.advance(random.spread(random.chance(20) ? 26 : 11));
    }
  }
}

TEST(TimerWheel, AgreesWithASortedMap) {
  for (std::uint64_t round = 0; round < 8; ++round) run_model(test::test_seed(round), 0);
}

TEST(TimerWheel, AgreesWithASortedMapAcrossTheWrapOfTicks) {
  const std::uint64_t wrap = std::uint64_t{1} << 32;
  for (std::uint64_t round = 0; round < 8; ++round) {
    const std::uint64_t seed = test::test_seed(100 + round);
    run_model(seed, wrap - 1 - seed % (std::uint64_t{1} << (round * 4)));
  }
}

// At each slot boundary of each level, one tick before, at and after.
TEST(TimerWheel, EveryBoundaryOfEveryLevelFiresInItsTick) {
  std::vector<Tick> interesting;
  for (unsigned bits = 0; bits <= 24; ++bits)
    for (const Tick around : {0u, 1u, 2u}) interesting.push_back((Tick{1} << bits) - 1 + around);
  for (const Tick start : interesting) {
    for (const Tick ahead : interesting) {
      if (ahead == 0) continue;
      TimerWheel wheel;
      wheel.advance(start, kIgnore);
      TimerNode node;
      wheel.arm(node, start + ahead);
      int fired = 0;
      const auto count = [&](TimerNode&) { ++fired; };
      wheel.advance(start + ahead - 1, count);
      ASSERT_EQ(fired, 0) << "early: armed at " << start << " for " << ahead;
      ASSERT_EQ(wheel.ticks_to_next(), 1u);
      wheel.advance(start + ahead, count);
      ASSERT_EQ(fired, 1) << "late: armed at " << start << " for " << ahead;
    }
  }
}

TEST(TimerWheel, ADeadlineBeyondTheHorizonWaitsInTurns) {
  constexpr Tick kHorizon = Tick{1} << 24;
  for (const Tick ahead : {kHorizon - 1, kHorizon, kHorizon + 1, 3 * kHorizon + 12345,
                           TimerWheel::kNever - 1, TimerWheel::kNever}) {
    TimerWheel wheel;
    wheel.advance(777, kIgnore);
    TimerNode node;
    wheel.arm(node, 777 + ahead);
    Tick at = 0;
    // In steps of many sizes, as a loop that sleeps takes them.
    for (Tick step = 1; at == 0; step = step * 3 + 1) {
      wheel.advance(wheel.now() + std::min(step, Tick{1} << 20),
                    [&](TimerNode&) { at = wheel.now(); });
      ASSERT_LE(wheel.now() - 777, ahead + (Tick{1} << 20));
    }
    EXPECT_EQ(at, 777 + ahead);
  }
}

TEST(TimerWheel, SleepingAsLongAsItSaysMissesNothing) {
  Random random(test::test_seed(7));
  TimerWheel wheel;
  std::vector<TimerNode> nodes(50);
  for (TimerNode& node : nodes) wheel.arm(node, static_cast<Tick>(1 + random.spread(24)));
  std::size_t fired = 0, wakeups = 0;
  while (fired < nodes.size()) {
    const Tick step = wheel.ticks_to_next();
    ASSERT_NE(step, TimerWheel::kNever);
    wheel.advance(wheel.now() + step, [&](TimerNode& node) {
      ++fired;
      ASSERT_EQ(node.deadline, wheel.now());
    });
    ++wakeups;
  }
  // Each timer drops through at most three levels on its way.
  EXPECT_LE(wakeups, nodes.size() * 4);
  EXPECT_EQ(wheel.ticks_to_next(), TimerWheel::kNever);
}

TEST(TimerWheel, AnEmptyWheelSleepsForEver) {
  TimerWheel wheel;
  EXPECT_EQ(wheel.ticks_to_next(), TimerWheel::kNever);
  TimerNode node;
  wheel.cancel(node);  // not armed: nothing
  wheel.arm(node, 10);
  wheel.cancel(node);
  EXPECT_FALSE(node.armed());
  wheel.advance(1000, [](TimerNode&) { FAIL() << "cancelled"; });
  EXPECT_EQ(wheel.ticks_to_next(), TimerWheel::kNever);
}

TEST(TimerWheel, ATimerMayCancelItsNeighbourInTheSameTick) {
  TimerWheel wheel;
  TimerNode nodes[3];
  for (TimerNode& node : nodes) wheel.arm(node, 5);
  std::vector<TimerNode*> fired;
  wheel.advance(5, [&](TimerNode& node) {
    fired.push_back(&node);
    for (TimerNode& other : nodes)
      if (&other != &node) wheel.cancel(other);
  });
  EXPECT_EQ(fired.size(), 1u);
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// A heartbeat each 25 s (3125 ticks) for each of a million connections: every one fires once an
// interval, and each costs a bounded number of moves. What is bounded here is the time, twenty
// times what a laptop takes: a wheel that walks or sorts its timers is far beyond it.
TEST(TimerWheel, AMillionHeartbeatsAreCheap) {
  constexpr std::size_t kTimers = 1'000'000;
  constexpr Tick kInterval = 3125;
  const auto nodes = std::make_unique<TimerNode[]>(kTimers);
  TimerWheel wheel;
  const double start = cpu_seconds();
  for (std::size_t i = 0; i < kTimers; ++i)
    wheel.arm(nodes[i], 1 + static_cast<Tick>(i * 7919 % kInterval));
  std::size_t fired = 0;
  const auto rearm = [&](TimerNode& node) {
    ++fired;
    wheel.arm(node, wheel.now() + kInterval);
  };
  for (int turn = 0; turn < 3125; ++turn) wheel.advance(wheel.now() + 1, rearm);
  EXPECT_EQ(fired, kTimers);
  wheel.advance(wheel.now() + kInterval, rearm);
  EXPECT_EQ(fired, 2 * kTimers);
  for (std::size_t i = 0; i < kTimers; ++i) wheel.cancel(nodes[i]);
  EXPECT_LT(cpu_seconds() - start, 6.0);
}

// Half the range of a tick, with one timer at its end: time jumps from slot to slot.
TEST(TimerWheel, ALongSleepCostsNoWalk) {
  const double start = cpu_seconds();
  for (int i = 0; i < 100; ++i) {
    TimerWheel wheel;
    TimerNode node;
    wheel.arm(node, TimerWheel::kNever);
    int fired = 0;
    wheel.advance(TimerWheel::kNever, [&](TimerNode&) { ++fired; });
    ASSERT_EQ(fired, 1);
  }
  EXPECT_LT(cpu_seconds() - start, 2.0);
}

}  // namespace
}  // namespace spate::core
