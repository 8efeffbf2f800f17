// What a run came to.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/spate-bench/errors.h"
#include "tools/spate-bench/histogram.h"
#include "tools/spate-bench/options.h"
#include "tools/spate-bench/procfs.h"

namespace spate::bench {

// Memory with so many connections open.
struct Mark {
  std::uint64_t connections = 0;
  std::uint64_t server_pss_bytes = 0;
  std::uint64_t client_pss_bytes = 0;
  std::uint64_t kernel_bytes = 0;
};

// One second of the measured window.
struct Moment {
  double seconds = 0;  // since the window began
  double per_second = 0;
  std::uint64_t p50_ns = 0, p99_ns = 0, max_ns = 0;
};

struct Result {
  // Connections.
  std::uint64_t opened = 0, failed = 0, open_at_end = 0;
  double connect_seconds = 0;  // until all were open or had failed
  std::vector<Mark> marks;
  // The server's pings. How many connections were open at the end and had said nothing but pongs;
  // least and most pings that one of them had (without one, the least is kNever).
  std::uint64_t pings_answered = 0, silent = 0, least_pings = 0, most_pings = 0;

  // The measured window.
  double seconds = 0;
  std::uint64_t sent = 0, sent_bytes = 0, received = 0, received_bytes = 0;
  std::uint64_t tls_full = 0, tls_resumed = 0;  // TLS handshakes, without and with a session
  CpuTime client_cpu, server_cpu;
  std::size_t server_processes = 0;
  double busiest_core = 0;  // share of the window that the busiest load core was busy
  double late_share = 0;    // of arrivals that were more than 1 ms late
  std::vector<Moment> moments;
  Histogram latency, last_latency, connecting, ping, lateness;

  // The whole run.
  std::array<std::uint64_t, kErrorKinds> errors{};

  // Why throughput and latency say more about the load than about the server; empty: they are
  // valid.
  std::vector<std::string> invalid_because;

  [[nodiscard]] std::uint64_t error_count() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : errors) sum += n;
    return sum;
  }
  [[nodiscard]] double per_second() const {
    return seconds > 0 ? static_cast<double>(received) / seconds : 0;
  }
  // CPU time for each one received; 0 when nothing was.
  [[nodiscard]] double ns_per_unit(const CpuTime& cpu) const {
    return received > 0 ? cpu.total() * 1e9 / static_cast<double>(received) : 0;
  }
  // Memory per connection between the last two marks.
  [[nodiscard]] bool has_slope() const {
    return marks.size() > 1 && marks.back().connections > marks[marks.size() - 2].connections;
  }
  [[nodiscard]] double slope(std::uint64_t Mark::*what) const {
    const Mark &from = marks[marks.size() - 2], &to = marks.back();
    return (static_cast<double>(to.*what) - static_cast<double>(from.*what)) /
           static_cast<double>(to.connections - from.connections);
  }
};

void print_table(const Options& options, const Result& result);
// False, and errno, when the file cannot be written.
bool write_json(const Options& options, const Result& result);
bool write_hgrm(const Options& options, const Result& result);
bool write_svg(const Options& options, const Result& result);

}  // namespace spate::bench
