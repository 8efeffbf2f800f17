#include "core/reactor.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "core/sys.h"
#include "tests/core/faulty_sys.h"

namespace spate::core {
namespace {

using test::Call;
using test::sys_faults;

constexpr std::int64_t kMs = 1'000'000;

// Readable or not, as the test says.
class Bell {
 public:
  Bell() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Bell() { ::close(fd_); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  int fd() const { return fd_; }
  void ring() { EXPECT_EQ(::eventfd_write(fd_, 1), 0); }
  void silence() {
    eventfd_t value;
    (void)::eventfd_read(fd_, &value);
  }

 private:
  const int fd_;
};

class ReactorTest : public testing::Test, public EventSink, public TurnObserver {
 protected:
  ReactorTest() { sys_faults().reset(); }
  ~ReactorTest() override { sys_faults().reset(); }

  Reactor& start(const Reactor::Options& options = {}) {
    reactor = std::make_unique<Reactor>(options);
    sink = reactor->add_sink(*this);
    reactor->set_observer(*this);
    EXPECT_EQ(reactor->open(), 0);
    return *reactor;
  }

  void on_event(std::uint32_t index, std::uint32_t generation, std::uint32_t events) override {
    said += 'e';
    heard.emplace_back(index, generation, events);
    if (on_ring) on_ring();
  }
  void on_wheel_timer(TimerNode&) override { said += 'w'; }
  void on_turn_end() override { said += '.'; }

