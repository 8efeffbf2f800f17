// Metrics as Prometheus reads them: the text exposition format 0.0.4. Any process, at any time.
#pragma once

#include <string>

#include "core/metric_pages.h"

namespace spate::core {

inline constexpr const char* kMetricTextType = "text/plain; version=0.0.4";

enum class MetricSplit : std::uint8_t {
  none,       // one sample for all workers: their sum
  by_worker,  // one a worker, with a label worker="0", worker="1" …
};

// Every family of the table with its help and type; those of the worker scope summed or split.
// `scrape` is that scope's block, filled; null when the table has no such families. Allocates a
// handful of times, however many workers there are.
std::string metric_text(const MetricTable& table, const MetricPages& pages, const std::byte* scrape,
                        MetricSplit split);

}  // namespace spate::core
