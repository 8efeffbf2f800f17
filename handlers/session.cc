#include "handlers/session.h"

#include <algorithm>
#include <array>

#include "core/sys.h"
#include "handlers/deflated_session.h"
#include "handlers/outgoing_message.h"

namespace spate::handlers {

using codec::CloseCode;
using codec::Event;
using codec::EventKind;
using codec::MessageDecoder;
using codec::Opcode;
using core::Connection;
using core::Kept;

void Session::adopt(Connection& connection) {
  begin(connection, {});
}

void Session::begin(Connection& connection, DeflatePeer peer) {
  connection.protocol = this;
  connection.protocol_data = {};
  Data& data = connection.data<Data>();
  data.last_message = table_.now();
  data.deflate_context = peer.context;
  data.deflate_window_bits = peer.window_bits;
  metrics_->opened.add();
  metrics_->websockets.add();
  table_.disarm(connection);
  table_.arm(connection, first_deadline(table_.now()));
  WebSocket socket(*this, connection);
  const bool returned = guard_.run([&] {
    connection.rests_on_backlog = handler_.rests_on_backlog();
    handler_.on_open(socket);
  });
  if (!returned) on_thrown(connection);
}

void Session::on_open(Connection& connection) {
  adopt(connection);
}

Kept Session::on_bytes(Connection& connection, const core::ReceiveWindow& window) {
  return receive<false>(connection, window, [&](MessageDecoder& decoder, const Event& event) {
    deliver(connection, &decoder, event.opcode, event.payload);
  });
}

Kept DeflatedSession::on_bytes(Connection& connection, const core::ReceiveWindow& window) {
  return receive<true>(connection, window, [&](MessageDecoder& decoder, const Event& event) {
    if (event.rsv != 0)
      deliver_inflated(connection, event.opcode, event.payload);
    else  // an echo that may be compressed does not leave from where it came
      deliver(connection, deflation_->worth_trying(event.payload.size()) ? nullptr : &decoder,
              event.opcode, event.payload);
  });
}

// `stops`: a message that pauses the connection is its last until then. Where messages are no
// larger than what was received the rest of that is delivered all the same: it is little, and
// asking costs each message something.
template <bool stops, typename Deliver>
Kept Session::receive(Connection& connection, const core::ReceiveWindow& window,
                      Deliver&& deliver) {
  auto& half = *std::launder(reinterpret_cast<HalfMessage*>(window.state));
  MessageDecoder decoder(options_.rules, half.decoder, window.bytes, window.floor);
  const Kept kept = decode<stops>(connection, decoder, half, window.received, deliver);
  if (decoder.continuations() > 0) [[unlikely]]
    metrics_->other_frames_received[0].add(decoder.continuations());
  return kept;
}

template <bool stops, typename Deliver>
Kept Session::decode(Connection& connection, MessageDecoder& decoder, HalfMessage& half,
                     std::size_t received, Deliver& deliver) {
  for (;;) {
    const Event event = decoder.next();
    switch (event.kind) {
      case EventKind::message:
        deliver(decoder, event);
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
    if constexpr (stops)
      if (!connection.reading) return leave(decoder, half);
  }
}

// What is not decoded yet, whole frames perhaps.
Kept Session::leave(MessageDecoder& decoder, HalfMessage& half) {
  const Bytes rest = decoder.rest();
  if (rest.empty() && !half.decoder.in_message()) return {};
  half.in_frame = false;
  return {.bytes = rest, .wanted_bytes = rest.size(), .state = true};
}

void Session::deliver(Connection& connection, MessageDecoder* in_place, Opcode opcode,
                      Bytes payload) {
  metrics_->messages_received[static_cast<std::size_t>(opcode) - 1].add();
  Data& data = connection.data<Data>();
  if (options_.idle_timeout != 0) data.last_message = table_.now();
  if (data.close_sent) return;  // what the peer sends after our close frame has no meaning (§5.5.1)
  if (options_.last_message != nullptr)
    options_.last_message->store(
        std::uint64_t{static_cast<std::uint8_t>(opcode)} << 56 | payload.size(),
        std::memory_order_relaxed);
  delivering_ = {in_place, &connection, payload};
  WebSocket socket(*this, connection);
  try {
    if (--until_timed_ != 0) [[likely]]
      handler_.on_message(socket, {opcode, payload});
    else
      time_handler(socket, {opcode, payload});
  } catch (...) {
    guard_.threw();
    on_thrown(*delivering_.connection);  // a register less across the call than `connection`
  }
  delivering_.decoder = nullptr;
}

// The histogram takes one message in kTimedEvery, also while each is timed for the guard: what is
// looked at because it was slow would tell it that everything is.
[[gnu::noinline]] void Session::time_handler(WebSocket& socket, const Message& message) {
  until_sampled_ -= timed_step_;
  const bool sampled = until_sampled_ == 0;
  if (sampled) until_sampled_ = kTimedEvery;
  const std::int64_t begun = core::sys::monotonic_ns();
  timed_step_ = until_timed_ = guard_.watches(begun) ? 1 : until_sampled_;
  handler_.on_message(socket, message);
  const std::int64_t took = core::sys::monotonic_ns() - begun;
  if (sampled) metrics_->handler.observe(took);
  guard_.took(took);
}

// What the handler had sent before it threw goes out; nothing more is read.
[[gnu::cold]] void Session::on_thrown(Connection& connection) {
  if (connection.stage == core::Stage::open)
    fail(connection, codec::kCloseInternalError, "internal error");
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
  if (deflation_ != nullptr) {
    const core::BlockRef frame = deflation_->deflated_frame(peer_of(connection), opcode, payload);
    if (frame) return table_.write(connection, frame, frame.bytes());
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

void Session::send(Connection& connection, OutgoingMessage& message) {
  if (!message) return table_.abort(connection, core::CloseCause::shed);
  if (deflation_ == nullptr) return send_frames(connection, message.plain());
  const DeflatePeer peer = peer_of(connection);
  const core::BlockRef& frames = message.deflated(*deflation_, peer.window_bits);
  if (frames.data() != message.plain().data()) deflation_->forget(peer);
  send_frames(connection, frames);
}

void Session::send_frames(Connection& connection, const core::BlockRef& frames) {
  if (connection.stage != core::Stage::open || connection.data<Data>().close_sent) return;
  metrics_->messages_sent.add();
  table_.write(connection, frames, frames.bytes());
}

void Session::send_frames(Connection& connection, const core::BlockRef& block, ConstBytes part,
                          std::size_t messages) {
  if (connection.stage != core::Stage::open || connection.data<Data>().close_sent) return;
  metrics_->messages_sent.add(messages);
  table_.write(connection, block, part);
}

void Session::ping(Connection& connection) {
  if (connection.stage != core::Stage::open || connection.data<Data>().close_sent) return;
  constexpr std::array<std::byte, 2> kPing{std::byte{0x89}, std::byte{0}};
  table_.write_urgent(connection, kPing);
  metrics_->pings_sent.add();
}

void Session::close(Connection& connection, CloseCode code, std::string_view reason) {
  Data& data = connection.data<Data>();
  if (connection.stage != core::Stage::open || data.close_sent) return;
  send_close(connection, code, reason);
  table_.resume_reading(connection);  // for the peer's close frame, if it was paused
  data.close_deadline = table_.now() + options_.close_timeout;
  table_.arm(connection, data.close_deadline);
}

void Session::on_leave(Connection& connection) {
  if (connection.stage != core::Stage::open || connection.data<Data>().close_sent) return;
  WebSocket socket(*this, connection);
  CloseCode code = codec::kCloseInternalError;
  (void)guard_.run([&] { code = handler_.on_drain(socket); });
  close(connection, code, handler_.drain_reason());
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
  (void)guard_.run([&] { handler_.on_close(socket, code, reason); });
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
  CloseCode code = codec::kCloseInternalError;
  (void)guard_.run([&] { code = handler_.overflow_code(); });
  fail(connection, code, "slow");
}

void Session::on_drained(Connection& connection) {
  if (connection.rests_on_backlog) restart_deadlines(connection);
  WebSocket socket(*this, connection);
  if (!connection.data<Data>().reported) handler_.on_drained(socket);
}

void Session::on_resumed(Connection& connection) {
  restart_deadlines(connection);
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
void WebSocket::send(OutgoingMessage& message) {
  session_.send(connection_, message);
}
void WebSocket::send_frames(const core::BlockRef& frames) {
  session_.send_frames(connection_, frames);
}
void WebSocket::ping() {
  session_.ping(connection_);
}
void WebSocket::close(CloseCode code, std::string_view reason) {
  session_.close(connection_, code, reason);
}

}  // namespace spate::handlers
