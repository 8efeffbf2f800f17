// What is counted of the bus. Names and meanings are in bus_metrics.cc.
#pragma once

#include <array>

#include "core/metric_table.h"
#include "core/metrics.h"

namespace spate::handlers::hub {

struct alignas(64) BusMetrics {
  static core::MetricGroup<BusMetrics> add_to(core::MetricTable& table);

  // The broker's.
  core::Counter requests;
  core::Counter events;
  core::Counter starts;
  core::Counter questions_lost;
  core::Gauge syncing;

  // A worker's.
  core::Counter laps;
  core::Counter events_lost;
  core::Counter overflows;   // requests that waited for room in the ring
  core::Counter unanswered;  // in time
  core::Gauge waiting;
  core::Counter rereads;  // of the log, because what was named had moved
  core::Counter shared_readings;
};

}  // namespace spate::handlers::hub
