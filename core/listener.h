// Accepts connections from one listening socket, a bounded number a turn.
//
// A connection that cannot be served is refused, never left to spin the loop: over a limit it is
// handed to the `refuse` protocol, which can say why; out of descriptors it is accepted into a
// reserve and closed; where even that fails the listener rests for kRest.
//
// A socket of one worker is polled by it alone; a shared one by all, each with EPOLLEXCLUSIVE, so
// that a connection wakes one of those that sleep. The kernel would always wake the one that began
// to poll first, and connections that come one by one would all be its: who has accepted goes to
// the end of the line, by polling anew. Where connections are served first, and are few, each
// wakes all: the kernel does not choose among epoll instances that lie inside others.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "core/connection_table.h"
#include "core/core_metrics.h"
#include "core/precise_timer.h"
#include "core/reactor.h"

namespace spate::core {

// A descriptor to give up when there is none left, so that one connection more can be taken off a
// queue and closed. One a process, or listeners that come and go would make room and take it.
class Reserve {
 public:
  Reserve() = default;
  ~Reserve() { spend(); }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;

  void keep();
  bool spend();  // false: there was none

 private:
  int fd_ = -1;
};

class Listener final : public EventSink {
 public:
  static constexpr int kMaxAcceptsPerTurn = 64;
  // Of a shared socket: those that come at once are for all who poll it.
  static constexpr int kMaxSharedAcceptsPerTurn = 8;
  static constexpr std::int64_t kRestNs = 100'000'000;

  struct Options {
    // Asked when there is no place or no descriptor for another connection. True: somebody else
    // sees to them, and this listener has been stopped. False, or no function: they are refused
    // here.
    std::function<bool()> on_full{};
    // Over the limits on connections and memory its own are let in, and they are served before all
    // others: whoever must look into a full server comes this way, and so do back ends.
    // ConnectionTable::kRefusalPlaces bounds those over the limits.
    bool over_limits = false;
    // Counts what is accepted, for whoever watches from outside.
    std::atomic<std::uint64_t>* accepts = nullptr;
    // Other processes poll the same socket.
    bool shared = false;
    // The sockets are TCP's, and take its options.
    bool tcp = true;
    // Set on each accepted socket; 0 leaves the kernel's default.
    int sndbuf = 0;
    int rcvbuf = 0;
    int user_timeout_ms = 0;  // TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged
    ListenerMetrics* metrics = nullptr;  // null: of its own
    Reserve* reserve = nullptr;          // null: of its own
  };

  // `fd` stays its creator's: it outlives this process. `welcome` serves accepted connections,
  // `refuse` those over a limit.
  Listener(Reactor& reactor, ConnectionTable& table, Transport& transport, Protocol& welcome,
           Protocol& refuse, int fd, const Options& options);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // 0 or a negative errno.
  int start();
  // Stops accepting; the socket goes on to queue connections for whoever else polls it.
  void stop();
  bool started() const { return started_; }
  // Polls a shared socket anew, and so sees what waits there though another process was woken for
  // it, and has died or stands still.
  void look_again();

  void on_event(std::uint32_t index, std::uint32_t generation, std::uint32_t events) override;

  const ListenerMetrics& counters() const { return *metrics_; }

 private:
  int poll();
  bool accept_one();
  void admit(int fd);
  bool handed_over();
  bool refuse_for_descriptors();
  void rest();

  Reactor& reactor_;
  ConnectionTable& table_;
  Transport& transport_;
  Protocol& welcome_;
  Protocol& refuse_;
  const int fd_;
  const Options options_;
  const Order order_ = options_.over_limits ? Order::first : Order::usual;
  const bool exclusive_ = options_.shared && order_ == Order::usual;
  const MetricsOf<ListenerMetrics> metrics_;
  const std::uint16_t sink_;
  Reserve own_reserve_;
  Reserve& reserve_;
  bool started_ = false;
  bool resting_ = false;
  PreciseTimer wake_;
};

}  // namespace spate::core
