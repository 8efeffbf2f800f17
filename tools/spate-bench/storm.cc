// Storm: handshakes are the load.
//
//   connect–close  each slot connects, upgrades, closes and begins again; with --rate a schedule
//   says when,
//                  and what finds no free slot waits for one, its latency counting all the while
//   --reconnect    all connections are held, dropped at once, and all come back at once, again and
//   again
//
// Latency runs from the moment a connect was due to its 101.
#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "tools/spate-bench/arrivals.h"
#include "tools/spate-bench/frames.h"
#include "tools/spate-bench/worker.h"

namespace spate::bench {

namespace {

struct Slot {
  FrameReader reader;
  std::uint64_t closing_since = 0;
};

class StormPlayer final : public Player {
 public:
  explicit StormPlayer(Worker& worker)
      : worker_(worker), options_(worker.options()), slots_(worker.connections().size()) {
    if (options_.open_loop())
      arrivals_.emplace(options_.rate / options_.procs, options_.poisson, 0x5eed + worker.number());
    for (std::uint32_t i = 0; i < slots_.size(); ++i) free_.push_back(i);
  }

  void opened(Connection& connection, std::uint64_t now) override {
    if (!started_) return;
    Stats& stats = worker_.stats();
    stats.received.add();
    if (worker_.measured(connection.due_ns)) stats.latency.record(now - connection.due_ns);
    if (options_.reconnect > 0) return came_back(connection, now);
    slots_[connection.index] = {};
    hang_up(connection, now);
  }

  void received(Connection& connection, ConstBytes bytes, std::uint64_t now) override {
    if (options_.raw) return;
    Listener listener;
    if (!slots_[connection.index].reader.feed(bytes, listener))
      worker_.fail(connection, Error::protocol_error, now);
    else if (listener.closing && !connection.closing)
      worker_.fail(connection, Error::closed_by_server, now);
  }

  void writable(Connection&, std::uint64_t) override {}

  void closed(Connection& connection, std::uint64_t now) override { again(connection, now); }
  void dial_failed(Connection& connection, std::uint64_t) override {
    // Not at once, or a server that refuses would be asked without end: the next sweep frees it.
    resting_.push_back(connection.index);
  }

  void start(std::uint64_t now) override {
    started_ = true;
    if (options_.reconnect > 0) return drop_all(now);
    if (arrivals_) return arrivals_->start(now);
    while (!free_.empty()) dial_next(now);
  }

  [[nodiscard]] std::uint64_t due_ns() const override {
    if (options_.reconnect > 0) return next_drop_ns_;
    return arrivals_ ? arrivals_->due_ns() : kNever;
  }

  void run_due(std::uint64_t now) override {
    if (options_.reconnect > 0) return drop_all(now);
    const std::uint64_t due = arrivals_->due_ns();
    arrivals_->advance();
    if (worker_.measured(due)) worker_.stats().lateness.record(now - due);
    waiting_.push_back(due);
    serve_waiting();
  }

  void sweep(std::uint64_t now) override {
    for (const std::uint32_t index : resting_) again(worker_.connections()[index], now);
    resting_.clear();
    for (Connection& connection : worker_.connections())
      if (connection.open() && connection.closing &&
          now - slots_[connection.index].closing_since > worker_.timeout_ns())
        worker_.fail(connection, Error::close_timed_out, now);
  }

  void stop(std::uint64_t) override { stopped_ = true; }
  [[nodiscard]] bool drained() const override {
    return options_.reconnect > 0 ? back_ == slots_.size()
                                  : free_.size() + resting_.size() == slots_.size();
  }
  void finish(std::uint64_t) override {}

 private:
  struct Listener {
    bool closing = false;
    void message_begin(Opcode) {}
    void message_bytes(ConstBytes) {}
    void message_end() {}
    void control(Opcode opcode, ConstBytes) { closing |= opcode == Opcode::close; }
  };

  // The slot is free: it waits for the schedule, or goes round.
  void again(Connection& connection, std::uint64_t now) {
    if (options_.reconnect > 0) {
      if (started_ && !stopped_) worker_.dial(connection, dropped_ns_);
      return;
    }
    free_.push_back(connection.index);
    if (!started_ || stopped_) return;
    if (arrivals_)
      serve_waiting();
    else
      dial_next(now);
  }

  void serve_waiting() {
    for (; !waiting_.empty() && !free_.empty(); waiting_.pop_front()) dial_next(waiting_.front());
  }

  void dial_next(std::uint64_t due_ns) {
    Connection& connection = worker_.connections()[free_.back()];
    free_.pop_back();
    worker_.stats().sent.add();
    worker_.dial(connection, due_ns);
  }

  void hang_up(Connection& connection, std::uint64_t now) {
    if (options_.raw || options_.abrupt) {
      drop(connection);
      return again(connection, now);
    }
    slots_[connection.index].closing_since = now;
    connection.closing = true;
    worker_.say_goodbye(connection);
  }

  void drop(Connection& connection) {
    const linger reset{1, 0};
    if (options_.abrupt) setsockopt(connection.io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    worker_.close(connection);
  }

  // Those still on their way back go on; their latency counts from the older drop.
  void drop_all(std::uint64_t now) {
    dropped_ns_ = now;
    next_drop_ns_ = now + static_cast<std::uint64_t>(options_.reconnect * 1e9);
    back_ = 0;
    for (Connection& connection : worker_.connections()) {
      if (!connection.open()) continue;
      drop(connection);
      worker_.stats().sent.add();
      worker_.dial(connection, now);
    }
  }

  void came_back(Connection& connection, std::uint64_t now) {
    slots_[connection.index] = {};
    if (++back_ == slots_.size() && worker_.measured(dropped_ns_))
      worker_.stats().last_latency.record(now - dropped_ns_);
  }

  Worker& worker_;
  const Options& options_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> resting_;  // failed; free again at the next sweep
  std::deque<std::uint64_t> waiting_;   // due, and no slot was free
  std::optional<Arrivals> arrivals_;
  std::uint64_t dropped_ns_ = 0;
  std::uint64_t next_drop_ns_ = kNever;
  std::size_t back_ = 0;
  bool started_ = false;
  bool stopped_ = false;
};

}  // namespace

std::unique_ptr<Player> make_storm_player(Worker& worker) {
  return std::make_unique<StormPlayer>(worker);
}

}  // namespace spate::bench
