// A WebSocket connection after its handshake: the one place where ring, codec and close handshake
// meet.
//
//   bytes -> MessageDecoder -> handler.on_message -> reply, built in the ring in front of its
//   payload
//         -> ping: pong    -> close: the close handshake (RFC 6455 §7)
//
// Deadlines: a frame, once begun, has frame_timeout and a second more for each kMinFrameRate bytes
// it brings; a silent peer is pinged, and closed after ping_misses unanswered ones; a close that we
// began has close_timeout. While a connection is not read, only the table's write deadline runs,
// and those of a handler that keeps time itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "codec/message_decoder.h"
#include "core/connection_table.h"
#include "handlers/deflation.h"
#include "handlers/guard.h"
#include "handlers/handler_metrics.h"
#include "handlers/websocket.h"

namespace spate::handlers {

struct SessionOptions {
  codec::FrameRules rules;
  core::Tick ping_interval = 0;  // 0: never ping
  core::Tick pong_timeout = 0;
  std::uint32_t ping_misses = 1;
  core::Tick idle_timeout = 0;  // without a message; 0: none
  core::Tick frame_timeout = 0;
  core::Tick close_timeout = 0;
  bool own_deadlines = false;  // the handler keeps time itself
  // Where opcode << 56 | payload bytes of the message in hand are noted, for the report of a crash.
  std::atomic<std::uint64_t>* last_message = nullptr;
  SessionMetrics* metrics = nullptr;  // null: of its own
  Deflation* deflation = nullptr;     // the worker's; null: permessage-deflate is off
  Guard* guard = nullptr;             // the endpoint's; null: of its own
};

// Serves every connection of one endpoint in one worker, but for those that negotiated
// permessage-deflate: see deflated_session.h.
class Session : public core::Protocol {
 public:
  // A frame may take longer the more it brings.
  static constexpr std::uint64_t kMinFrameRate = 500;  // bytes per second
  // One message in so many is timed: two readings of the clock cost as much as a small message. A
  // prime, so that it keeps no step with batches.
  static constexpr std::uint32_t kTimedEvery = 61;

  Session(core::ConnectionTable& table, WebSocketHandler& handler, const SessionOptions& options)
      : Session(table, handler, options, nullptr) {}

  // Takes over a connection whose 101 response has been written.
  void adopt(core::Connection& connection);

  void send(core::Connection& connection, codec::Opcode opcode, ConstBytes payload);
  void send(core::Connection& connection, OutgoingMessage& message);
  void send_frames(core::Connection& connection, const core::BlockRef& frames);
  // `part` of `block` holds `messages` whole frames.
  void send_frames(core::Connection& connection, const core::BlockRef& block, ConstBytes part,
                   std::size_t messages);
  void ping(core::Connection& connection);
  // Whether its connections have negotiated permessage-deflate.
  bool compresses() const { return deflation_ != nullptr; }
  void close(core::Connection& connection, codec::CloseCode code, std::string_view reason);

  const SessionMetrics& metrics() const { return *metrics_; }
  const Guard& guard() const { return guard_; }
  // The next message is timed, whether its turn has come or not.
  void time_next() {
    timed_step_ -= until_timed_ - 1;
    until_timed_ = 1;
  }

  void on_open(core::Connection& connection) override;
  core::Kept on_bytes(core::Connection& connection, const core::ReceiveWindow& window) override;
  void on_end(core::Connection& connection) override;
  void on_keep_refused(core::Connection& connection) override;
  void on_overflow(core::Connection& connection) override;
  void on_drained(core::Connection& connection) override;
  void on_resumed(core::Connection& connection) override;
  core::Tick on_timer(core::Connection& connection, core::Tick now) override;
  void on_leave(core::Connection& connection) override;
  void on_close(core::Connection& connection, core::CloseCause cause) override;

