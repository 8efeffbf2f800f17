// The memory behind a MetricTable's groups: a block for the instance, then one a worker slot, each
// on pages of its own.
//
//      | instance | slot 0 | slot 1 | … |       one memfd, mapped by the master and all workers
//
// The blocks outlive the workers: a slot's counters and histograms go on where the dead worker left
// them. Its gauges told what it held, and it holds nothing any more: the master clears them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/metric_table.h"

namespace spate::core {

// One block of each scope: what one process counts into, or one reader reads from.
class MetricView {
 public:
  MetricView() = default;
  MetricView(std::byte* worker, std::byte* instance, std::byte* scrape)
      : blocks_{worker, instance, scrape} {}

  template <typename T>
  T& of(const MetricGroup<T>& group, std::uint32_t index = 0) const {
    std::byte* const block = blocks_[static_cast<std::size_t>(group.scope)];
    SPATE_CHECK(block != nullptr && index < group.count);
    return *std::launder(reinterpret_cast<T*>(block + group.offset + index * sizeof(T)));
  }

 private:
  std::array<std::byte*, kMetricScopes> blocks_{};
};

class MetricPages {
 public:
  MetricPages() = default;
  ~MetricPages();
  MetricPages(const MetricPages&) = delete;
  MetricPages& operator=(const MetricPages&) = delete;

  // In the master, before any fork; the table is complete. 0 or a negative errno.
  int create(const MetricTable& table, std::uint32_t workers);

  std::uint32_t workers() const { return workers_; }
  // A slot's block and the instance's.
  MetricView worker(std::uint32_t slot) const { return {worker_block(slot), pages_, nullptr}; }
  // The instance's alone.
  MetricView instance() const { return {nullptr, pages_, nullptr}; }
  const std::byte* instance_block() const { return pages_; }
  const std::byte* block(std::uint32_t slot) const { return worker_block(slot); }

  // In the master, after a worker's death.
  void clear_gauges(const MetricTable& table, std::uint32_t slot);

 private:
  std::byte* worker_block(std::uint32_t slot) const {
    SPATE_CHECK(slot < workers_);
    return pages_ + instance_bytes_ + slot * worker_bytes_;
  }
  std::size_t bytes() const { return instance_bytes_ + workers_ * worker_bytes_; }

  std::byte* pages_ = nullptr;
  std::uint32_t workers_ = 0;
  std::size_t instance_bytes_ = 0;  // whole pages
  std::size_t worker_bytes_ = 0;
};

}  // namespace spate::core
