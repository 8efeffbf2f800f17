// The master's work: a process in every slot, and somebody at every slot's listening sockets.
//
// A worker that dies is replaced at once; after three crashes within ten seconds, with a pause that
// grows. One whose loop stands for stall_ns is ended: SIGABRT, SIGCONT, a second later SIGKILL.
//
// A slot that cannot accept is covered: a neighbour polls its sockets until it is well. That is one
// without a worker, or whose worker is starting, ending or full, or where a connection has waited
// for kPatience while nobody took one.
//
// Slots behind the workers' are those of companions: processes that accept nothing, are supervised
// like workers, and leave when all workers have. Their absence is everybody's outage: they are
// replaced without a growing pause.
//
// The sockets are the master's and outlive every worker, so what waits in their queues is never
// lost. The listeners are watched one-shot: while connections come that is one wake-up of the
// master a kLook, without load none.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/core_metrics.h"
#include "core/reactor.h"
#include "core/signals.h"
#include "core/slots.h"

namespace spate::core {

// What a worker process inherits, besides everything the master had opened.
struct Birth {
  std::uint32_t slot;
  int lifeline;  // becomes readable (its end) when the master is gone
  int master_pid;
};

class Supervisor {
 public:
  // Twice this is how long a connection may wait at a slot that does not accept.
  static constexpr std::int64_t kPatienceNs = 120'000'000;
  // And this, at a slot whose worker is ending.
  static constexpr std::int64_t kLookNs = 20'000'000;
  static constexpr std::int64_t kTickNs = 1'000'000'000;
  static constexpr std::int64_t kCrashWindowNs = 10'000'000'000;
  static constexpr std::int64_t kFirstPauseNs = 1'000'000'000;
  static constexpr std::int64_t kLonelyPauseNs = 100'000'000;
  static constexpr std::int64_t kMaxPauseNs = 30'000'000'000;

  struct Options {
    std::int64_t stall_ns = 0;  // 0: never
    std::int64_t leave_ns = 0;  // how long workers have to leave before they are killed
    // Runs in the new process; its return value is the exit code.
    std::function<int(const Birth&)> work;
    std::string companion = "companion";  // what log lines call one
    // On SIGHUP.
    std::function<void()> on_reload{};
    // After a worker's death, before another takes its slot.
    std::function<void(std::uint32_t slot)> on_gone{};
    // Before a process begins in a slot: its generation.
    std::function<void(std::uint32_t slot)> on_begin{};
    // Null: of its own.
    SlotMetrics* slot_metrics = nullptr;  // one a slot
    ProcessMetrics* process_metrics = nullptr;
  };

  // `listeners[slot]` are that slot's listening sockets.
  Supervisor(Options options, Slots& slots, std::vector<std::vector<int>> listeners);
  ~Supervisor();

  // Until SIGTERM or SIGINT, and until the workers have left. A second one kills them. The exit
  // code.
  int run();

 private:
  struct Place {
    Place(Supervisor& supervisor, std::uint32_t index);
    const MetricsOf<SlotMetrics> metrics;
    int pid = 0;
    std::int64_t born_ns = 0;
    std::array<std::int64_t, 3> crashes{};  // when, the last one first
    std::int64_t pause_ns = 0;              // before the present process, or the next
    std::uint64_t last_turns = 0;
    std::int64_t turned_ns = 0;  // when last_turns changed
    bool aborted = false;        // was sent SIGABRT
    bool stuck = false;          // a connection waits, and nobody takes it
    std::int64_t patient_until_ns = 0;
    std::uint64_t accepts_seen = 0;  // when a connection was seen waiting
    std::uint64_t turns_seen = 0;
    PreciseTimer restart;
    PreciseTimer check;
    PreciseTimer kill;
  };
  // Events of the listeners (index: slot) and of the master's wake-up.
  class ListenerSink final : public EventSink {
   public:
    explicit ListenerSink(Supervisor& supervisor) : supervisor_(supervisor) {}
    void on_event(std::uint32_t slot, std::uint32_t, std::uint32_t) override {
      supervisor_.on_waiting(slot);
    }

   private:
    Supervisor& supervisor_;
  };
  class WakeSink final : public EventSink {
   public:
    explicit WakeSink(Supervisor& supervisor) : supervisor_(supervisor) {}
    void on_event(std::uint32_t, std::uint32_t, std::uint32_t) override;

   private:
    Supervisor& supervisor_;
  };

  int start();
  void spawn(std::uint32_t slot);
  [[noreturn]] void become_worker(std::uint32_t slot);
  void on_signal(int signal);
  void reap_all();
  void on_death(std::uint32_t slot, int status);
  void plan_restart(std::uint32_t slot, bool crashed);
  void on_waiting(std::uint32_t slot);
  void look(std::uint32_t slot);
  void check_waiting(std::uint32_t slot);
  void watch_listeners(std::uint32_t slot, bool first);
  void tick();
  void end_stalled(std::uint32_t slot);
  void review();
  bool healthy(std::uint32_t slot) const;
  std::uint32_t neighbour_of(std::uint32_t slot) const;
  void begin_leaving();
  void kill_all();
  bool anybody() const;
  bool any_worker() const;
  bool companion(std::uint32_t slot) const { return slot >= slots_.count(); }
  std::string name_of(std::uint32_t slot) const;
  void dismiss_companions();

  const Options options_;
  const MetricsOf<ProcessMetrics> process_metrics_;
  Slots& slots_;
  const std::vector<std::vector<int>> listeners_;
  Reactor reactor_;
  SignalWatch signals_;
  ListenerSink listener_sink_;
  WakeSink wake_sink_;
  const std::uint16_t listener_sink_number_;
  const std::uint16_t wake_sink_number_;
  std::vector<std::unique_ptr<Place>> places_;
  PreciseTimer tick_;
  PreciseTimer leave_deadline_;
  int lifeline_read_ = -1;
  int lifeline_write_ = -1;
  bool announced_ = false;  // that all workers are ready
  bool leaving_ = false;
  bool dismissed_ = false;           // companions were told to leave
  std::uint64_t drops_counted_ = 0;  // of log::dropped()
};

}  // namespace spate::core
