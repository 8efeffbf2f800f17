// What an endpoint sees of a WebSocket connection, and the interface it implements.
//
//   class Shout final : public WebSocketHandler {
//     void on_message(WebSocket& socket, const Message& message) override {
//       socket.send(message.opcode, message.payload);
//     }
//   };
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "codec/close_code.h"
#include "codec/frame.h"
#include "codec/handshake.h"
#include "core/block.h"
#include "core/connection.h"
#include "handlers/client_address.h"

namespace spate::handlers {

class OutgoingMessage;
class Session;

struct Message {
  codec::Opcode opcode;  // text (valid UTF-8) or binary
  Bytes payload;         // lives until on_message returns; may be written to
};

// One connection. Cheap to copy; a copy may be kept, and written to, until on_close.
class WebSocket {
 public:
  WebSocket(Session& session, core::Connection& connection)
      : session_(session), connection_(connection) {}

  // Sends one unfragmented message. The payload of the message being handled is sent from where it
  // lies; any other is copied.
  void send(codec::Opcode opcode, ConstBytes payload);
  void send_text(std::string_view text) { send(codec::Opcode::text, as_bytes(text)); }
  // Sends it as this connection takes it, without a copy: one message may go to many.
  void send(OutgoingMessage& message);
  // Sends finished frames (header and payload) without a copy: one block may go to many
  // connections.
  void send_frames(const core::BlockRef& frames);

  // Sends a close frame behind what is queued, and waits for the peer's; on_close follows. The
  // reason is cut to 123 bytes.
  void close(codec::CloseCode code, std::string_view reason = {});

  // Sends a ping frame, which peers answer by themselves.
  void ping();

  // The handler's own, per connection; null at on_open.
  void*& user() { return connection_.user; }
  core::Connection& connection() { return connection_; }

 private:
  Session& session_;
  core::Connection& connection_;
};

struct UpgradeRequest {
  const codec::HttpHead& head;
  const codec::Handshake& handshake;
  RequestPeer peer;  // peer(): the client, behind trusted proxies
};

// The answer to an upgrade: accepted, or refused with a status and a sentence that says what to do.
struct Admission {
  int status = 101;
  std::string_view remedy{};  // a constant
  std::string_view
      subprotocol{};  // one of those offered; empty: none. Lives as long as the handler

  bool accepted() const { return status == 101; }
  static Admission refuse(int status, std::string_view remedy) { return {status, remedy, {}}; }
};

// An endpoint's policy. One object per endpoint and worker serves all its connections, on one
// thread, and its worker serves nobody else meanwhile: what takes longer than --handler-warn-ms is
// named. What throws closes its connection with 1011; admit() is then answered with 500. on_close
// follows an on_open that threw, too.
class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;

  // After the handshake and the origin were found good, before 101 is sent: here hang
  // authentication and other interceptors.
  virtual Admission admit(const UpgradeRequest&) { return {}; }
  virtual void on_open(WebSocket&) {}
  virtual void on_message(WebSocket& socket, const Message& message) = 0;
  // The server is leaving: the code to close with.
  virtual codec::CloseCode on_drain(WebSocket&) { return codec::kCloseGoingAway; }
  // And the reason; a constant.
  virtual std::string_view drain_reason() const { return "server is leaving"; }
  // The last call for this socket. `code` is the peer's or ours; kCloseAbnormal when no close frame
  // came.
  virtual void on_close(WebSocket&, codec::CloseCode, std::string_view) {}

  // Whether it looks after its connections' liveness itself: the session then neither pings them
  // nor ends idle ones, and on_timer is called.
  virtual bool keeps_time() const { return false; }
  // A deadline may have passed that was armed at the table. Returns the tick of the next look
  // (kNoDeadline for none). May come early.
  virtual core::Tick on_timer(WebSocket&, core::Tick) { return core::kNoDeadline; }
  // All that was queued for it has been sent.
  virtual void on_drained(WebSocket&) {}

  // Whether a connection is left unread while output for it waits: right where output answers
  // input.
  virtual bool rests_on_backlog() const { return true; }
  // What a connection that lets more than the outbox's bound pile up is closed with.
  virtual codec::CloseCode overflow_code() const { return codec::kClosePolicyViolation; }
};

}  // namespace spate::handlers
