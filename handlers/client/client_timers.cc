// A client's deadlines: one timer for all of them, the transport's.
//
// `due_` is when the stale connection ends, then when the next ping goes, then when its pong must
// have come. Ticks wrap: they are compared by their difference.
#include <random>

#include "core/sys.h"
#include "handlers/client/client.h"
#include "handlers/client/client_waiting.h"
#include "handlers/client/clients.h"

namespace spate::handlers::client {

using core::earlier;
using core::reached;
using core::Tick;
using hub::Ended;

namespace {

Tick not_none(Tick tick) {
  return tick == 0 ? 1 : tick;
}

}  // namespace

// The first one after a random part of the interval's second half: clients that came at once, after
// a restart, must not be pinged at once for ever.
void Client::start_pings(Tick now) {
  const ClientOptions& options = clients_.parts_.options;
  due_ = 0;
  awaiting_pong_ = false;
  if (options.ping_interval_ms > 0) {
    std::uint32_t chance = 0;
    core::sys::random({reinterpret_cast<std::byte*>(&chance), sizeof chance});
    const std::uint64_t half = options.ping_interval_ms / 2;
    due_ = not_none(now + core::ticks_of_ms(half + chance % (half + 1)));
  }
  arm_next();
}

Tick Client::next_deadline() const {
  Tick next = due_;
  if (state_ != State::connected) return next;
  const ClientOptions& options = clients_.parts_.options;
  if (expires_ != 0)
    next = earlier(next, not_none(expires_ + core::ticks_of_ms(options.expired_close_ms)));
  if (!any_expiring_) return next;
  for (const hub::Subscription* each = subscriptions_; each != nullptr; each = each->next)
    if (each->expires != 0)
      next =
          earlier(next, not_none(each->expires + core::ticks_of_ms(options.expired_sub_close_ms)));
  return next;
}

void Client::arm_next() {
  if (const Tick next = next_deadline(); next != 0) transport_.arm(link_, next);
}

Tick Client::on_timer(Tick now) {
  const ClientOptions& options = clients_.parts_.options;
  if (state_ == State::ended) return 0;
  if (state_ != State::connected) {
    if (!reached(now, due_)) return due_;
    clients_.count(Ended::stale);
    disconnect(kDisconnectStale);
    return 0;
  }
  while (expires_later_s_ > 0 && reached(now, expires_)) expire_behind(expires_, expires_later_s_);
  if (expires_ != 0 && reached(now, expires_ + core::ticks_of_ms(options.expired_close_ms))) {
    clients_.count(Ended::expired);
    disconnect(kDisconnectConnectionExpired);
    return 0;
  }
  if (any_expiring_ && !check_subscriptions(now)) return 0;
  if (due_ != 0 && reached(now, due_)) ping(now);
  return state_ == State::connected ? next_deadline() : 0;
}

// False when the client has ended over it.
bool Client::check_subscriptions(Tick now) {
  const Tick grace = core::ticks_of_ms(clients_.parts_.options.expired_sub_close_ms);
  any_expiring_ = false;
  for (hub::Subscription* each = subscriptions_; each != nullptr;) {
    hub::Subscription* const next = each->next;
    if (each->expires != 0 && reached(now, each->expires + grace)) {
      end_subscription(*each, kUnsubscribedExpired, kDisconnectSubscriptionExpired);
      if (state_ == State::ended) return false;
    } else {
      any_expiring_ |= each->expires != 0;
    }
    each = next;
  }
  return true;
}

void Client::ping(Tick now) {
  const ClientOptions& options = clients_.parts_.options;
  if (awaiting_pong_) {
    // The pong's time is over. Frames of the transport's own are answered without our seeing it.
    const Tick pinged = due_ - core::ticks_of_ms(options.pong_timeout_ms);
    if (frame_pings_ && reached(transport_.last_heard(link_), pinged)) awaiting_pong_ = false;
    // Where we do not read, no pong can come.
    if (waiting_ != nullptr && waiting_->paused) awaiting_pong_ = false;
    if (awaiting_pong_) {
      clients_.count(Ended::no_pong);
      return disconnect(kDisconnectNoPong);
    }
    due_ = not_none(now + core::ticks_of_ms(options.ping_interval_ms - options.pong_timeout_ms));
    return;
  }
  if (pong_came_) {
    // It came in time; this was the deadline that it left behind.
    pong_came_ = false;
    due_ = not_none(due_ + core::ticks_of_ms(options.ping_interval_ms - options.pong_timeout_ms));
    if (!reached(now, due_)) return;
  }
  clients_.parts_.client_metrics.pings.add();
  if (frame_pings_) {
    transport_.ping(link_);
  } else {
    std::string text;
    writer().ping(text);
    transport_.send(link_, framing_, text, true);
  }
  if (state_ != State::connected) return;
  if (options.pong_timeout_ms == 0) {
    due_ = not_none(now + core::ticks_of_ms(options.ping_interval_ms));
    return;
  }
  awaiting_pong_ = true;
  due_ = not_none(now + core::ticks_of_ms(options.pong_timeout_ms));
}

// One that nobody asked for is nobody's business. The timer stays armed: it costs less to let it
// find out than to move it at every pong.
void Client::pong() {
  if (!awaiting_pong_) return;
  awaiting_pong_ = false;
  pong_came_ = true;
}

}  // namespace spate::handlers::client