 protected:
  // `deflation` is null where nothing is compressed.
  Session(core::ConnectionTable& table, WebSocketHandler& handler, const SessionOptions& options,
          Deflation* deflation)
      : table_(table),
        handler_(handler),
        options_(options),
        deflation_(deflation),
        metrics_(options.metrics),
        guard_(options.guard != nullptr ? *options.guard
                                        : own_guards_.emplace(Guards::Options{}).of("/")) {}

  // Per connection, in Connection::protocol_data.
  struct Data {
    core::Tick last_message;
    core::Tick ping_sent;
    core::Tick close_deadline;
    std::uint32_t misses;
    std::uint32_t deflate_context;  // these two as in DeflatePeer
    std::uint8_t deflate_window_bits;
    bool awaiting_pong;
    bool close_sent;
    bool reported;  // the handler has had its on_close
  };
  // Per half-received message, in Hold::state.
  struct HalfMessage {
    codec::DecoderState decoder;
    core::Tick frame_began;
    std::uint32_t frame_bytes;  // received since then
    bool in_frame;
  };
  static_assert(sizeof(HalfMessage) <= core::kProtocolStateBytes);

  // `Deliver` takes each message.
  template <bool stops, typename Deliver>
  core::Kept receive(core::Connection& connection, const core::ReceiveWindow& window,
                     Deliver&& deliver);
  void begin(core::Connection& connection, DeflatePeer peer);
  // `in_place`: the decoder in whose window the payload lies, where an echo may leave from there.
  void deliver(core::Connection& connection, codec::MessageDecoder* in_place, codec::Opcode opcode,
               Bytes payload);
  void fail(core::Connection& connection, codec::CloseCode code, std::string_view reason);
  void fail(core::Connection& connection, codec::FrameError error);
  static DeflatePeer peer_of(const core::Connection& connection) {
    const Data& data = connection.data<Data>();
    return {data.deflate_context, data.deflate_window_bits};
  }

 private:
  template <bool stops, typename Deliver>
  core::Kept decode(core::Connection& connection, codec::MessageDecoder& decoder, HalfMessage& half,
                    std::size_t received, Deliver& deliver);
  void time_handler(WebSocket& socket, const Message& message);
  void on_thrown(core::Connection& connection);
  void answer_ping(core::Connection& connection, codec::MessageDecoder& decoder, Bytes payload);
  void on_peer_close(core::Connection& connection, Bytes payload);
  static core::Kept leave(codec::MessageDecoder& decoder, HalfMessage& half);
  core::Kept keep(core::Connection& connection, codec::MessageDecoder& decoder, HalfMessage& half,
                  std::size_t received);
  bool send_in_place(core::Connection& connection, codec::MessageDecoder& decoder,
                     codec::Opcode opcode, Bytes payload);
  void send_close(core::Connection& connection, codec::CloseCode code, std::string_view reason);
  void report(core::Connection& connection, codec::CloseCode code, std::string_view reason);
  void restart_deadlines(core::Connection& connection);
  void end_without_close(core::Connection& connection);
  void count(OtherFrame frame);
  void count(SessionTimeout timeout);
  core::Tick frame_deadline(const core::Connection& connection) const;
  core::Tick ping_deadline(core::Connection& connection, core::Tick now);
  core::Tick own_deadline(core::Connection& connection, core::Tick now);
  core::Tick first_deadline(core::Tick now) const;

 protected:
  core::ConnectionTable& table_;
  WebSocketHandler& handler_;
  const SessionOptions options_;
  Deflation* const deflation_;

 private:
  const core::MetricsOf<SessionMetrics> metrics_;
  std::optional<Guards> own_guards_;
  Guard& guard_;
  std::uint32_t until_timed_ = 1;    // messages until one is timed
  std::uint32_t timed_step_ = 1;     // what that began at
  std::uint32_t until_sampled_ = 1;  // when it did: messages until one is of the sample

  // The message being delivered, so that its payload can be sent from where it lies.
  struct {
    codec::MessageDecoder* decoder = nullptr;
    core::Connection* connection = nullptr;
    Bytes payload;
  } delivering_;
};

}  // namespace spate::handlers
