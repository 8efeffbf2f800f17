#include "tools/spate-bench/worker.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace spate::bench {

namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
// At once, over all processes; little enough for any listen backlog.
constexpr std::uint64_t kMostDialing = 512;
constexpr int kMostDue = 16;  // things done before what has arrived is read
constexpr double kSweepSeconds = 0.1;

std::unique_ptr<Player> make_player(Worker& worker) {
  switch (worker.options().scenario) {
    case Scenario::echo:
    case Scenario::mix:
      return make_echo_player(worker);
    case Scenario::fanout:
      return make_fanout_player(worker);
    case Scenario::idle:
      return make_idle_player(worker);
    case Scenario::storm:
      return make_storm_player(worker);
  }
  SPATE_CHECK(false);
}

}  // namespace

Worker::Worker(const Options& options, Shared& shared, std::uint32_t number, int wake_fd)
    : options_(options),
      shared_(shared),
      number_(number),
      most_dialing_(std::clamp<std::uint64_t>(kMostDialing / options.procs, 8, 64)),
      timeout_ns_(static_cast<std::uint64_t>(options.timeout * 1e9)),
      handshake_(options.host, options.path, options.headers, options.deflate),
      loop_(ev_loop_new(unsigned{EVBACKEND_EPOLL} | unsigned{EVFLAG_NOENV})),
      alarm_fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      buffer_(kBufferBytes) {
  SPATE_CHECK(loop_ != nullptr && alarm_fd_ >= 0);
  first_id_ = options.first_id(number);
  connections_ = std::vector<Connection>(options.first_id(number + 1) - first_id_);
  for (std::uint32_t i = 0; i < connections_.size(); ++i) {
    connections_[i].index = i;
    ev_init(&connections_[i].io, on_io);
    connections_[i].io.data = this;
  }
  // Its certificates were found readable when the options were completed.
  if (options.tls) SPATE_CHECK(tls_.open(options).empty());
  if (options.ramp > 0)
    dial_interval_ns_ = static_cast<std::uint64_t>(1e9 * options.procs / options.ramp);

  ev_io_init(&orders_io_, on_orders, wake_fd, EV_READ);
  ev_io_init(&alarm_io_, on_alarm, alarm_fd_, EV_READ);
  ev_prepare_init(&prepare_, on_prepare);
  ev_timer_init(&sweep_, on_sweep, kSweepSeconds, kSweepSeconds);
  orders_io_.data = alarm_io_.data = prepare_.data = sweep_.data = this;
  ev_io_start(loop_, &orders_io_);
  ev_io_start(loop_, &alarm_io_);
  ev_prepare_start(loop_, &prepare_);
  ev_timer_start(loop_, &sweep_);
  player_ = make_player(*this);
}

Worker::~Worker() {
  player_.reset();
  ev_loop_destroy(loop_);
  ::close(alarm_fd_);
}

void Worker::run() {
  ev_run(loop_, 0);
}

void Worker::on_orders(struct ev_loop*, ev_io* io, int) {
  Worker& worker = *static_cast<Worker*>(io->data);
  eventfd_t ignored;
  if (eventfd_read(io->fd, &ignored) != 0) return;
  const Orders& orders = worker.shared_.orders;
  const std::uint64_t now = now_ns();
  if (const std::uint64_t wanted = orders.connections.load(); wanted > worker.wanted_) {
    worker.wanted_ = wanted;
    worker.dial_next_ns_ = now;
  }
  if (const std::uint64_t start = orders.start_ns.load(); start != 0) {
    worker.start_ns_ = start;
    worker.measure_from_ns_ = orders.measure_from_ns.load();
    worker.measure_until_ns_ = orders.measure_until_ns.load();
  }
  worker.next_ns_ = 0;
  worker.player_->woken(now);
}

