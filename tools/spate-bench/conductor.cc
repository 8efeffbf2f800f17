#include "tools/spate-bench/conductor.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "tools/spate-bench/clock.h"
#include "tools/spate-bench/loads.h"

namespace spate::bench {

namespace {

constexpr double kBusyCore = 0.90;
constexpr double kLateShare = 0.01;
constexpr std::uint64_t kLateNs = kNsPerMs;

std::uint64_t to_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9);
}

void sleep_until(std::uint64_t at_ns) {
  const timespec at{static_cast<time_t>(at_ns / kNsPerSecond),
                    static_cast<long>(at_ns % kNsPerSecond)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

// Both ends of the window, as it were seen at once.
struct Sample {
  std::uint64_t at_ns = 0;
  std::uint64_t sent = 0, sent_bytes = 0, received = 0, received_bytes = 0;
  std::uint64_t tls_full = 0, tls_resumed = 0;
  CpuReading client, server;
  std::vector<CoreTime> cores;
};

class Conductor {
 public:
  explicit Conductor(const Options& options) : options_(options), loads_(options) {}

  std::unique_ptr<Result> run();

 private:
  bool connect_all();
  bool connect(std::uint64_t connections);
  void say_why_none();
  void await_ready();
  void mark();
  [[nodiscard]] Sample sample() const;
  void measure();
  void watch_window(std::uint64_t from_ns, std::uint64_t until_ns);
  void account(const Sample& from, const Sample& until);
  bool await_end();
  void collect();
  void judge();
  void live(const Moment* moment) const;

  const Options& options_;
  Loads loads_;
  std::unique_ptr<Result> result_ = std::make_unique<Result>();
  const bool live_line_ = isatty(STDERR_FILENO) != 0;
};

std::unique_ptr<Result> Conductor::run() {
  mark();
  if (!connect_all()) return nullptr;
  measure();
  if (!await_end()) return nullptr;
  collect();
  judge();
  return std::move(result_);
}

bool Conductor::connect_all() {
  constexpr std::uint64_t kSettle = 500 * kNsPerMs;  // what the last handshakes freed is free
  if (options_.scenario == Scenario::storm && options_.reconnect == 0) return true;
  if (options_.held() && options_.first_mark < options_.connections) {
    if (!connect(options_.first_mark)) return false;
    sleep_until(now_ns() + kSettle);
    mark();
  }
  if (!connect(options_.connections)) return false;
  if (options_.scenario == Scenario::fanout || !options_.ready_when.empty()) await_ready();
  if (options_.held()) sleep_until(now_ns() + kSettle);
  mark();
  return true;
}

bool Conductor::connect(std::uint64_t connections) {
  const std::uint64_t began = now_ns();
  std::uint64_t ordered = 0;
  for (std::uint32_t i = 0; i < loads_.size(); ++i) {
    const std::uint64_t all = options_.first_id(i + 1) - options_.first_id(i);
    const std::uint64_t part = all * connections / options_.connections;
    loads_[i].orders.connections = part;
    ordered += part;
  }
  loads_.wake();
  for (std::uint64_t turn = 0; loads_.sum(&Stats::opened) + loads_.sum(&Stats::failed) < ordered;
       ++turn) {
    if (loads_.any_died()) return false;
    if (turn % 50 == 0) live(nullptr);
    sleep_until(now_ns() + 2 * kNsPerMs);
  }
  result_->connect_seconds += static_cast<double>(now_ns() - began) / 1e9;
  if (loads_.sum(&Stats::open) > 0) return true;
  say_why_none();
  return false;
}

void Conductor::say_why_none() {
  std::fprintf(stderr, "spate-bench: %s: no connection could be made:", options_.url.c_str());
  for (std::size_t kind = 0; kind < kErrorKinds; ++kind)
    if (const std::uint64_t times = loads_.errors(kind); times > 0)
      std::fprintf(stderr, " %lu %s", times, kErrors[kind].meaning.data());
  std::fputc('\n', stderr);
}

void Conductor::await_ready() {
  const std::uint64_t deadline = now_ns() + to_ns(options_.timeout);
  const auto waiting = [&] {
    const std::uint64_t ready = loads_.sum(&Stats::ready), open = loads_.sum(&Stats::open);
    return open - std::min(open, ready);  // one that was ready may have closed
  };
  while (waiting() > 0 && now_ns() < deadline) sleep_until(now_ns() + 2 * kNsPerMs);
  result_->errors[static_cast<std::size_t>(Error::not_subscribed)] += waiting();
}

void Conductor::mark() {
  Mark mark;
  mark.connections = loads_.sum(&Stats::open);
  if (options_.server_pid > 0) mark.server_pss_bytes = pss_bytes(process_tree(options_.server_pid));
  mark.client_pss_bytes = pss_bytes(loads_.pids());
  mark.kernel_bytes = kernel_bytes();
  result_->marks.push_back(mark);
}

Sample Conductor::sample() const {
  Sample sample;
  if (options_.server_pid > 0) sample.server = CpuReading::of(options_.server_pid);
  sample.client = CpuReading::of(loads_.pids());
  sample.at_ns = now_ns();
  sample.sent = loads_.sum(&Stats::sent);
  sample.sent_bytes = loads_.sum(&Stats::sent_bytes);
  sample.received = loads_.sum(&Stats::received);
  sample.received_bytes = loads_.sum(&Stats::received_bytes);
  sample.tls_full = loads_.sum(&Stats::tls_full);
  sample.tls_resumed = loads_.sum(&Stats::tls_resumed);
  for (const int cpu : options_.cpus) sample.cores.push_back(core_time(cpu));
  return sample;
}

void Conductor::measure() {
  constexpr std::uint64_t kNotice = 20 * kNsPerMs;  // for every load process to read its orders
  const std::uint64_t start = now_ns() + kNotice;
  const std::uint64_t from = start + to_ns(options_.warmup);
  const std::uint64_t until = from + to_ns(options_.seconds);
  for (std::size_t i = 0; i < loads_.size(); ++i) {
    Orders& orders = loads_[i].orders;
    orders.measure_from_ns = from;
    orders.measure_until_ns = until;
    orders.start_ns = start;
  }
  loads_.wake();
  sleep_until(from);
  const Sample first = sample();
  watch_window(first.at_ns, until);
  account(first, sample());
}

void Conductor::watch_window(std::uint64_t from_ns, std::uint64_t until_ns) {
  std::uint64_t received = loads_.sum(&Stats::received), then = from_ns;
  auto seen = std::make_unique<Histogram>();
  for (std::uint64_t next = from_ns + kNsPerSecond; then < until_ns; next += kNsPerSecond) {
    sleep_until(std::min(next, until_ns));
    const std::uint64_t now = now_ns(), received_now = loads_.sum(&Stats::received);
    auto all = std::make_unique<Histogram>();
    for (std::size_t i = 0; i < loads_.size(); ++i) all->add(loads_[i].stats.latency);
    const auto latest = std::make_unique<Histogram>(all->since(*seen));
    Moment moment;
    moment.seconds = static_cast<double>(now - from_ns) / 1e9;
    moment.per_second =
        static_cast<double>(received_now - received) * 1e9 / static_cast<double>(now - then);
    moment.p50_ns = latest->percentile(50);
    moment.p99_ns = latest->percentile(99);
    moment.max_ns = latest->max();
    result_->moments.push_back(moment);
    live(&moment);
    seen = std::move(all);
    received = received_now;
    then = now;
  }
}

void Conductor::account(const Sample& from, const Sample& until) {
  Result& result = *result_;
  result.seconds = static_cast<double>(until.at_ns - from.at_ns) / 1e9;
  result.sent = until.sent - from.sent;
  result.sent_bytes = until.sent_bytes - from.sent_bytes;
  result.received = until.received - from.received;
  result.received_bytes = until.received_bytes - from.received_bytes;
  result.tls_full = until.tls_full - from.tls_full;
  result.tls_resumed = until.tls_resumed - from.tls_resumed;
  result.client_cpu = until.client.since(from.client);
  if (options_.server_pid > 0) {
    result.server_cpu = until.server.since(from.server);
    result.server_processes = process_tree(options_.server_pid).size();
  }
  result.open_at_end = loads_.sum(&Stats::open);
  // Unpinned processes move about; then the best that is known is what each would have needed.
  result.busiest_core =
      result.client_cpu.total() / result.seconds / static_cast<double>(loads_.size());
  for (std::size_t i = 0; i < from.cores.size(); ++i) {
    const double busy = until.cores[i].busy_seconds - from.cores[i].busy_seconds;
    const double all = until.cores[i].all_seconds - from.cores[i].all_seconds;
    if (all > 0) result.busiest_core = std::max(result.busiest_core, busy / all);
  }
}

bool Conductor::await_end() {
  while (loads_.sum(&Stats::finished) < loads_.size()) {
    if (loads_.any_died()) return false;
    sleep_until(now_ns() + kNsPerMs);
  }
  if (live_line_ && !options_.quiet) std::fputs("\r\033[K", stderr);
  return true;
}

void Conductor::collect() {
  Result& result = *result_;
  result.opened = loads_.sum(&Stats::opened);
  result.failed = loads_.sum(&Stats::failed);
  result.pings_answered = loads_.sum(&Stats::pings_answered);
  result.silent = loads_.sum(&Stats::silent);
  for (std::size_t kind = 0; kind < kErrorKinds; ++kind) result.errors[kind] += loads_.errors(kind);
  for (std::size_t i = 0; i < loads_.size(); ++i) {
    const Stats& stats = loads_[i].stats;
    const std::uint64_t least = stats.least_pings.get(), most = stats.most_pings.get();
    result.least_pings = i == 0 ? least : std::min(result.least_pings, least);
    result.most_pings = std::max(result.most_pings, most);
    result.latency.add(stats.latency);
    result.last_latency.add(stats.last_latency);
    result.connecting.add(stats.connecting);
    result.ping.add(stats.ping);
    result.lateness.add(stats.lateness);
  }
  if (const std::uint64_t all = result.lateness.count(); all > 0)
    result.late_share =
        static_cast<double>(all - result.lateness.count_up_to(kLateNs)) / static_cast<double>(all);
}

void Conductor::judge() {
  Result& result = *result_;
  char text[160];
  if (result.busiest_core > kBusyCore) {
    std::snprintf(text, sizeof text, "a load core was %.0f %% busy", 100 * result.busiest_core);
    result.invalid_because.emplace_back(text);
  }
  if (result.late_share > kLateShare) {
    std::snprintf(text, sizeof text, "%.1f %% of arrivals were sent more than 1 ms late",
                  100 * result.late_share);
    result.invalid_because.emplace_back(text);
  }
}

// The line that stays while it runs.
void Conductor::live(const Moment* moment) const {
  if (!live_line_ || options_.quiet) return;
  std::uint64_t errors = 0;
  for (std::size_t kind = 0; kind < kErrorKinds; ++kind) errors += loads_.errors(kind);
  std::fprintf(stderr, "\r\033[K%lu open", loads_.sum(&Stats::open));
  if (moment)
    std::fprintf(
        stderr, "  %3.0f s  %.0f %s/s  p50 %.0f us  p99 %.0f us  max %.0f us", moment->seconds,
        moment->per_second, options_.unit().many, static_cast<double>(moment->p50_ns) / 1e3,
        static_cast<double>(moment->p99_ns) / 1e3, static_cast<double>(moment->max_ns) / 1e3);
  if (errors > 0) std::fprintf(stderr, "  %lu errors", errors);
}

}  // namespace

std::unique_ptr<Result> conduct(const Options& options) {
  return Conductor(options).run();
}

}  // namespace spate::bench
