#include "handlers/hub/broker_metrics.h"

namespace spate::handlers::hub {

core::MetricGroup<BrokerMetrics> BrokerMetrics::add_to(core::MetricTable& table) {
  using Metrics = BrokerMetrics;
  auto rows = table.group<Metrics>(core::MetricScope::worker);
  rows.add("spate_broker_publications_total",
           "Publications ordered, by what became of them. kept: in the channel's history. passed: "
           "given to those who were there.",
           &Metrics::publications, "history", {"kept", "passed"});
  rows.add("spate_publications_suppressed_total",
           "Publications dropped as asked. repeat: their idempotency key had been used. version: "
           "the channel was at that version or above.",
           &Metrics::suppressed, "reason", {"repeat", "version"});
  rows.add(
      "spate_publications_refused_total",
      "Publications refused. no_room: the log had none for them (--history-memory). too_large: "
      "they do not fit into a segment of it.",
      &Metrics::refused, "reason", {"no_room", "too_large"});
  rows.add("spate_history_streams", "Channels whose position is kept.", &Metrics::streams);
  rows.add("spate_history_publications", "Publications kept for history and recovery.",
           &Metrics::kept);
  rows.add("spate_history_results", "Outcomes kept for repeats of their idempotency keys.",
           &Metrics::results);
  rows.add("spate_history_memory_bytes",
           "The log's memory. used: segments that are not free. live: what is still needed in "
           "them.",
           &Metrics::log_bytes, "state", {"used", "live"});
  rows.add("spate_history_memory_limit_bytes", "--history-memory, in whole segments.",
           &Metrics::log_limit);
  rows.add("spate_history_evictions_total",
           "What went before its time to stay within --history-memory. history: a channel's "
           "publications. stream: its position too, so that it goes on in a new epoch.",
           &Metrics::evictions, "kind", {"history", "stream"});
  rows.add("spate_history_copied_bytes_total",
           "Records copied forward so that the segments they were in could be freed.",
           &Metrics::copied_bytes);
  rows.add("spate_broker_joins_total",
           "Joins. dropped: above the rate that a channel may have. suppressed: while workers told "
           "a new broker who is there.",
           &Metrics::joins, "outcome", {"told", "dropped", "suppressed"});
  rows.add("spate_broker_leaves_total",
           "Leaves; all joins less all leaves are there. lost: of clients that went with a worker "
           "before its new broker knew of them.",
           &Metrics::leaves, "outcome", {"told", "dropped", "suppressed", "lost"});
  rows.add("spate_presence_entries", "Clients that are present, once for each channel.",
           &Metrics::presence);
  rows.add("spate_users_online", "Users with a connection, or within the grace time after it.",
           &Metrics::users_online);
  return rows.group();
}

}  // namespace spate::handlers::hub
