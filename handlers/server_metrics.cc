#include "handlers/server_metrics.h"

#include <cstdlib>
#include <memory>

#include "core/process_usage.h"
#include "core/sys.h"

namespace spate::handlers {

using core::MetricScope;

ServerMetrics::ServerMetrics(const Registry& registry, core::Slots& slots)
    : slots_(slots),
      core_(core::CoreMetrics::add_to(
          table_, {slots.count(), slots.all() > slots.count() ? std::string(kCompanionName) : ""})),
      handlers_(HandlerMetrics::add_to(table_)),
      started_ns_(core::sys::monotonic_ns()),
      master_pid_(core::sys::getpid()) {
  for (const auto& module : registry.modules()) module->add_metrics(table_);
}

int ServerMetrics::create() {
  const int error = pages_.create(table_, slots_.all());
  if (error == 0) instance().of(handlers_.build).info[0].set(1);
  return error;
}

void ServerMetrics::on_worker_gone(std::uint32_t slot) {
  instance()
      .of(core_.slots, slot)
      .connections_lost.add(worker(slot).of(core_.connections).connections);
  pages_.clear_gauges(table_, slot);
}

std::string ServerMetrics::text(core::MetricSplit split) const {
  struct Free {
    void operator()(std::byte* block) const { std::free(block); }
  };
  const std::size_t bytes = table_.block_bytes(MetricScope::scrape);
  const std::unique_ptr<std::byte, Free> scrape(
      static_cast<std::byte*>(std::aligned_alloc(core::MetricTable::kBlockAlignment, bytes)));
  SPATE_CHECK(scrape != nullptr);
  table_.construct(MetricScope::scrape, scrape.get());
  collect({nullptr, nullptr, scrape.get()});
  return core::metric_text(table_, pages_, scrape.get(), split);
}

void ServerMetrics::collect(const core::MetricView& scrape) const {
  core::StateMetrics& state = scrape.of(core_.state);
  state.uptime_ns.set(static_cast<std::uint64_t>(core::sys::monotonic_ns() - started_ns_));
  const auto use = [&](std::uint32_t process, int pid) {
    if (pid <= 0) return;
    const core::ProcessUsage usage = core::process_usage(pid);
    core::UsageMetrics& metrics = scrape.of(core_.usage, process);
    metrics.cpu_ns.add(usage.cpu_ns);
    metrics.resident_bytes.set(usage.resident_bytes);
  };
  for (std::uint32_t slot = 0; slot < slots_.all(); ++slot) {
    if (slot < slots_.count())
      state.workers[static_cast<std::size_t>(slots_[slot].state.load())].add();
    use(slot, slots_[slot].pid.load());
  }
  use(slots_.all(), master_pid_);
}

}  // namespace spate::handlers
