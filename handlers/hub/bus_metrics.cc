#include "handlers/hub/bus_metrics.h"

namespace spate::handlers::hub {

core::MetricGroup<BusMetrics> BusMetrics::add_to(core::MetricTable& table) {
  using Metrics = BusMetrics;
  auto rows = table.group<Metrics>(core::MetricScope::worker);
  rows.add("spate_bus_requests_total", "Requests of workers that the broker process has served.",
           &Metrics::requests);
  rows.add("spate_bus_events_total", "Publications, joins and leaves that it has told all workers.",
           &Metrics::events);
  rows.add("spate_broker_starts_total", "Broker processes that have taken over.", &Metrics::starts);
  rows.add("spate_bus_questions_lost_total",
           "Calls across workers that could not be passed on or answered.",
           &Metrics::questions_lost);
  rows.add("spate_broker_syncing", "1 while workers say again who is there.", &Metrics::syncing);
  rows.add("spate_bus_laps_total",
           "Times that a worker was so slow that events were overwritten before it had read them.",
           &Metrics::laps);
  rows.add("spate_bus_events_lost_total",
           "Events that a worker did not read. What has history is fetched from there.",
           &Metrics::events_lost);
  rows.add("spate_bus_overflows_total",
           "Requests that waited because the worker's ring, or that of its replies, was full.",
           &Metrics::overflows);
  rows.add("spate_bus_unanswered_total", "Requests without an answer in time.",
           &Metrics::unanswered);
  rows.add("spate_bus_waiting", "Requests that are waiting for their answer.", &Metrics::waiting);
  rows.add("spate_bus_rereads_total",
           "Readings of the history that were repeated because the log had moved on.",
           &Metrics::rereads);
  rows.add("spate_bus_shared_readings_total",
           "Readings of the history that were answered with another's.", &Metrics::shared_readings);
  return rows.group();
}

}  // namespace spate::handlers::hub
