// A session's deadlines; session.h says which there are.
#include "handlers/session.h"

namespace spate::handlers {

using core::Connection;
using core::earlier;
using core::reached;
using core::Tick;

// They rested while the connection was not read.
void Session::restart_deadlines(Connection& connection) {
  const Tick now = table_.now();
  connection.last_rx = now;
  connection.data<Data>().last_message = now;
  if (connection.hold != nullptr) {
    auto& half = *std::launder(reinterpret_cast<HalfMessage*>(connection.hold->state.data()));
    half.frame_began = now;
    half.frame_bytes = 0;
  }
  table_.arm(connection, earlier(first_deadline(now), frame_deadline(connection)));
}

Tick Session::on_timer(Connection& connection, Tick now) {
  Data& data = connection.data<Data>();
  if (data.close_sent) {
    if (!reached(now, data.close_deadline)) return data.close_deadline;
    count(SessionTimeout::close);
    table_.abort(connection, core::CloseCause::finished);
    return core::kNoDeadline;
  }
  if (!connection.reading || (connection.rests_on_backlog && connection.backlog != nullptr))
    return options_.own_deadlines ? own_deadline(connection, now) : core::kNoDeadline;

  Tick next = frame_deadline(connection);
  if (next != core::kNoDeadline && reached(now, next)) {
    count(SessionTimeout::frame);
    fail(connection, codec::kClosePolicyViolation, "a frame took too long to arrive");
    return core::kNoDeadline;
  }
  if (options_.idle_timeout != 0) {
    const Tick idle = data.last_message + options_.idle_timeout;
    if (reached(now, idle)) {
      count(SessionTimeout::idle);
      close(connection, codec::kCloseNormal, "idle");
      return data.close_deadline;
    }
    next = earlier(next, idle);
  }
  if (!options_.own_deadlines) return earlier(next, ping_deadline(connection, now));
  return earlier(next, own_deadline(connection, now));
}

// The handler's; or of the close handshake that it begins over one of them.
Tick Session::own_deadline(Connection& connection, Tick now) {
  WebSocket socket(*this, connection);
  const Tick own = handler_.on_timer(socket, now);
  if (connection.stage != core::Stage::open) return core::kNoDeadline;
  const Data& data = connection.data<Data>();
  return data.close_sent ? data.close_deadline : own;
}

// Pings a peer that has been silent for the interval. Anything it sends proves it alive.
Tick Session::ping_deadline(Connection& connection, Tick now) {
  if (options_.ping_interval == 0) return core::kNoDeadline;
  Data& data = connection.data<Data>();
  if (data.awaiting_pong && reached(connection.last_rx, data.ping_sent)) {
    data.awaiting_pong = false;
    data.misses = 0;
  }
  const Tick due = data.awaiting_pong ? data.ping_sent + options_.pong_timeout
                                      : connection.last_rx + options_.ping_interval;
  if (!reached(now, due)) return due;
  if (data.awaiting_pong) metrics_->pongs_missed.add();
  if (data.awaiting_pong && ++data.misses >= options_.ping_misses) {
    count(SessionTimeout::pong);
    fail(connection, codec::kCloseInternalError, "no answer to pings");
    return core::kNoDeadline;
  }
  ping(connection);
  data.awaiting_pong = true;
  data.ping_sent = now;
  return now + options_.pong_timeout;
}

Tick Session::frame_deadline(const Connection& connection) const {
  if (connection.hold == nullptr || options_.frame_timeout == 0) return core::kNoDeadline;
  const auto& half =
      *std::launder(reinterpret_cast<const HalfMessage*>(connection.hold->state.data()));
  if (!half.in_frame) return core::kNoDeadline;
  const std::uint64_t earned_ms = std::uint64_t{half.frame_bytes} * 1000 / kMinFrameRate;
  return half.frame_began + options_.frame_timeout + core::ticks_of_ms(earned_ms);
}

Tick Session::first_deadline(Tick now) const {
  Tick next = options_.ping_interval == 0 ? core::kNoDeadline : now + options_.ping_interval;
  if (options_.idle_timeout != 0) next = earlier(next, now + options_.idle_timeout);
  return next;
}

}  // namespace spate::handlers
