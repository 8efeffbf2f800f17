#include "core/supervisor.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "core/log.h"
#include "core/process.h"
#include "core/sys.h"

namespace spate::core {

namespace {

std::string last_message_of(const Slot& slot) {
  const std::uint64_t word = slot.last_message.load(std::memory_order_relaxed);
  if (word == 0) return "none";
  return "opcode " + std::to_string(word >> 56) + ", " +
         std::to_string(word & ((std::uint64_t{1} << 56) - 1)) + " bytes";
}

}  // namespace

Supervisor::Place::Place(Supervisor& supervisor, std::uint32_t index)
    : metrics(supervisor.options_.slot_metrics == nullptr
                  ? nullptr
                  : supervisor.options_.slot_metrics + index),
      restart([&supervisor, index] { supervisor.spawn(index); }),
      check([&supervisor, index] { supervisor.look(index); }),
      kill([this] {
        if (pid > 0) (void)sys::kill(pid, SIGKILL);
      }) {}

void Supervisor::WakeSink::on_event(std::uint32_t, std::uint32_t, std::uint32_t) {
  Slots::take_wake(supervisor_.slots_.master_wake_fd());
  supervisor_.review();
}

Supervisor::Supervisor(Options options, Slots& slots, std::vector<std::vector<int>> listeners)
    : options_(std::move(options)),
      process_metrics_(options_.process_metrics),
      slots_(slots),
      listeners_(std::move(listeners)),
      reactor_({.max_events = 64}),
      signals_(reactor_, [this](int signal) { on_signal(signal); }),
      listener_sink_(*this),
      wake_sink_(*this),
      listener_sink_number_(reactor_.add_sink(listener_sink_)),
      wake_sink_number_(reactor_.add_sink(wake_sink_)),
      tick_([this] { tick(); }),
      leave_deadline_([this] { kill_all(); }) {
  for (std::uint32_t i = 0; i < slots_.all(); ++i)
    places_.push_back(std::make_unique<Place>(*this, i));
}

Supervisor::~Supervisor() {
  for (const auto& place : places_)
    for (PreciseTimer* timer : {&place->restart, &place->check, &place->kill})
      reactor_.precise().cancel(*timer);
  reactor_.precise().cancel(tick_);
  reactor_.precise().cancel(leave_deadline_);
  if (lifeline_read_ >= 0) sys::close(lifeline_read_);
  if (lifeline_write_ >= 0) sys::close(lifeline_write_);
}

int Supervisor::run() {
  int error = start();
  if (error == 0) error = reactor_.run();
  if (error == 0) return 0;
  log::error("the master cannot go on: {reason}", {{"reason", std::strerror(-error)}});
  kill_all();
  return 1;
}

int Supervisor::start() {
  int error = reactor_.open();
  if (error == 0) error = sys::pipe(&lifeline_read_, &lifeline_write_);
  if (error == 0) error = signals_.watch({SIGTERM, SIGINT, SIGCHLD, SIGHUP, SIGUSR2});
  if (error == 0) error = reactor_.add(slots_.master_wake_fd(), EPOLLIN, {wake_sink_number_, 0, 0});
  if (error != 0) return error;
  // Companions first: workers have something to ask them.
  for (std::uint32_t i = slots_.all(); i-- > 0;) {
    if (!companion(i)) watch_listeners(i, true);
    spawn(i);
  }
  reactor_.precise().arm(tick_, sys::monotonic_ns() + kTickNs);
  return 0;
}

void Supervisor::spawn(std::uint32_t index) {
  if (leaving_ && !(companion(index) && any_worker())) return;
  Slot& slot = slots_[index];
  Place& place = *places_[index];
  slot.state.store(WorkerState::starting);
  slot.life.reset();
  slot.full.store(false);
  slot.refuse.store(false);
  slot.last_message.store(0, std::memory_order_relaxed);
  const bool again = slot.generation.fetch_add(1) > 0;
  place.born_ns = place.turned_ns = sys::monotonic_ns();
  place.aborted = place.stuck = false;
  if (options_.on_begin) options_.on_begin(index);
  const int pid = sys::fork();
  if (pid == 0) become_worker(index);
  if (pid < 0) {
    log::error("cannot start {process}: {reason}",
               {{"process", name_of(index)}, {"reason", std::strerror(-pid)}});
    slot.state.store(WorkerState::absent);
    if (options_.on_gone) options_.on_gone(index);
    return plan_restart(index, true);
  }
  place.pid = pid;
  slot.pid.store(pid);
  if (again) place.metrics->restarts.add();
}

void Supervisor::become_worker(std::uint32_t index) {
  // The master's loop is not this process's: its descriptors go, its registrations stay the
  // master's.
  reactor_.forget();
  signals_.forget();
  sys::close(lifeline_write_);
  slots_[index].life.hold();
  sys::exit_now(
      options_.work({.slot = index, .lifeline = lifeline_read_, .master_pid = sys::parent_pid()}));
}

void Supervisor::on_signal(int signal) {
  switch (signal) {
    case SIGCHLD:
      return reap_all();
    case SIGHUP:
      if (options_.on_reload && !leaving_) options_.on_reload();
      return;
    case SIGTERM:
    case SIGINT:
      if (!leaving_) return begin_leaving();
      log::warn("told twice to stop: ending at once");
      return kill_all();
    default:
      log::info("signal {signal} is not used yet", {{"signal", signal}});
  }
}

void Supervisor::reap_all() {
  int status = 0;
  for (int pid = sys::reap(&status); pid > 0; pid = sys::reap(&status)) {
    for (std::uint32_t i = 0; i < slots_.all(); ++i)
      if (places_[i]->pid == pid) on_death(i, status);
  }
  if (!leaving_) return;
  if (!any_worker()) dismiss_companions();
  if (!anybody()) reactor_.stop();
}

void Supervisor::on_death(std::uint32_t index, int status) {
  Slot& slot = slots_[index];
  Place& place = *places_[index];
  const bool crashed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  if (crashed && !leaving_) {
    const std::string how =
        WIFSIGNALED(status) ? std::string("killed by signal ") + std::to_string(WTERMSIG(status)) +
                                  " (" + ::strsignal(WTERMSIG(status)) + ")"
                            : "ended with code " + std::to_string(WEXITSTATUS(status));
    log::error("{process} was {how}; its last message: {message}",
               {{"process", name_of(index)},
                {"how", how},
                {"message", last_message_of(slot)},
                {"pid", place.pid},
                {"build", build_id()}});
  } else if (!leaving_) {
    log::info("{process} has left", {{"process", name_of(index)}, {"pid", place.pid}});
  }
  if (crashed) place.metrics->crashes.add();
  place.pid = 0;
  slot.pid.store(0);
  slot.state.store(WorkerState::absent);
  reactor_.precise().cancel(place.kill);
  if (options_.on_gone) options_.on_gone(index);
  if (leaving_ && !(companion(index) && any_worker())) return;
  plan_restart(index, crashed);
  review();
}

void Supervisor::plan_restart(std::uint32_t index, bool crashed) {
  if (!crashed) return spawn(index);
  Place& place = *places_[index];
  const std::int64_t now = sys::monotonic_ns();
  place.crashes = {now, place.crashes[0], place.crashes[1]};
  const bool often = place.crashes[2] != 0 && now - place.crashes[2] < kCrashWindowNs;
  const bool again = place.pause_ns > 0 && now - place.born_ns < kCrashWindowNs;
  place.pause_ns = often || again ? std::clamp(2 * place.pause_ns, kFirstPauseNs, kMaxPauseNs) : 0;
  if (place.pause_ns == 0) return spawn(index);
  // Where nobody else serves, a long pause would be an outage.
  if (companion(index) || !any_worker()) place.pause_ns = kLonelyPauseNs;
  log::warn("{process} keeps crashing: next try in {seconds} s",
            {{"process", name_of(index)}, {"seconds", static_cast<double>(place.pause_ns) / 1e9}});
  reactor_.precise().arm(place.restart, now + place.pause_ns);
}

// --- Who accepts at a slot's sockets.

void Supervisor::watch_listeners(std::uint32_t index, bool first) {
  if (slots_.count() < 2) return;  // nobody else could accept
  for (const int fd : listeners_[index]) {
    constexpr std::uint32_t kOnce = EPOLLIN | EPOLLONESHOT;
    const Handle handle{listener_sink_number_, index, 0};
    (void)(first ? reactor_.add(fd, kOnce, handle) : reactor_.modify(fd, kOnce, handle));
  }
}

void Supervisor::on_waiting(std::uint32_t index) {
  Place& place = *places_[index];
  if (place.check.armed()) return;
  place.accepts_seen = slots_[index].accepts.load(std::memory_order_relaxed);
  place.turns_seen = slots_[index].turns.load(std::memory_order_relaxed);
  place.patient_until_ns = sys::monotonic_ns() + kPatienceNs;
  look(index);
}

// At once when a connection waits, and until the patience is over: is anybody left to take it?
void Supervisor::look(std::uint32_t index) {
  if (leaving_) return;
  Place& place = *places_[index];
  if (!healthy(index)) review();
  const std::int64_t now = sys::monotonic_ns();
  if (now >= place.patient_until_ns) return check_waiting(index);
  reactor_.precise().arm(place.check, std::min(now + kLookNs, place.patient_until_ns));
}

// A patience after a connection was seen waiting: has anything been taken since?
void Supervisor::check_waiting(std::uint32_t index) {
  Place& place = *places_[index];
  Slot& slot = slots_[index];
  const std::uint64_t turns = slot.turns.load(std::memory_order_relaxed);
  const bool was_stuck = place.stuck;
  if (place.stuck) {
    place.stuck = turns == place.turns_seen;  // until its own loop turns again
  } else {
    const bool waiting =
        std::ranges::any_of(listeners_[index], [](int fd) { return sys::poll_readable(fd) == 1; });
    place.stuck = waiting && place.pid > 0 &&
                  slot.accepts.load(std::memory_order_relaxed) == place.accepts_seen;
    place.turns_seen = turns;
  }
  if (place.stuck != was_stuck) {
    if (place.stuck)
      log::warn("worker {slot} does not accept: a neighbour does", {{"slot", index}});
    review();
  }
  if (place.stuck)
    reactor_.precise().arm(place.check, sys::monotonic_ns() + kPatienceNs);
  else
    watch_listeners(index, false);
}

bool Supervisor::healthy(std::uint32_t index) const {
  Slot& slot = slots_[index];
  return slot.state.load() == WorkerState::ready && slot.life.held() && !slot.full.load() &&
         !places_[index]->stuck;
}

std::uint32_t Supervisor::neighbour_of(std::uint32_t index) const {
  for (std::uint32_t step = 1; step < slots_.count(); ++step) {
    const std::uint32_t other = (index + step) % slots_.count();
    if (healthy(other)) return other;
  }
  return Slot::kNobody;
}

// Decides anew who covers whom, and wakes those for whom something changed.
void Supervisor::review() {
  const auto count = [this](WorkerState state) {
    std::uint32_t found = 0;
    for (std::uint32_t i = 0; i < slots_.count(); ++i) found += slots_[i].state.load() == state;
    return found;
  };
  if (!announced_ && count(WorkerState::ready) == slots_.count()) {
    announced_ = true;
    log::info("ready: {workers} workers", {{"workers", slots_.count()}});
  }
  // Somebody who is about to be ready may have a place.
  const bool somebody_comes = count(WorkerState::starting) > 0;
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    Slot& slot = slots_[i];
    const std::uint32_t before = slot.covered_by.load();
    const std::uint32_t after = healthy(i) || leaving_ ? Slot::kNobody : neighbour_of(i);
    const bool refuse = slot.full.load() && after == Slot::kNobody && !somebody_comes && !leaving_;
    if (refuse != slot.refuse.load()) {
      slot.refuse.store(refuse);
      slots_.wake(i);
    }
    if (before == after) continue;
    slot.covered_by.store(after);
    if (after != Slot::kNobody) places_[i]->metrics->covers.add();
    if (before != Slot::kNobody) slots_.wake(before);
    if (after != Slot::kNobody) slots_.wake(after);
  }
}

