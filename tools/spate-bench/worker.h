// One load process: a libev loop, its connections, and the clock that starts and stops the traffic.
//
//   idle ──dial──▶ connecting ──(TLS: securing)── request sent ──▶ upgrading ──101──▶ open ──▶ idle
//
// Reads land in one buffer that all connections share, so a held connection costs its Connection
// (about 100 bytes), libev's 16 bytes for its descriptor, and what its player keeps.
#pragma once

#include <ev.h>

#include <memory>
#include <string>
#include <vector>

#include "tools/spate-bench/clock.h"
#include "tools/spate-bench/handshake.h"
#include "tools/spate-bench/options.h"
#include "tools/spate-bench/player.h"
#include "tools/spate-bench/stats.h"
#include "tools/spate-bench/tls.h"

namespace spate::bench {

struct Connection {
  enum class State : std::uint8_t { idle, connecting, securing, upgrading, open };

  ev_io io;                           // first, because libev hands back its address
  std::unique_ptr<std::string> head;  // of a 101 that came in pieces; rare
  ssl_st* tls = nullptr;              // with wss://
  std::uint64_t due_ns = 0;           // when this connect was to begin
  std::uint32_t index = 0;            // in this process
  std::uint32_t attempt = 0;
  State state = State::idle;
  bool closing = false;  // we said goodbye: that it closes now is no error
  std::uint16_t pings_answered = 0;

  [[nodiscard]] bool open() const { return state == State::open; }
};

class Worker {
 public:
  // `number` of `options.procs`; wake_fd is the eventfd that announces new orders.
  Worker(const Options& options, Shared& shared, std::uint32_t number, int wake_fd);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void run();

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] Stats& stats() { return shared_.stats; }
  [[nodiscard]] Board& board() { return *shared_.board; }
  [[nodiscard]] std::vector<Connection>& connections() { return connections_; }
  [[nodiscard]] std::uint32_t number() const { return number_; }
  // Over all processes.
  [[nodiscard]] std::uint32_t id_of(const Connection& connection) const {
    return first_id_ + connection.index;
  }
  // Whether something due at this time belongs to the measured window.
  [[nodiscard]] bool measured(std::uint64_t due_ns) const {
    return due_ns - measure_from_ns_ < measure_until_ns_ - measure_from_ns_;
  }
  [[nodiscard]] std::uint64_t timeout_ns() const { return timeout_ns_; }

  // How many bytes the kernel took: 0 when the socket is full. When the connection broke it is
  // closed, and the answer is negative.
  std::int64_t send(Connection& connection, ConstBytes bytes, std::uint64_t now);
  // Calls writable() once the socket takes bytes; or stops doing so.
  void want_write(Connection& connection, bool wanted);
  // Closes an open connection for cause: it is counted, and the player told.
  void fail(Connection& connection, Error why, std::uint64_t now);
  // The server pinged it, and the pong is queued.
  void answered_ping(Connection& connection) {
    stats().pings_answered.add();
    ++connection.pings_answered;
  }
  // Closes it in peace.
  void close(Connection& connection);
  // Sends a close frame (1000), as far as the socket takes it.
  void say_goodbye(Connection& connection);
  // Opens an idle connection.
  void dial(Connection& connection, std::uint64_t due_ns);

 private:
  static void on_io(struct ev_loop* loop, ev_io* io, int events);
  static void on_orders(struct ev_loop* loop, ev_io* io, int events);
  static void on_alarm(struct ev_loop* loop, ev_io* io, int events);
  static void on_prepare(struct ev_loop* loop, ev_prepare* prepare, int events);
  static void on_sweep(struct ev_loop* loop, ev_timer* timer, int events);

  void on_connected(Connection& connection, std::uint64_t now);
  void on_securing(Connection& connection, std::uint64_t now);
  void request_upgrade(Connection& connection, std::uint64_t now);
  // Bytes received, 0 at the end, or a negative errno; the same for plain and TLS connections.
  ssize_t receive(Connection& connection);
  ssize_t send_some(Connection& connection, ConstBytes bytes);
  void take(Connection& connection, ssize_t got, std::uint64_t now);
  void on_head(Connection& connection, ConstBytes bytes, std::uint64_t now);
  void read(Connection& connection, std::uint64_t now);
  void dial_more(std::uint64_t now);
  void dial_failed(Connection& connection, Error why);
  void release(Connection& connection);
  void watch(Connection& connection, int events);
  // Everything that is due by now; then sets the alarm for what is due next.
  void turn(std::uint64_t now);
  void send_due(std::uint64_t now, int most);
  void set_alarm();
  void give_up_dials(std::uint64_t now);
  void count_pings();

  const Options& options_;
  Shared& shared_;
  const std::uint32_t number_;
  std::uint32_t first_id_ = 0;
  const std::uint64_t most_dialing_;
  const std::uint64_t timeout_ns_;
  Handshake handshake_;
  TlsClient tls_;
  std::vector<Connection> connections_;  // never grows after construction: libev knows addresses
  std::unique_ptr<Player> player_;

  struct ev_loop* loop_;
  ev_io orders_io_;
  ev_io alarm_io_;
  ev_prepare prepare_;
  ev_timer sweep_;
  int alarm_fd_;
  std::uint64_t alarm_ns_ = kNever;  // what the alarm is set to
  std::uint64_t next_ns_ = 0;        // nothing is due before

  std::vector<std::byte> buffer_;
  std::uint64_t wanted_ = 0;  // connections, by the last order
  std::uint64_t begun_ = 0;   // of those
  std::uint64_t dialing_ = 0;
  std::uint64_t dial_next_ns_ = 0;
  std::uint64_t give_up_dials_ns_ = 0;  // no dial is overdue before
  std::uint64_t dial_interval_ns_ = 0;
  std::uint64_t start_ns_ = kNever;
  std::uint64_t measure_from_ns_ = kNever;
  std::uint64_t measure_until_ns_ = kNever;
  bool started_ = false;
  bool stopped_ = false;
};

}  // namespace spate::bench
