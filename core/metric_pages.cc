#include "core/metric_pages.h"

#include "core/sys.h"

namespace spate::core {

namespace {

constexpr std::size_t kPageBytes = 4096;

constexpr std::size_t whole_pages(std::size_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

}  // namespace

MetricPages::~MetricPages() {
  if (pages_ != nullptr) sys::unmap(pages_, bytes());
}

int MetricPages::create(const MetricTable& table, std::uint32_t workers) {
  workers_ = workers;
  instance_bytes_ = whole_pages(table.block_bytes(MetricScope::instance));
  worker_bytes_ = whole_pages(table.block_bytes(MetricScope::worker));
  const int fd = sys::memfd_create("spate-metrics");
  if (fd < 0) return fd;
  int result = sys::ftruncate(fd, bytes());
  std::byte* const at = result == 0 ? sys::reserve(bytes()) : nullptr;
  if (at != nullptr && sys::map_shared(at, bytes(), fd, 0))
    pages_ = at;
  else if (result == 0)
    result = -ENOMEM;
  sys::close(fd);
  if (result != 0) return result;
  table.construct(MetricScope::instance, pages_);
  for (std::uint32_t slot = 0; slot < workers_; ++slot)
    table.construct(MetricScope::worker, worker_block(slot));
  return 0;
}

void MetricPages::clear_gauges(const MetricTable& table, std::uint32_t slot) {
  for (const MetricFamily& family : table.families()) {
    if (family.kind != MetricKind::gauge || family.scope != MetricScope::worker) continue;
    for (const MetricSeries& series : family.series)
      std::launder(reinterpret_cast<Gauge*>(worker_block(slot) + series.offset))->set(0);
  }
}

}  // namespace spate::core