void Worker::on_alarm(struct ev_loop*, ev_io* io, int) {
  Worker& worker = *static_cast<Worker*>(io->data);
  worker.alarm_ns_ = kNever;
  worker.turn(now_ns());
}

void Worker::on_prepare(struct ev_loop*, ev_prepare* prepare, int) {
  Worker& worker = *static_cast<Worker*>(prepare->data);
  worker.turn(now_ns());
}

void Worker::on_sweep(struct ev_loop*, ev_timer* timer, int) {
  Worker& worker = *static_cast<Worker*>(timer->data);
  const std::uint64_t now = now_ns();
  if (worker.dialing_ > 0) worker.give_up_dials(now);
  worker.player_->sweep(now);
}

void Worker::turn(std::uint64_t now) {
  if (now < next_ns_ && alarm_ns_ == next_ns_) return;
  if (begun_ < wanted_) dial_more(now);
  if (!started_ && now >= start_ns_) {
    started_ = true;
    player_->start(now);
  }
  if (started_ && !stopped_ && now >= measure_until_ns_) {
    stopped_ = true;
    player_->stop(now);
  }
  send_due(now, kMostDue);
  if (stopped_ && (player_->drained() || now >= measure_until_ns_ + timeout_ns_)) {
    count_pings();
    player_->finish(now);
    stats().finished.set(1);
    ev_break(loop_, EVBREAK_ALL);
    return;
  }
  if (stopped_) next_ns_ = std::min(now + kNsPerMs, measure_until_ns_ + timeout_ns_);
  if (!started_) next_ns_ = start_ns_;
  if (begun_ < wanted_ && dialing_ < most_dialing_) next_ns_ = std::min(next_ns_, dial_next_ns_);
  set_alarm();
}

// While it is behind its schedule it sends one for each read, so that neither starves the other.
void Worker::send_due(std::uint64_t now, int most) {
  if (!started_ || stopped_) return;
  for (; most > 0 && player_->due_ns() <= now; --most, now = now_ns()) player_->run_due(now);
  next_ns_ = std::min(measure_until_ns_, player_->due_ns());
}

void Worker::count_pings() {
  std::uint64_t least = kNever, most = 0;
  for (const Connection& connection : connections_) {
    if (!connection.open() || !player_->silent(connection)) continue;
    stats().silent.add();
    least = std::min<std::uint64_t>(least, connection.pings_answered);
    most = std::max<std::uint64_t>(most, connection.pings_answered);
  }
  stats().least_pings.set(least);
  stats().most_pings.set(most);
}

void Worker::set_alarm() {
  if (next_ns_ == alarm_ns_) return;
  alarm_ns_ = next_ns_;
  itimerspec at{};  // zeros disarm it
  if (alarm_ns_ != kNever) {
    at.it_value.tv_sec = static_cast<time_t>(alarm_ns_ / kNsPerSecond);
    at.it_value.tv_nsec = static_cast<long>(alarm_ns_ % kNsPerSecond);
  }
  timerfd_settime(alarm_fd_, TFD_TIMER_ABSTIME, &at, nullptr);
}

void Worker::release(Connection& connection) {
  if (connection.tls != nullptr) tls_.release(std::exchange(connection.tls, nullptr));
  if (connection.io.fd >= 0) {
    ev_io_stop(loop_, &connection.io);
    ::close(connection.io.fd);
  }
  connection.io.fd = -1;
  connection.head.reset();
  connection.state = Connection::State::idle;
  connection.closing = false;
  connection.pings_answered = 0;
}

void Worker::watch(Connection& connection, int events) {
  if (ev_is_active(&connection.io)) {
    if ((connection.io.events & (EV_READ | EV_WRITE)) == events) return;
    ev_io_stop(loop_, &connection.io);
  }
  ev_io_set(&connection.io, connection.io.fd, events);
  ev_io_start(loop_, &connection.io);
}

