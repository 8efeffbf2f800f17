// A transport of strings, and a loop without descriptors that drives a ConnectionTable over it as
// level-triggered epoll would. Every receive and send can be made short, refused or fatal; time
// moves when the test says so.
//
//   MemoryLoop loop({.outbox_bytes = 4096});
//   Wire& wire = loop.connect(protocol);
//   wire.to_server += "bytes";
//   loop.settle();                        // turns until nothing is ready
//   EXPECT_EQ(wire.to_client, "bytes");
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <string>

#include "core/connection_table.h"
#include "core/reactor.h"
#include "tests/core/random.h"

namespace spate::test {

// One connection as its client sees it.
struct Wire {
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  std::string to_server;            // sent by the client, not yet received
  std::string to_client;            // sent by the server; the test takes from it as it likes
  std::uint64_t room = kUnlimited;  // what the server can send until it meets EAGAIN
  bool client_ended = false;        // the client sends no more
  bool reset = false;               // the connection is broken
  bool server_ended = false;        // the server has shut its sending side
  bool closed = false;              // the server has closed

  // The server's.
  core::Connection* connection = nullptr;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
};

class MemoryTransport final : public core::Transport {
 public:
  enum class Operation : std::uint8_t { recv, send };
  struct Fault {
    int error = 0;                                                // an errno; 0: none
    std::size_t bytes = std::numeric_limits<std::size_t>::max();  // at most these are moved
  };
  // Asked before each receive and send that would move bytes; `number` counts them from 0.
  using Plan = std::function<Fault(Operation, std::uint64_t number)>;

  void set_plan(Plan plan) {
    plan_ = std::move(plan);
    operations_ = 0;
  }
  std::uint64_t operations() const { return operations_; }
  std::uint64_t sends() const { return sends_; }

  ssize_t recv(core::Link& link, Bytes to) override;
  ssize_t send(core::Link& link, std::span<const iovec> pieces) override;
  void shutdown_send(core::Link& link) override;
  void close(core::Link& link) override;

  // What a seed decides: short, EAGAIN and ECONNRESET, each in so many of 1000.
  static Plan seeded(Random& random, unsigned shorten, unsigned again, unsigned reset);
  // Only the `number`-th operation is touched.
  static Plan only(std::uint64_t number, Fault fault);

 private:
  Fault next_fault(Operation operation);

  Plan plan_;
  std::uint64_t operations_ = 0;
  std::uint64_t sends_ = 0;
};

class MemoryLoop {
 public:
  explicit MemoryLoop(const core::ConnectionTable::Options& options);

  // Never null: a table that refuses is a test of its own. `over`: a transport that lies over
  // this loop's.
  Wire& connect(core::Protocol& protocol, core::Transport* over = nullptr);
  // One batch: everything that is ready is told once, then the turn ends. False when nothing was.
  bool turn();
  // Turns until nothing is ready. A loop that spins is a failure.
  void settle();
  // Time passes, and nothing else: timers fire in their ticks.
  void advance(core::Tick ticks);
  // Time passes before the next batch: timers that fall due meanwhile fire after it, with
  // serve_timers().
  void sleep(core::Tick ticks) { reactor.wake_at(now() + ticks); }
  void serve_timers() {
    reactor.serve_wheel();
    table.on_turn_end();
  }
  // The same, with turns in between, as a live loop takes them.
  void live(core::Tick ticks);

  core::Tick now() const { return reactor.now(); }

  core::Reactor reactor;
  MemoryTransport transport;
  std::deque<Wire> wires;  // before the table, which closes what is open when it goes
  core::ConnectionTable table;

 private:
  std::uint32_t ready(const Wire& wire) const;
};

}  // namespace spate::test
