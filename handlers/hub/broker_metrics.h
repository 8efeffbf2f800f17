// What a LogBroker counts. Names and meanings are in broker_metrics.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/metric_table.h"
#include "core/metrics.h"

namespace spate::handlers::hub {

// What becomes of a join or a leave. What joins and leaves come to, whatever became of them, is who
// is there; but for one at most each time that the broker's process is killed between telling and
// counting.
enum class PresenceEvent : std::uint8_t {
  told,
  dropped,     // above the channel's rate
  suppressed,  // while a new broker does not know yet who is there
  lost,        // a leave: of who went with a worker when no broker knew of it
};

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
  std::array<core::Counter, 3> joins;   // by PresenceEvent
  std::array<core::Counter, 4> leaves;  // the same

  void count_join(PresenceEvent what) { joins[static_cast<std::size_t>(what)].add(); }
  void count_leave(PresenceEvent what, std::uint64_t n = 1) {
    leaves[static_cast<std::size_t>(what)].add(n);
  }

  core::Gauge presence;
  core::Gauge users_online;
};

}  // namespace spate::handlers::hub
