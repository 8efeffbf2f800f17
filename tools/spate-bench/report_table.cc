#include <algorithm>
#include <cstdio>
#include <string>

#include "tools/spate-bench/result.h"

namespace spate::bench {

namespace {

void row(const char* name, const std::string& value) {
  std::printf("  %-20s %s\n", name, value.c_str());
}

std::string text(const char* format, auto... values) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

// 1234567 → "1,234,567".
std::string grouped(double value) {
  std::string digits = text("%.0f", value);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    if (digits[at - 1] != '-') digits.insert(at, ",");
  }
  return digits;
}

std::string duration(double ns) {
  if (ns < 1e3) return text("%.0f ns", ns);
  if (ns < 1e6) return text("%.1f us", ns / 1e3);
  if (ns < 1e9) return text("%.2f ms", ns / 1e6);
  return text("%.2f s", ns / 1e9);
}

std::string bytes(double value) {
  if (value < 10 * 1024) return text("%.0f B", value);
  if (value < 10 * 1024 * 1024) return text("%.1f KiB", value / 1024);
  return text("%.1f MiB", value / 1024 / 1024);
}

void percentiles(const char* name, const Histogram& of) {
  if (of.count() == 0) return;
  constexpr std::pair<const char*, double> kColumns[] = {
      {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
  std::string line;
  for (const auto& [label, percent] : kColumns)
    line += text("%s %s  ", label, duration(static_cast<double>(of.percentile(percent))).c_str());
  row(name, line + "max " + duration(static_cast<double>(of.max())));
}

std::string what_was_asked(const Options& options) {
  std::string line = grouped(options.connections) + " connections";
  if (options.scenario == Scenario::idle) return line + " held";
  if (options.scenario == Scenario::fanout)
    line = grouped(options.subscribers) + " subscribers, " + grouped(options.publishers) +
           " publishers";
  if (options.scenario != Scenario::storm) line += ", " + options.size + " bytes";
  if (options.scenario == Scenario::storm && options.reconnect > 0)
    return line + text(", dropped every %.1f s", options.reconnect);
  if (options.open_loop()) {
    const char* const what =
        options.scenario == Scenario::fanout ? "publications" : options.unit().many;
    line += ", " + grouped(options.rate) + " " + what + "/s";
    if (options.in_flight > 1) line += text(" in bursts of %u", options.in_flight);
    return line + (options.poisson ? ", poisson" : ", constant");
  }
  if (options.scenario != Scenario::storm) line += text(", %u in flight", options.in_flight);
  return line;
}

std::string cpu(const Options& options, const Result& result, const CpuTime& spent) {
  std::string line = text("%.2f s user + %.2f s system", spent.user_seconds, spent.system_seconds);
  if (result.received > 0)
    line += ", " + duration(result.ns_per_unit(spent)) + " a " + options.unit().one;
  return line;
}

void server_rows(const Options& options, const Result& result) {
  row("server CPU",
      cpu(options, result, result.server_cpu) + text(" (%zu processes)", result.server_processes));
  std::string memory = bytes(static_cast<double>(result.marks.back().server_pss_bytes));
  if (result.has_slope())
    memory += text(", %.0f B a connection", result.slope(&Mark::server_pss_bytes));
  row("server memory", memory);
}

}  // namespace

void print_table(const Options& options, const Result& result) {
  const bool valid = result.invalid_because.empty();
  std::printf("%s %s  %s\n", options.scenario_name.c_str(), options.url.c_str(),
              what_was_asked(options).c_str());
  std::string connections = grouped(static_cast<double>(result.open_at_end)) +
                            " open at the end, " + grouped(static_cast<double>(result.failed)) +
                            " failed";
  if (result.connect_seconds > 0)
    connections += text(", connected in %.2f s", result.connect_seconds);
  row("connections", connections);
  percentiles("connecting", result.connecting);
  if (result.received > 0)
    row(valid ? "throughput" : "throughput INVALID",
        grouped(result.per_second()) + " " + options.unit().many + "/s" +
            text(", %.1f MiB/s",
                 static_cast<double>(result.received_bytes) / result.seconds / 1024 / 1024));
  if (result.tls_full + result.tls_resumed > 0)
    row("TLS handshakes", grouped(static_cast<double>(result.tls_full)) + " full, " +
                              grouped(static_cast<double>(result.tls_resumed)) + " resumed");
  percentiles(valid ? "latency" : "latency INVALID", result.latency);
  percentiles("to the last", result.last_latency);
  percentiles("ping to pong", result.ping);
  if (result.pings_answered > 0 && result.silent > 0)
    row("server's pings", grouped(static_cast<double>(result.pings_answered)) + " answered, " +
                              text("%lu to %lu by each connection that said nothing else",
                                   result.least_pings, result.most_pings));
  row("client CPU", cpu(options, result, result.client_cpu) +
                        text(", busiest core %.0f %%", 100 * result.busiest_core));
  if (options.server_pid > 0) server_rows(options, result);
  if (result.has_slope() && options.held()) {
    row("kernel memory",
        text("%.0f B a connection, both ends on this machine", result.slope(&Mark::kernel_bytes)));
    const Mark& last = result.marks.back();
    row("client memory",
        text("%lu B a connection, everything included",
             last.client_pss_bytes / std::max<std::uint64_t>(1, last.connections)));
  }
  for (std::size_t kind = 0; kind < kErrorKinds; ++kind)
    if (result.errors[kind] > 0)
      row("ERROR", grouped(static_cast<double>(result.errors[kind])) + " " +
                       std::string(kErrors[kind].meaning));
  for (const std::string& why : result.invalid_because) row("INVALID", why);
}

}  // namespace spate::bench
