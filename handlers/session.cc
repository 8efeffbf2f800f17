#include "handlers/session.h"

#include <algorithm>
#include <array>

#include "core/sys.h"

namespace spate::handlers {

using codec::CloseCode;
using codec::Event;
using codec::EventKind;
using codec::MessageDecoder;
using codec::Opcode;
using core::Connection;
using core::Kept;
using core::Tick;

namespace {

// Ticks wrap: `a` is before `b` when the difference is negative as a signed number.
bool reached(Tick now, Tick deadline) {
  return static_cast<std::int32_t>(now - deadline) >= 0;
}

// The earlier of two deadlines, where kNoDeadline is none.
Tick earlier(Tick a, Tick b) {
  if (a == core::kNoDeadline) return b;
  if (b == core::kNoDeadline) return a;
  return reached(a, b) ? b : a;
}

}  // namespace

void Session::adopt(Connection& connection) {
  connection.protocol = this;
  connection.rests_on_backlog = handler_.rests_on_backlog();
  connection.protocol_data = {};
  connection.data<Data>().last_message = table_.now();
  metrics_->opened.add();
  metrics_->websockets.add();
  table_.disarm(connection);
  table_.arm(connection, first_deadline(table_.now()));
  WebSocket socket(*this, connection);
  handler_.on_open(socket);
}

void Session::on_open(Connection& connection) {
  adopt(connection);
}

Kept Session::on_bytes(Connection& connection, const core::ReceiveWindow& window) {
  auto& half = *std::launder(reinterpret_cast<HalfMessage*>(window.state));
  MessageDecoder decoder(options_.rules, half.decoder, window.bytes, window.floor);
  const Kept kept = decode(connection, decoder, half, window.received);
  if (decoder.continuations() > 0) [[unlikely]]
    metrics_->other_frames_received[0].add(decoder.continuations());
  return kept;
}

Kept Session::decode(Connection& connection, MessageDecoder& decoder, HalfMessage& half,
                     std::size_t received) {
  for (;;) {
    const Event event = decoder.next();
    switch (event.kind) {
      case EventKind::message:
        deliver(connection, decoder, event);
        break;
      case EventKind::ping:
        answer_ping(connection, decoder, event.payload);
        break;
      case EventKind::pong:  // that bytes came is all that matters
        count(OtherFrame::pong);
        break;
      case EventKind::need_more:
        return keep(connection, decoder, half, received);
      case EventKind::close:
        on_peer_close(connection, event.payload);
        return {};
      case EventKind::bad:
        fail(connection, event.error);
        return {};
    }
    if (connection.stage != core::Stage::open) return {};
  }
}

void Session::deliver(Connection& connection, MessageDecoder& decoder, const Event& event) {
  metrics_->messages_received[static_cast<std::size_t>(event.opcode) - 1].add();
  Data& data = connection.data<Data>();
  if (options_.idle_timeout != 0) data.last_message = table_.now();
  if (data.close_sent) return;  // what the peer sends after our close frame has no meaning (§5.5.1)
  if (options_.last_message != nullptr)
    options_.last_message->store(
        std::uint64_t{static_cast<std::uint8_t>(event.opcode)} << 56 | event.payload.size(),
        std::memory_order_relaxed);
  delivering_ = {&decoder, &connection, event.payload};
  WebSocket socket(*this, connection);
  if (--until_timed_ != 0) [[likely]]
    handler_.on_message(socket, {event.opcode, event.payload});
  else
    time_handler(socket, {event.opcode, event.payload});
  delivering_.decoder = nullptr;
}

[[gnu::noinline]] void Session::time_handler(WebSocket& socket, const Message& message) {
  until_timed_ = kTimedEvery;
  const std::int64_t begun = core::sys::monotonic_ns();
  handler_.on_message(socket, message);
  metrics_->handler.observe(core::sys::monotonic_ns() - begun);
}

void Session::answer_ping(Connection& connection, MessageDecoder& decoder, Bytes payload) {
  count(OtherFrame::ping);
  if (connection.data<Data>().close_sent) return;
  metrics_->pongs_sent.add();
  if (connection.backlog == nullptr && send_in_place(connection, decoder, Opcode::pong, payload))
    return;
  std::array<std::byte, codec::kMaxServerHeaderBytes + codec::kMaxControlPayloadBytes> frame;
  const std::size_t header = codec::build_server_header(frame.data(), Opcode::pong, payload.size());
  std::copy(payload.begin(), payload.end(), frame.begin() + static_cast<std::ptrdiff_t>(header));
  table_.write_urgent(connection, {frame.data(), header + payload.size()});
}

void Session::on_peer_close(Connection& connection, Bytes payload) {
  count(OtherFrame::close);
  const codec::ClosePayload close = codec::parse_close_payload(payload);
  if (close.error != codec::FrameError::none) return fail(connection, close.error);
  metrics_->closes_received[close_code_index(close.code)].add();
  report(connection, close.code, close.reason);
  // The peer's code is what it gets back (§5.5.1).
  if (!connection.data<Data>().close_sent) send_close(connection, close.code, {});
  table_.finish(connection);
}

Kept Session::keep(Connection& connection, MessageDecoder& decoder, HalfMessage& half,
                   std::size_t received) {
  const Bytes rest = decoder.rest();
  const bool inside_frame = decoder.inside_frame();
  if (!inside_frame && !half.decoder.in_message()) return {};
  if (inside_frame && (!half.in_frame || decoder.frame_ended())) {
    // The bytes that came with its first ones may be other frames': they earn it nothing.
    half.frame_began = table_.now();
    half.frame_bytes = 0;
    if (options_.frame_timeout != 0)
      table_.arm(connection, half.frame_began + options_.frame_timeout);
  } else {
    half.frame_bytes += static_cast<std::uint32_t>(received);
  }
  half.in_frame = inside_frame;
  return {.bytes = rest, .wanted_bytes = decoder.wanted_bytes(), .state = true};
}

bool Session::send_in_place(Connection& connection, MessageDecoder& decoder, Opcode opcode,
                            Bytes payload) {
  const std::size_t header = codec::server_header_bytes(payload.size());
  std::byte* const frame = decoder.room_before(payload, header);
  if (frame == nullptr) return false;
  codec::build_server_header(frame, opcode, payload.size());
  table_.write_in_place(connection, {frame, header + payload.size()});
  decoder.keep_until(payload.data() + payload.size());
  return true;
}

void Session::send(Connection& connection, Opcode opcode, ConstBytes payload) {
  if (connection.stage != core::Stage::open || connection.data<Data>().close_sent) return;
  metrics_->messages_sent.add();
  if (delivering_.decoder != nullptr && delivering_.connection == &connection &&
      payload.data() == delivering_.payload.data() &&
      payload.size() == delivering_.payload.size()) {
    // Once: a second reply with the same payload needs a header where the first one's payload is.
    MessageDecoder& decoder = *std::exchange(delivering_.decoder, nullptr);
    if (send_in_place(connection, decoder, opcode, delivering_.payload)) return;
  }
  std::array<std::byte, codec::kMaxServerHeaderBytes> header;
  const std::size_t header_bytes =
      codec::build_server_header(header.data(), opcode, payload.size());
  // One block for both: a frame in two pieces would cost a second piece in every send.
  const core::BlockRef block = core::BlockRef::allocate(header_bytes + payload.size());
  if (!block) return table_.abort(connection, core::CloseCause::shed);
  std::memcpy(block.data(), header.data(), header_bytes);
  if (!payload.empty()) std::memcpy(block.data() + header_bytes, payload.data(), payload.size());
  table_.write(connection, block, block.bytes());
}

void Session::send_frames(Connection& connection, const core::BlockRef& frames) {
  if (connection.stage != core::Stage::open || connection.data<Data>().close_sent) return;
  metrics_->messages_sent.add();
  table_.write(connection, frames, frames.bytes());
}

void Session::close(Connection& connection, CloseCode code, std::string_view reason) {
  Data& data = connection.data<Data>();
  if (connection.stage != core::Stage::open || data.close_sent) return;
  send_close(connection, code, reason);
  data.close_deadline = table_.now() + options_.close_timeout;
  table_.arm(connection, data.close_deadline);
}

void Session::on_leave(Connection& connection) {
  if (connection.stage != core::Stage::open || connection.data<Data>().close_sent) return;
  WebSocket socket(*this, connection);
  close(connection, handler_.on_drain(socket), "server is leaving");
}

void Session::send_close(Connection& connection, CloseCode code, std::string_view reason) {
  std::array<std::byte, 2 + codec::kMaxControlPayloadBytes> frame;
  const std::size_t payload = code == codec::kCloseNoStatus
                                  ? 0
                                  : codec::build_close_payload(frame.data() + 2, code, reason);
  codec::build_server_header(frame.data(), Opcode::close, payload);
  metrics_->closes_sent[close_code_index(code)].add();
  connection.data<Data>().close_sent = true;
  table_.write(connection, {frame.data(), 2 + payload});
}

// _Fail the WebSocket Connection_ (§7.1.7): the close frame says why, and nothing more is read.
void Session::fail(Connection& connection, CloseCode code, std::string_view reason) {
  report(connection, code, reason);
  if (!connection.data<Data>().close_sent) send_close(connection, code, reason);
  table_.finish(connection);
}

void Session::fail(Connection& connection, codec::FrameError error) {
  metrics_->protocol_errors[static_cast<std::size_t>(error) - 1].add();
  fail(connection, codec::describe(error).close_code, codec::describe(error).name);
}

void Session::report(Connection& connection, CloseCode code, std::string_view reason) {
  if (std::exchange(connection.data<Data>().reported, true)) return;
  WebSocket socket(*this, connection);
  handler_.on_close(socket, code, reason);
}

void Session::on_end(Connection& connection) {
  end_without_close(connection);
  table_.finish(connection);
}

void Session::on_keep_refused(Connection& connection) {
  fail(connection, codec::kCloseTryAgainLater, "no room for a message of this size now");
}

void Session::on_overflow(Connection& connection) {
  if (connection.data<Data>().close_sent) return;  // it is the close frame that is being written
  metrics_->overflows.add();
  table_.drop_queued(connection);
  fail(connection, handler_.overflow_code(), "slow");
}

void Session::on_drained(Connection& connection) {
  if (connection.rests_on_backlog) restart_deadlines(connection);
}

void Session::on_resumed(Connection& connection) {
  restart_deadlines(connection);
}

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
    return core::kNoDeadline;

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
  return earlier(next, ping_deadline(connection, now));
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
  constexpr std::array<std::byte, 2> kPing{std::byte{0x89}, std::byte{0}};
  table_.write_urgent(connection, kPing);
  metrics_->pings_sent.add();
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

void Session::on_close(Connection& connection, core::CloseCause) {
  end_without_close(connection);
  metrics_->websockets.sub();
}

// Unless there was a close frame, of either side.
void Session::end_without_close(Connection& connection) {
  if (!connection.data<Data>().reported)
    metrics_->closes_received[close_code_index(codec::kCloseAbnormal)].add();
  report(connection, codec::kCloseAbnormal, {});
}

void Session::count(OtherFrame frame) {
  metrics_->other_frames_received[static_cast<std::size_t>(frame)].add();
}
void Session::count(SessionTimeout timeout) {
  metrics_->timeouts[static_cast<std::size_t>(timeout)].add();
}

void WebSocket::send(Opcode opcode, ConstBytes payload) {
  session_.send(connection_, opcode, payload);
}
void WebSocket::send_frames(const core::BlockRef& frames) {
  session_.send_frames(connection_, frames);
}
void WebSocket::close(CloseCode code, std::string_view reason) {
  session_.close(connection_, code, reason);
}

}  // namespace spate::handlers
