// The event loop of one worker: raw epoll, level-triggered, one thread.
//
//   a turn:  wait -> dispatch the batch -> timers that are due -> end of turn (flush, bury the
//   dead)
//
// Where thousands of descriptors are ready the kernel gives them turn by turn, each behind all
// others. Those that are Order::first have an epoll instance of their own, inside the other
// one, which is looked at behind each full batch.
//
// What is ready is named by a Handle, not a pointer: sink (12 bits), index in it (20) and
// generation (32). A sink that finds another generation at that index drops the event as stale.
// Level-triggered with one recv a wake-up measured cheaper than edge-triggered, which needs a
// second recv to see EAGAIN.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "core/base.h"
#include "core/core_metrics.h"
#include "core/precise_timer.h"
#include "core/timer_wheel.h"

namespace spate::core {

// Receives the events of the descriptors registered under its number.
class EventSink {
 public:
  virtual void on_event(std::uint32_t index, std::uint32_t generation, std::uint32_t events) = 0;

 protected:
  ~EventSink() = default;
};

// Called once a turn, after the batch and the timers; and for each wheel timer that is due.
class TurnObserver {
 public:
  virtual void on_wheel_timer(TimerNode& node) = 0;
  virtual void on_turn_end() = 0;

 protected:
  ~TurnObserver() = default;
};

inline constexpr std::uint32_t kMaxIndex = 1u << 20;

struct Handle {
  std::uint16_t sink;   // < kMaxSinks
  std::uint32_t index;  // < kMaxIndex
  std::uint32_t generation;
};

enum class Order : std::uint8_t {
  usual,
  first,  // for few that must not wait for many
};

class Reactor {
 public:
  static constexpr std::size_t kMaxSinks = 4096;  // a worker may cover every neighbour's listeners
  // An idle loop turns this often, so that whoever watches it sees it alive.
  static constexpr std::int64_t kMaxSleepNs = 1'000'000'000;

  struct Options {
    std::size_t max_events = 512;    // per epoll_wait
    std::int64_t busy_poll_ns = 0;   // spin this long on a zero timeout before sleeping
    LoopMetrics* metrics = nullptr;  // null: of its own
  };

  explicit Reactor(const Options& options);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // 0, or the negative errno with which the kernel refused an epoll instance.
  int open();

  std::uint16_t add_sink(EventSink& sink);
  void set_observer(TurnObserver& observer) { observer_ = &observer; }

  // Register, change and remove interest; 0 or a negative errno.
  int add(int fd, std::uint32_t events, Handle handle, Order order = Order::usual);
  int modify(int fd, std::uint32_t events, Handle handle, Order order = Order::usual);
  int remove(int fd, Order order = Order::usual);

  // When this turn woke up: monotonic time, in wheel ticks and nanoseconds. The wheel itself comes
  // there only after the batch, so that bytes win against deadlines: until then it shows when the
  // last turn woke up, on an idle loop up to kMaxSleepNs ago.
  Tick now() const { return now_; }
  std::int64_t now_ns() const { return now_ns_; }
  TimerWheel& wheel() { return wheel_; }
  PreciseTimers& precise() { return precise_; }

  // Turns until stop() is called. Returns a negative errno when epoll itself fails.
  int run();
  // One turn, waiting at most `max_wait_ns`.
  int turn(std::int64_t max_wait_ns);
  // For drivers without descriptors, which serve a batch of their own between the two: time moves
  // on, and the wheel follows it.
  void wake_at(Tick tick) { now_ = tick; }
  void serve_wheel();
  void stop() { stopping_ = true; }
  // In a forked child that will not use this loop: closes it, and leaves the parent's registrations
  // alone.
  void forget();
  // Counts turns in `word`, for whoever watches this loop from outside.
  void set_turn_word(std::atomic<std::uint64_t>& word) { turn_word_ = &word; }

  // Calls `look` in each turn, behind its events and in front of precise timers: for what comes
  // through shared memory and must not wait until its descriptor's turn comes among thousands.
  void look_each_turn(std::function<void()> look) { look_ = std::move(look); }

  // A turn that took longer than it should.
  struct SlowTurn {
    std::int64_t ns;  // since its wake-up
    int events;
    Handle event;  // the only one, where events is 1
  };
  // Calls `tell` at the end of each turn that took longer than `ns`.
  void watch_turns(std::int64_t ns, std::function<void(const SlowTurn&)> tell) {
    slow_turn_ns_ = ns;
    on_slow_turn_ = std::move(tell);
  }

 private:
  // The inner instance is readable.
  class First final : public EventSink {
   public:
    explicit First(Reactor& reactor) : reactor_(reactor) {}
    void on_event(std::uint32_t, std::uint32_t, std::uint32_t) override {
      --reactor_.served_;  // what counts is what lies inside
      reactor_.serve_first();
    }

   private:
    Reactor& reactor_;
  };

  int epoll_of(Order order) const { return order == Order::first ? first_epoll_ : epoll_; }
  int open_first();
  void serve_first();
  void serve(const epoll_event* events, int count);
  int wait_and_serve(std::int64_t max_wait_ns);
  void tell_slow_turn(std::int64_t ns, int ready);
  std::int64_t wait_ns(std::int64_t max_wait_ns) const;

  const Options options_;
  const MetricsOf<LoopMetrics> metrics_;
  int epoll_ = -1;
  int first_epoll_ = -1;  // -1: nothing was registered first
  First first_{*this};
  std::uint16_t first_sink_ = 0;
  Handle first_event_{};  // one of those served when last looked at
  std::vector<epoll_event> events_;
  int served_ = 0;  // events, in this turn
  std::vector<EventSink*> sinks_;
  TurnObserver* observer_ = nullptr;
  TimerWheel wheel_;
  PreciseTimers precise_;
  std::int64_t start_ns_ = 0;  // of the wheel's tick 0
  std::int64_t now_ns_ = 0;
  Tick now_ = 0;                // now_ns_ in ticks
  std::int64_t served_ns_ = 0;  // when the last turn ended
  std::int64_t last_event_ns_ = 0;
  std::atomic<std::uint64_t>* turn_word_ = nullptr;
  std::function<void()> look_;
  std::int64_t slow_turn_ns_ = std::numeric_limits<std::int64_t>::max();
  std::function<void(const SlowTurn&)> on_slow_turn_;
  bool stopping_ = false;
};

}  // namespace spate::core
