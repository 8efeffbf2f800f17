#include "core/reactor.h"

#include <algorithm>
#include <utility>

#include "core/sys.h"

namespace spate::core {

namespace {

constexpr unsigned kIndexBits = 20;
static_assert(1u << kIndexBits == kMaxIndex);

std::uint64_t pack(Handle handle) {
  return std::uint64_t{handle.generation} << 32 | std::uint64_t{handle.sink} << kIndexBits |
         handle.index;
}

Handle unpack(std::uint64_t data) {
  const auto low = static_cast<std::uint32_t>(data);
  return {static_cast<std::uint16_t>(low >> kIndexBits), low & (kMaxIndex - 1),
          static_cast<std::uint32_t>(data >> 32)};
}

}  // namespace

Reactor::Reactor(const Options& options)
    : options_(options), metrics_(options.metrics), events_(options.max_events) {}

Reactor::~Reactor() {
  forget();
}

int Reactor::open() {
  epoll_ = sys::epoll_create();
  start_ns_ = now_ns_ = sys::monotonic_ns();
  return std::min(epoll_, 0);
}

std::uint16_t Reactor::add_sink(EventSink& sink) {
  SPATE_CHECK(sinks_.size() < kMaxSinks);
  sinks_.push_back(&sink);
  return static_cast<std::uint16_t>(sinks_.size() - 1);
}

int Reactor::add(int fd, std::uint32_t events, Handle handle, Order order) {
  if (order == Order::first && first_epoll_ < 0)
    if (const int error = open_first(); error < 0) return error;
  return sys::epoll_ctl(epoll_of(order), EPOLL_CTL_ADD, fd, events, pack(handle));
}
int Reactor::modify(int fd, std::uint32_t events, Handle handle, Order order) {
  return sys::epoll_ctl(epoll_of(order), EPOLL_CTL_MOD, fd, events, pack(handle));
}
int Reactor::remove(int fd, Order order) {
  return sys::epoll_ctl(epoll_of(order), EPOLL_CTL_DEL, fd, 0, 0);
}

int Reactor::open_first() {
  const int inner = sys::epoll_create();
  if (inner < 0) return inner;
  first_sink_ = add_sink(first_);
  if (const int error = add(inner, EPOLLIN, {first_sink_, 0, 0}); error < 0) {
    sys::close(inner);
    return error;
  }
  first_epoll_ = inner;
  return 0;
}

void Reactor::forget() {
  if (first_epoll_ >= 0) sys::close(std::exchange(first_epoll_, -1));
  if (epoll_ >= 0) sys::close(std::exchange(epoll_, -1));
}

int Reactor::run() {
  served_ns_ = sys::monotonic_ns();
  while (!stopping_) {
    if (const int error = wait_and_serve(kMaxSleepNs); error < 0) return error;
  }
  return 0;
}

int Reactor::turn(std::int64_t max_wait_ns) {
  served_ns_ = sys::monotonic_ns();
  return wait_and_serve(max_wait_ns);
}

void Reactor::serve(const epoll_event* events, int count) {
  served_ += count;
  for (int i = 0; i < count; ++i) {
    const Handle handle = unpack(events[i].data.u64);
    sinks_[handle.sink]->on_event(handle.index, handle.generation, events[i].events);
  }
}

void Reactor::serve_first() {
  std::array<epoll_event, 16> events;
  const int ready = sys::epoll_wait(first_epoll_, events, 0);
  if (ready <= 0) return;  // gone again, or tried again in the next turn
  first_event_ = unpack(events[0].data.u64);
  serve(events.data(), ready);
}

// The clock is read twice a turn: when it wakes up and when all is served. What falls due in
// between is the next turn's, which then does not wait.
int Reactor::wait_and_serve(std::int64_t max_wait_ns) {
  int ready = sys::epoll_wait(epoll_, events_, wait_ns(max_wait_ns));
  if (ready == -EINTR) ready = 0;
  if (ready < 0) return ready;
  now_ns_ = sys::monotonic_ns();
  wake_at(static_cast<Tick>((now_ns_ - start_ns_) / kTickNs));
  if (ready > 0) last_event_ns_ = now_ns_;
  served_ = 0;
  serve(events_.data(), ready);
  // Others may be waiting, and the inner instance among them.
  if (first_epoll_ >= 0 && static_cast<std::size_t>(ready) == events_.size()) [[unlikely]]
    serve_first();
  if (wheel_.now() != now_) serve_wheel();
  if (look_) look_();
  if (precise_.next_deadline_ns() <= now_ns_) precise_.fire_due(now_ns_);
  if (observer_ != nullptr) observer_->on_turn_end();
  // One writer: no locked instruction is needed.
  if (turn_word_ != nullptr)
    turn_word_->store(turn_word_->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  served_ns_ = sys::monotonic_ns();
  const std::int64_t lag = served_ns_ - now_ns_;
  if (lag > slow_turn_ns_) [[unlikely]]
    tell_slow_turn(lag, ready);
  metrics_->lag.observe(lag);
  metrics_->events.add(static_cast<std::uint64_t>(served_));
  return 0;
}

[[gnu::cold]] void Reactor::tell_slow_turn(std::int64_t ns, int ready) {
  Handle only{};
  if (served_ == 1) {
    only = first_event_;
    for (int i = 0; i < ready; ++i) {
      const Handle each = unpack(events_[static_cast<std::size_t>(i)].data.u64);
      if (first_epoll_ < 0 || each.sink != first_sink_) only = each;
    }
  }
  on_slow_turn_({ns, served_, only});
}

// Not inlined: most turns of a busy loop come within a tick of the last one, and are spared its
// registers.
[[gnu::noinline]] void Reactor::serve_wheel() {
  wheel_.advance(now_, [this](TimerNode& node) { observer_->on_wheel_timer(node); });
}

// Until the nearest deadline; zero while busy polling.
std::int64_t Reactor::wait_ns(std::int64_t max_wait_ns) const {
  if (options_.busy_poll_ns > 0 && served_ns_ - last_event_ns_ < options_.busy_poll_ns) return 0;
  std::int64_t wait = max_wait_ns;
  const Tick ticks = wheel_.ticks_to_next();
  if (ticks < TimerWheel::kNever) {
    // Counted from the tick that is now and not from the first: ticks wrap, nanoseconds do not.
    const std::int64_t tick_begun = now_ns_ - (now_ns_ - start_ns_) % kTickNs;
    wait = std::min(wait, tick_begun + std::int64_t{ticks} * kTickNs - served_ns_);
  }
  if (precise_.next_deadline_ns() != PreciseTimers::kNever)
    wait = std::min(wait, precise_.next_deadline_ns() - served_ns_);
  return std::max<std::int64_t>(wait, 0);
}

}  // namespace spate::core