  std::unique_ptr<Reactor> reactor;
  std::uint16_t sink = 0;
  std::string said;
  std::vector<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> heard;
  std::function<void()> on_ring;
};

TEST_F(ReactorTest, AHandleComesBackAsItWas) {
  Reactor& loop = start();
  EventSink& self = *this;
  while (sink + 1u < Reactor::kMaxSinks) sink = loop.add_sink(self);
  Bell bell;
  bell.ring();
  const Handle handles[] = {
      {0, 0, 0}, {4095, kMaxIndex - 1, ~0u}, {7, 12345, 0x80000000u}, {4095, 0, 1}};
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, handles[0]), 0);
  for (const Handle& handle : handles) {
    ASSERT_EQ(loop.modify(bell.fd(), EPOLLIN, handle), 0);
    EXPECT_EQ(loop.turn(0), 0);
    EXPECT_EQ(heard.back(), std::make_tuple(handle.index, handle.generation,
                                            static_cast<std::uint32_t>(EPOLLIN)));
  }
}

TEST_F(ReactorTest, ATurnIsBatchThenWheelThenPreciseThenEnd) {
  Reactor& loop = start();
  Bell bell;
  bell.ring();
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  TimerNode node;
  loop.wheel().arm(node, 1);
  PreciseTimer timer([this] { said += 'p'; });
  loop.precise().arm(timer, sys::monotonic_ns());
  sys_faults().move_clock(2 * kTickNs);
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(said, "ewp.");
}

TEST_F(ReactorTest, ABatchKnowsWhenTheLoopWokeUp) {
  Reactor& loop = start();
  Bell bell;
  bell.ring();
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  Tick in_batch = 0;
  on_ring = [&] { in_batch = loop.now(); };
  // Slept through since the last turn.
  sys_faults().move_clock(Reactor::kMaxSleepNs);
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_GE(in_batch, static_cast<Tick>(Reactor::kMaxSleepNs / kTickNs));
  EXPECT_EQ(in_batch, loop.now());
}

TEST_F(ReactorTest, LevelTriggeredEventsComeUntilTheyAreServed) {
  Reactor& loop = start({.max_events = 4});
  std::vector<std::unique_ptr<Bell>> bells;
  for (std::uint32_t i = 0; i < 10; ++i) {
    bells.push_back(std::make_unique<Bell>());
    bells.back()->ring();
    ASSERT_EQ(loop.add(bells.back()->fd(), EPOLLIN, {sink, i, 0}), 0);
  }
  // A turn serves as many as it was told, and the others are not starved.
  on_ring = [&] { bells[std::get<0>(heard.back())]->silence(); };
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(heard.size(), 4u);
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(heard.size(), 10u);
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(heard.size(), 10u);
}

// The kernel gives ready descriptors turn by turn: a hundred that stay ready are in front of it.
TEST_F(ReactorTest, WhatIsFirstDoesNotWaitBehindManyOthers) {
  Reactor& loop = start({.max_events = 4});
  std::array<Bell, 100> many;
  for (Bell& bell : many) {
    bell.ring();
    ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  }
  Bell first;
  ASSERT_EQ(loop.add(first.fd(), EPOLLIN, {sink, 1, 9}, Order::first), 0);
  loop.turn(0);
  EXPECT_EQ(heard.size(), 4u);
  first.ring();
  heard.clear();
  loop.turn(0);
  ASSERT_EQ(heard.size(), 5u);
  EXPECT_EQ(heard.back(), std::tuple(1u, 9u, unsigned{EPOLLIN}));
  ASSERT_EQ(loop.modify(first.fd(), 0, {sink, 1, 9}, Order::first), 0);
  heard.clear();
  loop.turn(0);
  EXPECT_EQ(heard.size(), 4u);
}

TEST_F(ReactorTest, WhatIsFirstWakesASleepingLoopAndIsServedOnce) {
  Reactor& loop = start();
  Bell first;
  ASSERT_EQ(loop.add(first.fd(), EPOLLIN, {sink, 1, 9}, Order::first), 0);
  loop.turn(0);
  EXPECT_TRUE(heard.empty());
  first.ring();
  loop.turn(Reactor::kMaxSleepNs);
  EXPECT_EQ(heard.size(), 1u);
  first.silence();
  loop.turn(0);
  EXPECT_EQ(heard.size(), 1u);
  first.ring();
  loop.turn(0);
  EXPECT_EQ(heard.size(), 2u);
}

TEST_F(ReactorTest, CountsWhatIsFirstAndNotThatSomethingIs) {
  LoopMetrics metrics;
  Reactor& loop = start({.max_events = 4, .metrics = &metrics});
  std::vector<Reactor::SlowTurn> slow;
  loop.watch_turns(-1, [&](const Reactor::SlowTurn& turn) { slow.push_back(turn); });
  Bell usual, one, other;
  ASSERT_EQ(loop.add(usual.fd(), EPOLLIN, {sink, 1, 1}), 0);
  ASSERT_EQ(loop.add(one.fd(), EPOLLIN, {sink, 2, 2}, Order::first), 0);
  ASSERT_EQ(loop.add(other.fd(), EPOLLIN, {sink, 3, 3}, Order::first), 0);
  const auto turn = [&](int events, std::uint32_t index) {
    const std::uint64_t before = metrics.events;
    loop.turn(0);
    EXPECT_EQ(metrics.events - before, static_cast<std::uint64_t>(events));
    EXPECT_EQ(slow.back().events, events);
    EXPECT_EQ(slow.back().event.index, index);
  };
  turn(0, 0);
  one.ring();
  turn(1, 2);
  other.ring();
  turn(2, 0);
  usual.ring();
  turn(3, 0);
  one.silence();
  other.silence();
  turn(1, 1);
}

TEST_F(ReactorTest, WithoutAnInnerInstanceNothingIsFirst) {
  Reactor& loop = start();
  Bell bell;
  sys_faults().fail(Call::epoll_create, 0, EMFILE);
  EXPECT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}, Order::first), -EMFILE);
  EXPECT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}, Order::first), 0);
}

TEST_F(ReactorTest, AnInterruptedWaitIsATurnWithoutEvents) {
  Reactor& loop = start();
  Bell bell;
  bell.ring();
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  sys_faults().fail(Call::epoll_wait, 0, EINTR);
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(said, ".");
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(said, ".e.");
}

TEST_F(ReactorTest, ErrorsOfTheKernelAreReturned) {
  Reactor& loop = start();
  Bell bell;
  EXPECT_EQ(loop.modify(bell.fd(), EPOLLIN, {sink, 0, 0}), -ENOENT);
  EXPECT_EQ(loop.remove(bell.fd()), -ENOENT);
  EXPECT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  EXPECT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), -EEXIST);
  EXPECT_EQ(loop.remove(bell.fd()), 0);
  sys_faults().fail(Call::epoll_wait, 0, EBADF);
  EXPECT_EQ(loop.run(), -EBADF);
  Reactor refused({});
  sys_faults().fail(Call::epoll_create, 0, EMFILE);
  EXPECT_EQ(refused.open(), -EMFILE);
}

