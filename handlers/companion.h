// The process beside the workers: a loop with what modules have mounted in it, and no listeners. It
// leaves when the master says so, which is when all workers have left; without a master, when it
// sees that they have.
#pragma once

#include "core/reactor.h"
#include "core/signals.h"
#include "core/slots.h"
#include "core/supervisor.h"
#include "handlers/registry.h"
#include "handlers/server_metrics.h"

namespace spate::handlers {

class Companion {
 public:
  Companion(const Registry& registry, core::Slots& slots, ServerMetrics& metrics,
            const core::Birth& birth);
  ~Companion();

  // The exit code.
  int run();

 private:
  class Lifeline final : public core::EventSink {
   public:
    explicit Lifeline(Companion& companion) : companion_(companion) {}
    void on_event(std::uint32_t, std::uint32_t, std::uint32_t) override {
      companion_.on_master_gone();
    }

   private:
    Companion& companion_;
  };

  int start();
  void on_master_gone();
  void tick();
  bool any_worker() const;

  const Registry& registry_;
  core::Slots& slots_;
  ServerMetrics& metrics_;
  const core::Birth birth_;
  core::Reactor reactor_;
  core::SignalWatch signals_;
  Lifeline lifeline_;
  const std::uint16_t lifeline_number_;
  core::PreciseTimer tick_;
  bool orphan_ = false;
  std::uint64_t drops_counted_ = 0;  // of log::dropped()
};

}  // namespace spate::handlers
