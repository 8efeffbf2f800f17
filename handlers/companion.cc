#include "handlers/companion.h"

#include <signal.h>

#include <cstring>
#include <string>

#include "core/log.h"
#include "core/process.h"
#include "core/sys.h"

namespace spate::handlers {

namespace {

constexpr std::int64_t kTickNs = 1'000'000'000;

}  // namespace

Companion::Companion(const Registry& registry, core::Slots& slots, ServerMetrics& metrics,
                     const core::Birth& birth)
    : registry_(registry),
      slots_(slots),
      metrics_(metrics),
      birth_(birth),
      reactor_({.max_events = 64, .metrics = &metrics.worker(birth.slot).of(metrics.core().loop)}),
      signals_(reactor_, [this](int) { reactor_.stop(); }),
      lifeline_(*this),
      lifeline_number_(reactor_.add_sink(lifeline_)),
      tick_([this] { tick(); }) {}

Companion::~Companion() {
  reactor_.precise().cancel(tick_);
  for (const auto& module : registry_.modules()) module->unmount_companion();
}

int Companion::run() {
  int error = start();
  if (error == 0) error = reactor_.run();
  if (error != 0)
    core::log::error("the broker cannot go on: {reason}", {{"reason", std::strerror(-error)}});
  core::log::flush(100);
  return error == 0 ? 0 : 1;
}

int Companion::start() {
  const std::string name(kCompanionName);
  core::set_process_title("spate: " + name);
  core::log::set_process(name);
  drops_counted_ = core::log::dropped();
  int error = reactor_.open();
  // SIGINT from a terminal reaches the whole group; the master is the one to act on it.
  if (error == 0) error = signals_.watch({SIGTERM});
  if (error == 0) error = reactor_.add(birth_.lifeline, EPOLLIN, {lifeline_number_, 0, 0});
  if (error != 0) return error;
  reactor_.set_turn_word(slots_[birth_.slot].turns);
  reactor_.precise().arm(tick_, core::sys::monotonic_ns() + kTickNs);
  const CompanionMounts mounts{reactor_, metrics_.worker(birth_.slot)};
  for (const auto& module : registry_.modules()) module->mount_companion(mounts);
  slots_[birth_.slot].state.store(core::WorkerState::ready);
  slots_.wake_master();
  return 0;
}

void Companion::tick() {
  core::log::tick();
  metrics_.worker(birth_.slot)
      .of(metrics_.core().processes, birth_.slot)
      .log_lines_dropped.add(core::log::dropped() - drops_counted_);
  drops_counted_ = core::log::dropped();
  if (orphan_ && !any_worker()) return reactor_.stop();
  reactor_.precise().arm(tick_, core::sys::monotonic_ns() + kTickNs);
}

void Companion::on_master_gone() {
  (void)reactor_.remove(birth_.lifeline);
  orphan_ = true;
}

bool Companion::any_worker() const {
  for (std::uint32_t slot = 0; slot < slots_.count(); ++slot) {
    const int pid = slots_[slot].pid.load();
    if (pid > 0 && core::sys::kill(pid, 0) == 0) return true;
  }
  return false;
}

}  // namespace spate::handlers