TEST_F(ReactorTest, ATurnThatTakesTooLongIsTold) {
  Reactor& loop = start();
  std::vector<std::pair<int, std::uint32_t>> told;  // events, and which it was
  loop.watch_turns(100 * kMs, [&](const Reactor::SlowTurn& turn) {
    EXPECT_GT(turn.ns, 100 * kMs);
    EXPECT_EQ(turn.event.sink, turn.events == 1 ? sink : 0);
    told.emplace_back(turn.events, turn.event.index);
  });
  Bell one, other;
  ASSERT_EQ(loop.add(one.fd(), EPOLLIN, {sink, 7, 0}), 0);
  ASSERT_EQ(loop.add(other.fd(), EPOLLIN, {sink, 8, 0}), 0);
  one.ring();
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_TRUE(told.empty());
  on_ring = [] { sys_faults().move_clock(101 * kMs); };
  EXPECT_EQ(loop.turn(0), 0);
  other.ring();
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(told, (std::vector<std::pair<int, std::uint32_t>>{{1, 7}, {2, 0}}));
}

TEST_F(ReactorTest, RunEndsAfterTheTurnThatStopsIt) {
  Reactor& loop = start();
  Bell bell;
  bell.ring();
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  std::atomic<std::uint64_t> turns{41};
  loop.set_turn_word(turns);
  on_ring = [&] { loop.stop(); };
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(said, "e.");
  EXPECT_EQ(turns, 42u);
}

TEST_F(ReactorTest, SleepsUntilTheNearestDeadline) {
  Reactor& loop = start();
  // Interrupted at once, so that only what it would sleep is seen.
  const auto would_sleep = [&](std::int64_t at_most = Reactor::kMaxSleepNs) {
    sys_faults().fail(Call::epoll_wait, 0, EINTR);
    EXPECT_EQ(loop.turn(at_most), 0);
    return sys_faults().last_timeout_ns();
  };
  EXPECT_EQ(would_sleep(), Reactor::kMaxSleepNs);
  EXPECT_EQ(would_sleep(5), 5);
  TimerNode node;
  loop.wheel().arm(node, loop.now() + 10);
  EXPECT_LE(would_sleep(), 10 * kTickNs);
  EXPECT_GT(would_sleep(), 7 * kTickNs);
  PreciseTimer timer([] {});
  loop.precise().arm(timer, sys::monotonic_ns() + 5 * kMs);
  EXPECT_LE(would_sleep(), 5 * kMs);
  loop.precise().arm(timer, sys::monotonic_ns() - 5 * kMs);
  EXPECT_EQ(would_sleep(), 0);  // late already: never a negative timeout, which would be for ever
  EXPECT_FALSE(timer.armed());
  loop.wheel().cancel(node);
}

TEST_F(ReactorTest, ADeadlineIsNotMissedAndNotBeforeItsTime) {
  Reactor& loop = start();
  const std::int64_t begin = sys::monotonic_ns();
  std::int64_t fired_at = 0;
  PreciseTimer timer([&] { fired_at = sys::monotonic_ns(); });
  loop.precise().arm(timer, begin + 3 * kMs);
  while (fired_at == 0) ASSERT_EQ(loop.turn(Reactor::kMaxSleepNs), 0);
  EXPECT_GE(fired_at - begin, 3 * kMs);
  // It slept: a loop that polls would have turned thousands of times.
  EXPECT_LT(said.size(), 10u);
}

TEST_F(ReactorTest, TimersGoOnAfterTicksHaveWrapped) {
  Reactor& loop = start();
  // 397 days.
  const std::int64_t wrap_ns = (std::int64_t{1} << 32) * kTickNs;
  for (const std::int64_t at : {wrap_ns - 20 * kTickNs, wrap_ns + 20 * kTickNs, 3 * wrap_ns}) {
    sys_faults().reset();
    sys_faults().move_clock(at);
    ASSERT_EQ(loop.turn(0), 0);
    TimerNode node;
    loop.wheel().arm(node, loop.now() + 40);
    said.clear();
    sys_faults().fail(Call::epoll_wait, 0, EINTR);
    ASSERT_EQ(loop.turn(Reactor::kMaxSleepNs), 0);
    EXPECT_GT(sys_faults().last_timeout_ns(), 30 * kTickNs) << "the loop spins";
    EXPECT_LE(sys_faults().last_timeout_ns(), 40 * kTickNs);
    sys_faults().move_clock(39 * kTickNs);
    ASSERT_EQ(loop.turn(0), 0);
    sys_faults().move_clock(2 * kTickNs);
    ASSERT_EQ(loop.turn(0), 0);
    EXPECT_EQ(said.find('w') != std::string::npos, true);
    EXPECT_FALSE(node.armed());
  }
}

