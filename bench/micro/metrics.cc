// What counting costs. Names are unit/what/size; `allocs` is heap allocations per call. An
// increment is measured in a loop of its own, where it waits for the one before it: among other
// work it is cheaper.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/micro/allocations.h"
#include "handlers/app.h"
#include "handlers/server_metrics.h"

namespace {

using namespace spate;

core::ConnectionMetrics connections;
core::Histogram histogram;

void counter_add(benchmark::State& state) {
  for (auto _ : state) {
    connections.bytes_received.add(20);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(counter_add)->Name("counter/add");

// What an echoed message adds to, as the server lays it out.
void message_counters(benchmark::State& state) {
  handlers::SessionMetrics sessions;
  for (auto _ : state) {
    connections.bytes_received.add(26);
    sessions.messages_received[1].add();
    sessions.messages_sent.add();
    connections.bytes_sent.add(22);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(message_counters)->Name("counter/of_a_message");

// The instruction that is spared: what one counter shared by all workers would cost, even alone.
void locked_add(benchmark::State& state) {
  static std::atomic<std::uint64_t> shared;
  for (auto _ : state) shared.fetch_add(1, std::memory_order_relaxed);
}
BENCHMARK(locked_add)->Name("counter/locked_add");

void histogram_observe(benchmark::State& state) {
  std::int64_t ns = 1;
  for (auto _ : state) {
    histogram.observe(ns);
    ns = ns * 3 & 0xFFFFFF;  // 0 … 17 ms, all over the buckets
    benchmark::ClobberMemory();
  }
}
BENCHMARK(histogram_observe)->Name("histogram/observe");

// A whole answer of a server of so many workers; the master's and the workers' own use of CPU and
// memory is read from /proc for as many processes as there are, here none but this one.
void text(benchmark::State& state) {
  core::Slots slots;
  const auto workers = static_cast<std::uint32_t>(state.range(0));
  if (slots.create(workers) != 0) return state.SkipWithError("no shared memory");
  handlers::ServerMetrics metrics(handlers::server_modules(), slots);
  if (metrics.create() != 0) return state.SkipWithError("no shared memory");
  for (std::uint32_t slot = 0; slot < workers; ++slot)
    metrics.worker(slot).of(metrics.core().connections).bytes_sent.add(123'456'789'012);
  const auto split = state.range(1) != 0 ? core::MetricSplit::by_worker : core::MetricSplit::none;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string out = metrics.text(split);
    bytes = out.size();
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["bytes"] = static_cast<double>(bytes);
  bench::report_allocations(state, [&] {
    const std::string out = metrics.text(split);
    benchmark::DoNotOptimize(out.data());
  });
}
BENCHMARK(text)
    ->Name("text/workers/by_worker")
    ->Args({1, 0})
    ->Args({4, 0})
    ->Args({56, 0})
    ->Args({56, 1})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
