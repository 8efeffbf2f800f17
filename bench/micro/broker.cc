// The broker alone, without clients: publications that are passed on and that are kept, a reading
// of a hundred, and what a worker does first that takes the place of another.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/micro/allocations.h"
#include "handlers/hub/log_broker.h"

namespace {

using namespace spate::handlers::hub;  // NOLINT
using spate::core::LogMemory;

constexpr std::uint64_t kLogBytes = std::uint64_t{1} << 30;
constexpr HistoryPolicy kPolicy{100, 300'000, 3'600'000};

class IgnoringSink final : public BrokerSink {
 public:
  void on_publication(std::string_view, const Publication& publication, StreamPosition,
                      std::span<const std::string_view>,
                      std::span<const std::string_view>) override {
    benchmark::DoNotOptimize(publication.data.data());
  }
  void on_join(std::string_view, const ClientInfo&) override {}
  void on_leave(std::string_view, const ClientInfo&) override {}
  void on_user_status(std::string_view, std::string_view, bool) override {}
};

class Bench {
 public:
  explicit Bench(std::size_t channels) {
    if (memory_.create(kLogBytes) != 0) std::abort();
    for (std::size_t i = 0; i < channels; ++i)
      channels_.push_back("bench:channel-" + std::to_string(i));
    start();
  }
  void start() {
    broker_.reset();
    broker_ = std::make_unique<LogBroker>(memory_, sink_, LogBrokerOptions{});
    if (!broker_->open().ok()) std::abort();
  }
  LogBroker& broker() { return *broker_; }

  void publish(std::string_view data, const HistoryPolicy& history) {
    PublishRequest request;
    request.channel = channels_[next_++ % channels_.size()];
    request.publication.data = data;
    request.history = history;
    broker_->publish(request, [](const PublishResult& result) {
      benchmark::DoNotOptimize(result.position.offset);
    });
  }
  std::size_t read(std::int64_t limit) {
    HistoryRequest request;
    request.channel = channels_[next_++ % channels_.size()];
    request.history = kPolicy;
    request.limit = limit;
    std::size_t count = 0;
    broker_->history(request,
                     [&](const HistoryResult& result) { count = result.publications.size(); });
    return count;
  }

 private:
  LogMemory memory_;
  IgnoringSink sink_;
  std::vector<std::string> channels_;
  std::size_t next_ = 0;
  std::unique_ptr<LogBroker> broker_;
};

void broker_publish_plain(benchmark::State& state) {
  Bench bench(1000);
  const std::string data(64, 'x');
  for (auto _ : state) bench.publish(data, {});
  state.SetItemsProcessed(state.iterations());
  spate::bench::report_allocations(state, [&] { bench.publish(data, {}); });
}
BENCHMARK(broker_publish_plain);

// Into full histories: each publication drops one.
void broker_publish_history(benchmark::State& state) {
  Bench bench(1000);
  const std::string data(static_cast<std::size_t>(state.range(0)), 'x');
  for (int i = 0; i < 101'000; ++i) bench.publish(data, kPolicy);
  for (auto _ : state) bench.publish(data, kPolicy);
  state.SetItemsProcessed(state.iterations());
  spate::bench::report_allocations(state, [&] { bench.publish(data, kPolicy); });
}
BENCHMARK(broker_publish_history)->Arg(64)->Arg(1024);

void broker_history(benchmark::State& state) {
  Bench bench(1000);
  const std::string data(64, 'x');
  for (int i = 0; i < 101'000; ++i) bench.publish(data, kPolicy);
  for (auto _ : state)
    if (bench.read(state.range(0)) != static_cast<std::size_t>(state.range(0))) std::abort();
  state.SetItemsProcessed(state.iterations() * state.range(0));
  spate::bench::report_allocations(state, [&] { bench.read(state.range(0)); });
}
BENCHMARK(broker_history)->Arg(100);

// Ten publications in each of a tenth as many channels.
void broker_rebuild(benchmark::State& state) {
  const auto records = static_cast<std::size_t>(state.range(0));
  Bench bench(records / 10);
  const std::string data(64, 'x');
  for (std::size_t i = 0; i < records; ++i) bench.publish(data, kPolicy);
  for (auto _ : state) bench.start();
  if (bench.broker().metrics().kept != records) std::abort();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(broker_rebuild)->Arg(10'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