// --- Workers that stand still, and leaving.

void Supervisor::tick() {
  const std::int64_t now = sys::monotonic_ns();
  for (std::uint32_t i = 0; i < slots_.all(); ++i) {
    Place& place = *places_[i];
    const std::uint64_t turns = slots_[i].turns.load(std::memory_order_relaxed);
    if (turns != place.last_turns) {
      place.last_turns = turns;
      place.turned_ns = now;
    } else if (options_.stall_ns > 0 && place.pid > 0 && !place.aborted &&
               now - place.turned_ns >= options_.stall_ns) {
      end_stalled(i);
    }
  }
  log::tick();
  process_metrics_->log_lines_dropped.add(log::dropped() - drops_counted_);
  drops_counted_ = log::dropped();
  reactor_.precise().arm(tick_, now + kTickNs);
}

void Supervisor::end_stalled(std::uint32_t index) {
  Place& place = *places_[index];
  place.aborted = true;
  place.metrics->stalls.add();
  log::error("{process} has stood still too long (--stall-ms): ending it",
             {{"process", name_of(index)}, {"pid", place.pid}});
  (void)sys::kill(place.pid, SIGABRT);  // a core file shows where it stands
  (void)sys::kill(place.pid, SIGCONT);  // a stopped process takes no other signal
  reactor_.precise().arm(place.kill, sys::monotonic_ns() + 1'000'000'000);
}

void Supervisor::begin_leaving() {
  leaving_ = true;
  slots_.set_leaving();
  log::info("leaving: {workers} workers drain", {{"workers", slots_.count()}});
  review();
  for (std::uint32_t i = 0; i < slots_.count(); ++i) {
    reactor_.precise().cancel(places_[i]->restart);
    if (places_[i]->pid > 0) (void)sys::kill(places_[i]->pid, SIGTERM);
  }
  if (!any_worker()) dismiss_companions();
  reactor_.precise().arm(leave_deadline_, sys::monotonic_ns() + options_.leave_ns);
  if (!anybody()) reactor_.stop();
}

void Supervisor::kill_all() {
  for (const auto& place : places_)
    if (place->pid > 0) (void)sys::kill(place->pid, SIGKILL);
}

bool Supervisor::anybody() const {
  return std::ranges::any_of(places_, [](const auto& place) { return place->pid > 0; });
}

bool Supervisor::any_worker() const {
  return std::any_of(places_.begin(), places_.begin() + slots_.count(),
                     [](const auto& place) { return place->pid > 0; });
}

// Nobody asks them any more.
void Supervisor::dismiss_companions() {
  if (std::exchange(dismissed_, true)) return;
  for (std::uint32_t i = slots_.count(); i < slots_.all(); ++i) {
    reactor_.precise().cancel(places_[i]->restart);
    if (places_[i]->pid > 0) (void)sys::kill(places_[i]->pid, SIGTERM);
  }
}

std::string Supervisor::name_of(std::uint32_t slot) const {
  return companion(slot) ? options_.companion : "worker " + std::to_string(slot);
}

}  // namespace spate::core