void Worker::on_io(struct ev_loop*, ev_io* io, int events) {
  Worker& worker = *static_cast<Worker*>(io->data);
  Connection& connection = *reinterpret_cast<Connection*>(io);
  if (connection.state == Connection::State::connecting)
    return worker.on_connected(connection, now_ns());
  if (connection.state == Connection::State::securing)
    return worker.on_securing(connection, now_ns());
  if (events & EV_READ) {
    const std::uint32_t attempt = connection.attempt;
    std::uint64_t now = 0;
    ssize_t got = 0;
    do {
      got = worker.receive(connection);
      now = now_ns();
      worker.take(connection, got, now);
      // It may have closed meanwhile, and even have been dialled again.
    } while (connection.tls != nullptr && got > 0 && connection.attempt == attempt &&
             connection.state != Connection::State::idle && TlsClient::holds_input(connection.tls));
    if (now >= worker.next_ns_) worker.send_due(now, 1);
  }
  if ((events & EV_WRITE) && connection.open()) worker.player_->writable(connection, now_ns());
}

void Worker::take(Connection& connection, ssize_t got, std::uint64_t now) {
  if (got > 0) [[likely]] {
    const ConstBytes bytes{buffer_.data(), static_cast<std::size_t>(got)};
    if (connection.open()) [[likely]]
      player_->received(connection, bytes, now);
    else
      on_head(connection, bytes, now);
  } else if (got == 0) {
    fail(connection, Error::closed_by_server, now);
  } else if (got != -EAGAIN && got != -EINTR) {
    fail(connection, Error::connection_reset, now);
  }
}

ssize_t Worker::receive(Connection& connection) {
  if (connection.tls == nullptr) [[likely]] {
    const ssize_t got = recv(connection.io.fd, buffer_.data(), buffer_.size(), 0);
    return got >= 0 ? got : -errno;
  }
  const TlsMoved moved = tls_.receive(connection.tls, buffer_);
  if (moved.outcome == TlsMoved::Outcome::moved) return static_cast<ssize_t>(moved.bytes);
  if (moved.outcome == TlsMoved::Outcome::again) return -EAGAIN;
  return moved.outcome == TlsMoved::Outcome::ended ? 0 : -ECONNRESET;
}

ssize_t Worker::send_some(Connection& connection, ConstBytes bytes) {
  if (connection.tls == nullptr) [[likely]] {
    const ssize_t sent = ::send(connection.io.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent >= 0 ? sent : -errno;
  }
  const TlsMoved moved = tls_.send(connection.tls, bytes);
  if (moved.outcome == TlsMoved::Outcome::moved) return static_cast<ssize_t>(moved.bytes);
  return moved.outcome == TlsMoved::Outcome::again ? -EAGAIN : -ECONNRESET;
}

std::int64_t Worker::send(Connection& connection, ConstBytes bytes, std::uint64_t now) {
  const ssize_t sent = send_some(connection, bytes);
  if (sent >= 0) [[likely]]
    return sent;
  if (sent == -EAGAIN || sent == -EINTR) return 0;
  fail(connection, Error::connection_reset, now);
  return -1;
}

void Worker::want_write(Connection& connection, bool wanted) {
  watch(connection, wanted ? EV_READ | EV_WRITE : EV_READ);
}

void Worker::fail(Connection& connection, Error why, std::uint64_t now) {
  if (!connection.open()) return dial_failed(connection, why);
  const bool asked_for =
      connection.closing && (why == Error::closed_by_server || why == Error::connection_reset);
  if (!asked_for) stats().error(why);
  close(connection);
  player_->closed(connection, now);
}

void Worker::say_goodbye(Connection& connection) {
  static const std::string goodbye =
      client_frame(Opcode::close, std::string_view("\x03\xe8", 2), 0x2545f491);
  (void)send_some(connection, as_bytes(goodbye));
}

void Worker::close(Connection& connection) {
  stats().open.set(stats().open.get() - 1);
  release(connection);
}

}  // namespace spate::bench
