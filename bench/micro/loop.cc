// The loop's parts: rings, the timer wheel against libev's heap, and dispatching a ready descriptor
// through the reactor against libev doing the same.
#include <benchmark/benchmark.h>
#include <ev.h>

#include <random>
#include <vector>

#include "bench/micro/allocations.h"
#include "core/lease_pool.h"
#include "core/mirror_ring.h"
#include "core/reactor.h"
#include "core/sys.h"

namespace {

using namespace spate::core;  // NOLINT

Tick some_deadline(std::mt19937& random) {
  return static_cast<Tick>(1 + random() % 3000);
}

// A message that wraps: one span in a mirrored ring, against two copies in a plain one.
void ring_read_wrapped(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const MirrorRing ring = MirrorRing::create("bench", 256 * 1024);
  std::vector<std::byte> to(bytes);
  const std::byte* const from = ring.base() + ring.capacity() - bytes / 2;
  for (auto _ : state) {
    std::memcpy(to.data(), from, bytes);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ring_read_wrapped)->Arg(1024)->Arg(65536);

void lease_warm(benchmark::State& state) {
  LeasePool pool(1 << 30);
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const auto cycle = [&] { pool.release(pool.acquire(bytes)); };
  for (auto _ : state) cycle();
  spate::bench::report_allocations(state, cycle);
}
BENCHMARK(lease_warm)->Arg(4000)->Arg(60'000);

// A heartbeat on each of n connections: re-arming one of them, as activity does.
void timer_rearm_wheel(benchmark::State& state) {
  TimerWheel wheel;
  std::vector<TimerNode> nodes(static_cast<std::size_t>(state.range(0)));
  std::mt19937 random(1);
  for (TimerNode& node : nodes) wheel.arm(node, some_deadline(random));
  std::size_t i = 0;
  for (auto _ : state) {
    wheel.arm(nodes[i], 1 + static_cast<Tick>((i * 7919) % 3000));
    i = (i + 4099) % nodes.size();
  }
}
BENCHMARK(timer_rearm_wheel)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

void timer_rearm_libev(benchmark::State& state) {
  struct ev_loop* const loop = ev_loop_new(EVFLAG_AUTO);
  std::vector<ev_timer> timers(static_cast<std::size_t>(state.range(0)));
  std::mt19937 random(1);
  for (ev_timer& timer : timers) {
    ev_timer_init(
        &timer, [](struct ev_loop*, ev_timer*, int) {}, 0.008 * some_deadline(random), 0.);
    ev_timer_start(loop, &timer);
  }
  std::size_t i = 0;
  for (auto _ : state) {
    ev_timer_stop(loop, &timers[i]);
    ev_timer_set(&timers[i], 0.008 * static_cast<double>(1 + (i * 7919) % 3000), 0.);
    ev_timer_start(loop, &timers[i]);
    i = (i + 4099) % timers.size();
  }
  for (ev_timer& timer : timers) ev_timer_stop(loop, &timer);
  ev_loop_destroy(loop);
}
BENCHMARK(timer_rearm_libev)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

// Firing: n timers over 3,000 ticks, each armed again when it fires; time is per timer fired.
void timer_fire_wheel(benchmark::State& state) {
  TimerWheel wheel;
  std::vector<TimerNode> nodes(static_cast<std::size_t>(state.range(0)));
  std::mt19937 random(1);
  for (TimerNode& node : nodes) wheel.arm(node, some_deadline(random));
  std::int64_t fired = 0;
  for (auto _ : state)
    wheel.advance(wheel.now() + 1, [&](TimerNode& node) {
      wheel.arm(node, wheel.now() + 3000);
      ++fired;
    });
  state.SetItemsProcessed(fired);
}
BENCHMARK(timer_fire_wheel)->Arg(100'000)->Arg(1'000'000);

class Reader final : public EventSink {
 public:
  void on_event(std::uint32_t index, std::uint32_t, std::uint32_t) override {
    benchmark::DoNotOptimize(index);
  }
};

// One turn with n descriptors ready (eventfds that nobody drains); time is per event.
void dispatch_reactor(benchmark::State& state) {
  Reactor reactor({.max_events = 1024});
  Reader reader;
  const std::uint16_t sink = reactor.add_sink(reader);
  reactor.open();
  std::vector<int> fds;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    fds.push_back(sys::event_fd());
    const std::uint64_t one = 1;
    sys::write(fds.back(), &one, sizeof one);
    reactor.add(fds.back(), EPOLLIN, {sink, static_cast<std::uint32_t>(i), 0});
  }
  for (auto _ : state) reactor.turn(0);
  state.SetItemsProcessed(state.iterations() * state.range(0));
  for (const int fd : fds) sys::close(fd);
}
BENCHMARK(dispatch_reactor)->Arg(1)->Arg(64)->Arg(512);

void dispatch_libev(benchmark::State& state) {
  struct ev_loop* const loop = ev_loop_new(EVBACKEND_EPOLL);
  std::vector<ev_io> watchers(static_cast<std::size_t>(state.range(0)));
  for (ev_io& watcher : watchers) {
    const int fd = sys::event_fd();
    const std::uint64_t one = 1;
    sys::write(fd, &one, sizeof one);
    ev_io_init(
        &watcher, [](struct ev_loop*, ev_io* w, int) { benchmark::DoNotOptimize(w->fd); }, fd,
        EV_READ);
    ev_io_start(loop, &watcher);
  }
  for (auto _ : state) ev_run(loop, EVRUN_NOWAIT);
  state.SetItemsProcessed(state.iterations() * state.range(0));
  for (ev_io& watcher : watchers) {
    ev_io_stop(loop, &watcher);
    sys::close(watcher.fd);
  }
  ev_loop_destroy(loop);
}
BENCHMARK(dispatch_libev)->Arg(1)->Arg(64)->Arg(512);

}  // namespace
