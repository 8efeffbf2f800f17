// What a LogBroker counts. Names and meanings are in broker_metrics.cc.
#pragma once

#include <array>

#include "core/metric_table.h"
#include "core/metrics.h"

namespace spate::handlers::hub {

struct alignas(64) BrokerMetrics {
  static core::MetricGroup<BrokerMetrics> add_to(core::MetricTable& table);

  std::array<core::Counter, 2> publications;  // kept, passed on
  core::Gauge streams;
  core::Gauge kept;
  std::array<core::Gauge, 2> log_bytes;  // used, live
  core::Gauge log_limit;
  core::Gauge results;

  std::array<core::Counter, 2> suppressed;  // repeat, version
  std::array<core::Counter, 2> evictions;   // history, stream
  std::array<core::Counter, 2> refused;     // no room, too large
  core::Counter copied_bytes;
  core::Counter joins_leaves_dropped;
  core::Gauge presence;
  core::Gauge users_online;
};

}  // namespace spate::handlers::hub
