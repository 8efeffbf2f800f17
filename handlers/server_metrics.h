// All metrics of a server: core's, handlers', and those of the modules, with the memory that its
// processes count in. Made in the master, before the first fork.
#pragma once

#include <cstdint>
#include <string>

#include "core/core_metrics.h"
#include "core/metric_pages.h"
#include "core/metric_table.h"
#include "core/metric_text.h"
#include "core/slots.h"
#include "handlers/handler_metrics.h"
#include "handlers/registry.h"

namespace spate::handlers {

// What the process beside the workers is called, if there is one.
inline constexpr std::string_view kCompanionName = "broker";

class ServerMetrics {
 public:
  // Names everything; the modules add theirs.
  ServerMetrics(const Registry& registry, core::Slots& slots);

  // 0 or a negative errno.
  int create();

  const core::MetricTable& table() const { return table_; }
  const core::CoreMetrics& core() const { return core_; }
  const HandlerMetrics& handlers() const { return handlers_; }
  // Where a slot's worker counts.
  core::MetricView worker(std::uint32_t slot) const { return pages_.worker(slot); }
  // Where the master counts.
  core::MetricView instance() const { return pages_.instance(); }
  core::ProcessMetrics& master_process() const {
    return instance().of(core_.processes, slots_.all());
  }

  // In a worker: what the endpoint that counts there is called in what this process writes.
  void name_endpoint(std::uint32_t place, std::string_view path) {
    table_.name(handlers_.endpoints, place, path);
  }

  // In the master, when a slot's worker is dead: what it held is gone, what it counted is not.
  void on_worker_gone(std::uint32_t slot);

  // As Prometheus reads them, now. In any process; reads a small file for each.
  std::string text(core::MetricSplit split) const;

 private:
  void collect(const core::MetricView& scrape) const;

  core::Slots& slots_;
  core::MetricTable table_;
  core::CoreMetrics core_;
  HandlerMetrics handlers_;
  core::MetricPages pages_;
  const std::int64_t started_ns_;
  const int master_pid_;
};

}  // namespace spate::handlers