TEST_F(ReactorTest, BusyPollingSpinsForItsTimeAfterAnEventAndThenSleeps) {
  Reactor& loop = start({.busy_poll_ns = 100 * kMs});
  Bell bell;
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  on_ring = [&] { bell.silence(); };
  const auto would_sleep = [&] {
    sys_faults().fail(Call::epoll_wait, 0, EINTR);
    EXPECT_EQ(loop.turn(Reactor::kMaxSleepNs), 0);
    return sys_faults().last_timeout_ns();
  };
  EXPECT_GT(would_sleep(), 0);
  bell.ring();
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(would_sleep(), 0);
  sys_faults().move_clock(50 * kMs);
  EXPECT_EQ(would_sleep(), 0);
  sys_faults().move_clock(51 * kMs);
  EXPECT_GT(would_sleep(), 0);
}

TEST_F(ReactorTest, LagIsHowLateTheLastOfABatchWasServed) {
  LoopMetrics metrics;
  Reactor& loop = start({.metrics = &metrics});
  Bell first, second;
  for (Bell* const bell : {&first, &second}) {
    bell->ring();
    ASSERT_EQ(loop.add(bell->fd(), EPOLLIN, {sink, 0, 0}), 0);
  }
  on_ring = [&] { sys_faults().move_clock(30 * kMs); };
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(metrics.events, 2u);
  EXPECT_EQ(metrics.lag.count(), 1u);
  EXPECT_GE(metrics.lag.sum(), 60u * kMs);
  EXPECT_LT(metrics.lag.sum(), 1000u * kMs);
  EXPECT_EQ(metrics.lag.bucket(Histogram::bucket_of(metrics.lag.sum())), 1u);
  // What it slept is not lag.
  first.silence();
  second.silence();
  sys_faults().move_clock(10'000 * kMs);
  EXPECT_EQ(loop.turn(0), 0);
  EXPECT_EQ(metrics.lag.count(), 2u);
  EXPECT_LT(metrics.lag.sum(), 1000u * kMs);
}

TEST_F(ReactorTest, ATurnReadsTheClockTwice) {
  Reactor& loop = start();
  Bell bell;
  bell.ring();
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  PreciseTimer later([] {});
  loop.precise().arm(later, sys::monotonic_ns() + 10'000 * kMs);
  on_ring = [&] {
    if (heard.size() == 10) loop.stop();
  };
  const std::uint64_t before = sys_faults().calls(Call::monotonic_ns);
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(sys_faults().calls(Call::monotonic_ns) - before, 1 + 2 * 10u);
  loop.precise().cancel(later);
}

TEST_F(ReactorTest, WhatFallsDueWithinATurnIsTheNextOnesAndItDoesNotWait) {
  Reactor& loop = start();
  Bell bell;
  bell.ring();
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  PreciseTimer soon([&] {
    said += 'p';
    loop.stop();
  });
  loop.precise().arm(soon, sys::monotonic_ns() + 5000 * kMs);
  on_ring = [&] {
    bell.silence();
    sys_faults().move_clock(6000 * kMs);
  };
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(said, "e.p.");
  EXPECT_EQ(sys_faults().last_timeout_ns(), 0);
}

TEST_F(ReactorTest, ALoopThatIsForgottenLeavesTheOthersAlone) {
  Reactor& loop = start();
  Bell bell;
  ASSERT_EQ(loop.add(bell.fd(), EPOLLIN, {sink, 0, 0}), 0);
  loop.forget();
  EXPECT_EQ(loop.turn(0), -EBADF);
  reactor.reset();  // and closes nothing twice
  EXPECT_EQ(sys_faults().calls(Call::close), 1u);
}

}  // namespace
}  // namespace spate::core
