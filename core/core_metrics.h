// What core/ counts. Their names and meanings are in core_metrics.cc, and so in
// docs/operations.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/metric_table.h"
#include "core/metrics.h"

namespace spate::core {

// Of a Reactor.
struct alignas(64) LoopMetrics {
  Histogram lag;
  Counter events;
};

enum class MemoryPurpose : std::uint8_t {
  slots,
  half_messages,
  ring_leases,
  warm_rings,
  outbox_queues,
  read_ring,
  tls,
  compression,
};
inline constexpr std::size_t kMemoryPurposes = 8;

inline constexpr std::size_t kCloseCauses = 6;  // of CloseCause

// Of a ConnectionTable.
struct alignas(64) ConnectionMetrics {
  // What a message touches, in one cache line.
  Counter bytes_received;
  Counter bytes_sent;
  Gauge outbox_bytes;  // queued for all connections
  Counter stale_events;
  Gauge connections;
  Counter opened;
  Counter keeps_refused;
  Counter write_timeouts;

  std::array<Counter, kCloseCauses> closed;
  Counter shed;
  std::array<Gauge, kMemoryPurposes> memory;
  Gauge leases_loaned;
  Gauge leases_warm;
  Counter leases_refused;
  Gauge connections_limit;
  Gauge memory_limit;
};

// Of all Listeners of a worker.
struct alignas(64) ListenerMetrics {
  Counter accepted;
  Counter refused_connections;  // at max_connections
  Counter refused_memory;       // at the memory ceiling
  Counter refused_descriptors;  // out of descriptors: taken off the queue and closed
  Counter accept_errors;        // died in the queue, or nothing could be taken off it
};

inline constexpr std::size_t kTlsFailures = 9;  // of TlsFailure

// Of a worker's TLS listeners.
struct alignas(64) TlsMetrics {
  Counter handshakes_full;
  Counter handshakes_resumed;
  std::array<Counter, kTlsFailures> failures;
  Gauge sessions;  // connections that speak TLS, or begin to
};

// Of a worker slot, written by the master.
struct alignas(64) SlotMetrics {
  Counter restarts;
  Counter crashes;
  Counter stalls;
  Counter covers;
  Counter connections_lost;
};

// Of a process, written by itself. Slots come first, then the master.
struct alignas(64) ProcessMetrics {
  Counter log_lines_dropped;
};

// Of a process, read from the kernel for a scrape.
struct UsageMetrics {
  Counter cpu_ns;
  Gauge resident_bytes;
};

// Of the instance, found out for a scrape.
struct StateMetrics {
  Gauge uptime_ns;
  std::array<Gauge, 4> workers;  // by WorkerState
};

// Families that handlers/ joins.
inline constexpr std::string_view kTimeoutsHelp =
    "Deadlines that passed, by kind. write: the peer did not take what was queued for it. request: "
    "a request's head or body took too long, or none came. frame: a frame took too long. pong: "
    "pings went unanswered. idle: no message came. close: the peer did not answer a close frame.";
inline constexpr std::string_view kRefusalsHelp =
    "Connections and requests refused, by reason: a limit (max_connections, max_memory, "
    "descriptors), what is wrong with the request or the handshake, or why an endpoint would not "
    "serve it.";

// Where they lie.
// The processes of a server besides its master.
struct ProcessCounts {
  std::uint32_t workers = 0;
  std::string companion;  // what the one that accepts nothing is called; empty: there is none
};

struct CoreMetrics {
  // In the master. What the workers of one server share is named after their slots.
  static CoreMetrics add_to(MetricTable& table, const ProcessCounts& counts);

  MetricGroup<LoopMetrics> loop;
  MetricGroup<ConnectionMetrics> connections;
  MetricGroup<ListenerMetrics> listeners;
  MetricGroup<TlsMetrics> tls;
  MetricGroup<SlotMetrics> slots;
  MetricGroup<ProcessMetrics> processes;
  MetricGroup<UsageMetrics> usage;  // indexed as processes
  MetricGroup<StateMetrics> state;
};

// Label values that several tables share: "0", "1" … and "worker 0", "worker 1" … "master".
std::vector<std::string> slot_names(const ProcessCounts& counts);
std::vector<std::string> process_names(const ProcessCounts& counts);

}  // namespace spate::core
