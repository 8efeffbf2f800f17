#include "core/core_metrics.h"

namespace spate::core {

namespace {

using Loop = LoopMetrics;
using Connections = ConnectionMetrics;
using Listeners = ListenerMetrics;

MetricGroup<Connections> add_connections(MetricTable& table) {
  auto rows = table.group<Connections>(MetricScope::worker);
  rows.add("spate_connections", "Open connections, whatever they speak.",
           &Connections::connections);
  rows.add("spate_connections_limit",
           "How many connections may be open: --max-connections, or what descriptors allow.",
           &Connections::connections_limit);
  rows.add("spate_connections_opened_total", "Connections opened.", &Connections::opened);
  rows.add(
      "spate_connections_closed_total",
      "Connections closed, by cause. finished: after all was sent. peer_closed: the peer ended "
      "it without a word of its protocol. reset: it broke. write_timeout: the peer did not take "
      "what was queued for it. shed: at --max-memory the slowest goes. aborted: given up.",
      &Connections::closed, "cause",
      {"finished", "peer_closed", "reset", "write_timeout", "shed", "aborted"});
  rows.add("spate_received_bytes_total", "Bytes received from peers, headers and all.",
           &Connections::bytes_received);
  rows.add("spate_sent_bytes_total", "Bytes that the kernel took for peers, headers and all.",
           &Connections::bytes_sent);
  rows.add("spate_outbox_bytes", "Bytes that wait for the kernel to take them.",
           &Connections::outbox_bytes);
  rows.add("spate_sheds_total", "Connections closed to come back under --max-memory.",
           &Connections::shed);
  rows.add("spate_timeouts_total", kTimeoutsHelp, &Connections::write_timeouts, "kind", "write");
  rows.add("spate_memory_bytes",
           "Memory by purpose. slots: what every connection has. half_messages: the beginnings of "
           "messages. ring_leases: rings on loan to larger ones. warm_rings: kept ready for the "
           "next. outbox_queues, outbox: output that waits, and its queues. read_ring: what all "
           "connections receive into. tls: what OpenSSL holds. compression: what zlib holds. "
           "--max-memory bounds all but warm_rings and read_ring.",
           &Connections::memory, "purpose",
           {"slots", "half_messages", "ring_leases", "warm_rings", "outbox_queues", "read_ring",
            "tls", "compression"});
  rows.add("spate_memory_bytes", {}, &Connections::outbox_bytes, "purpose", "outbox");
  rows.add("spate_memory_limit_bytes", "--max-memory; 0: none.", &Connections::memory_limit);
  rows.add("spate_ring_leases",
           "Receive rings for half-received messages. loaned: in use. warm: ready for the next.",
           &Connections::leases_loaned, "state", "loaned");
  rows.add("spate_ring_leases", {}, &Connections::leases_warm, "state", "warm");
  rows.add("spate_ring_leases_refused_total",
           "Rings that were not lent: a cap was reached, or the kernel had no memory.",
           &Connections::leases_refused);
  rows.add("spate_half_messages_refused_total",
           "Half-received messages for which there was no room; a WebSocket is closed with 1013.",
           &Connections::keeps_refused);
  rows.add("spate_stale_events_total",
           "Events of connections that had been closed in the same batch; dropped.",
           &Connections::stale_events);
  return rows.group();
}

MetricGroup<Listeners> add_listeners(MetricTable& table) {
  auto rows = table.group<Listeners>(MetricScope::worker);
  rows.add("spate_accepts_total", "Connections accepted and not refused for lack of room.",
           &Listeners::accepted);
  rows.add("spate_accept_errors_total",
           "Accepts that failed otherwise: the peer had gone, or the kernel had no memory.",
           &Listeners::accept_errors);
  rows.add("spate_refusals_total", kRefusalsHelp, &Listeners::refused_connections, "reason",
           "max_connections");
  rows.add("spate_refusals_total", {}, &Listeners::refused_memory, "reason", "max_memory");
  rows.add("spate_refusals_total", {}, &Listeners::refused_descriptors, "reason", "descriptors");
  return rows.group();
}

MetricGroup<TlsMetrics> add_tls(MetricTable& table) {
  auto rows = table.group<TlsMetrics>(MetricScope::worker);
  rows.add("spate_tls_handshakes_total",
           "TLS handshakes that were completed; resumed ones cost no signature.",
           &TlsMetrics::handshakes_full, "kind", "full");
  rows.add("spate_tls_handshakes_total", {}, &TlsMetrics::handshakes_resumed, "kind", "resumed");
  rows.add(
      "spate_tls_handshake_failures_total",
      "TLS handshakes that failed, by reason. plain_http: HTTP without TLS. not_tls: something "
      "else. version, cipher: nothing in common. protocol: ALPN without http/1.1. "
      "client_certificate: none, or not of --tls-client-ca. rejected: the client would not "
      "have our certificate. abandoned: the client left in the middle.",
      &TlsMetrics::failures, "reason",
      {"plain_http", "not_tls", "version", "cipher", "protocol", "client_certificate", "rejected",
       "abandoned", "other"});
  rows.add("spate_tls_sessions", "Connections that speak TLS, or begin to.", &TlsMetrics::sessions);
  return rows.group();
}

MetricGroup<Loop> add_loop(MetricTable& table) {
  auto rows = table.group<Loop>(MetricScope::worker);
  rows.add("spate_loop_lag_seconds",
           "Turns of the event loop, by how long after its wake-up the last of what it brought was "
           "served. The sum is the time the loop was busy.",
           &Loop::lag);
  rows.add("spate_loop_events_total", "Events that wake-ups brought; by turns: the batch.",
           &Loop::events);
  return rows.group();
}

MetricGroup<SlotMetrics> add_slots(MetricTable& table, const ProcessCounts& counts) {
  auto rows = table.group<SlotMetrics>(MetricScope::instance, "worker", slot_names(counts));
  rows.add("spate_worker_restarts_total", "Worker processes started in another's place.",
           &SlotMetrics::restarts);
  rows.add("spate_worker_crashes_total", "Worker processes that ended by a signal or an error.",
           &SlotMetrics::crashes);
  rows.add("spate_worker_stalls_total", "Worker processes ended for standing still (--stall-ms).",
           &SlotMetrics::stalls);
  rows.add("spate_worker_covers_total",
           "Times that a neighbour began to accept in the place of this worker.",
           &SlotMetrics::covers);
  rows.add("spate_worker_connections_lost_total",
           "Connections that were open when their worker ended.", &SlotMetrics::connections_lost);
  return rows.group();
}

MetricGroup<ProcessMetrics> add_processes(MetricTable& table, const ProcessCounts& counts) {
  auto rows = table.group<ProcessMetrics>(MetricScope::instance, "process", process_names(counts));
  rows.add("spate_log_lines_dropped_total", "Log lines that standard error did not take.",
           &ProcessMetrics::log_lines_dropped);
  return rows.group();
}

MetricGroup<UsageMetrics> add_usage(MetricTable& table, const ProcessCounts& counts) {
  auto rows = table.group<UsageMetrics>(MetricScope::scrape, "process", process_names(counts));
  rows.add("spate_process_cpu_seconds_total",
           "CPU time, user and system, of the process that there is now.", &UsageMetrics::cpu_ns);
  rows.add("spate_process_resident_memory_bytes",
           "Memory in RAM; what processes share counts in each of them.",
           &UsageMetrics::resident_bytes);
  return rows.group();
}

MetricGroup<StateMetrics> add_state(MetricTable& table) {
  auto rows = table.group<StateMetrics>(MetricScope::scrape);
  rows.add("spate_uptime_seconds", "Since the master started.", &StateMetrics::uptime_ns);
  rows.add("spate_workers", "Worker slots, by what their process is at.", &StateMetrics::workers,
           "state", {"absent", "starting", "ready", "leaving"});
  return rows.group();
}

}  // namespace

CoreMetrics CoreMetrics::add_to(MetricTable& table, const ProcessCounts& counts) {
  CoreMetrics metrics;
  metrics.connections = add_connections(table);
  metrics.listeners = add_listeners(table);
  metrics.tls = add_tls(table);
  metrics.loop = add_loop(table);
  metrics.slots = add_slots(table, counts);
  metrics.processes = add_processes(table, counts);
  metrics.usage = add_usage(table, counts);
  metrics.state = add_state(table);
  return metrics;
}

std::vector<std::string> slot_names(const ProcessCounts& counts) {
  std::vector<std::string> names;
  for (std::uint32_t slot = 0; slot < counts.workers; ++slot) names.push_back(std::to_string(slot));
  if (!counts.companion.empty()) names.push_back(counts.companion);
  return names;
}

std::vector<std::string> process_names(const ProcessCounts& counts) {
  std::vector<std::string> names;
  for (std::uint32_t slot = 0; slot < counts.workers; ++slot)
    names.push_back("worker " + std::to_string(slot));
  if (!counts.companion.empty()) names.push_back(counts.companion);
  names.push_back("master");
  return names;
}

}  // namespace spate::core
