// A Session over a MemoryLoop, and a client that sends what Frames builds and reads frames back.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handlers/session.h"
#include "tests/codec/frames.h"
#include "tests/core/memory_transport.h"

namespace spate::test {

inline std::uint64_t messages_received(const handlers::Session& session) {
  const auto& received = session.metrics().messages_received;
  return received[0] + received[1];
}
inline std::uint64_t protocol_errors(const handlers::Session& session) {
  std::uint64_t errors = 0;
  for (const auto& error : session.metrics().protocol_errors) errors += error;
  return errors;
}
inline std::uint64_t timeouts(const handlers::Session& session, handlers::SessionTimeout kind) {
  return session.metrics().timeouts[static_cast<std::size_t>(kind)];
}

// A frame as the server sent it.
struct Frame {
  codec::Opcode opcode;
  std::string payload;

  bool operator==(const Frame&) const = default;
};

inline void PrintTo(const Frame& frame, std::ostream* out) {
  *out << static_cast<int>(frame.opcode) << ":" << frame.payload.substr(0, 40) << "("
       << frame.payload.size() << ")";
}

inline Frame text(std::string payload) {
  return {codec::Opcode::text, std::move(payload)};
}
inline Frame pong(std::string payload) {
  return {codec::Opcode::pong, std::move(payload)};
}
inline Frame close_frame(unsigned code, std::string_view reason = {}) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return {codec::Opcode::close, payload.append(reason)};
}

// The frames on `wire`, by a literal reading of RFC 6455 §5.2. A frame that is not whole ends the
// list; one that a server may not send fails the test.
inline std::vector<Frame> frames_of(const std::string& wire) {
  std::vector<Frame> frames;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(wire[at]); };
  std::size_t at = 0;
  while (wire.size() - at >= 2) {
    EXPECT_EQ(byte(at) & 0xF0, 0x80) << "FIN and nothing reserved";
    EXPECT_EQ(byte(at + 1) & 0x80, 0) << "a server does not mask";
    const unsigned opcode = byte(at) & 0x0F;
    EXPECT_TRUE(opcode == 1 || opcode == 2 || (opcode >= 8 && opcode <= 10)) << opcode;
    std::uint64_t bytes = byte(at + 1);
    const std::size_t extended = bytes == 127 ? 8 : bytes == 126 ? 2 : 0;
    if (wire.size() - at < 2 + extended) break;
    if (extended > 0) bytes = 0;
    for (std::size_t i = 0; i < extended; ++i) bytes = bytes << 8 | byte(at + 2 + i);
    EXPECT_TRUE(extended == 0 || bytes > (extended == 2 ? 125u : 65535u)) << "minimal length";
    if (testing::Test::HasFailure() || wire.size() - at - 2 - extended < bytes) break;
    frames.push_back({static_cast<codec::Opcode>(opcode), wire.substr(at + 2 + extended, bytes)});
    at += 2 + extended + bytes;
  }
  return frames;
}

// Echoes, notes, and does what the test hangs into its hooks.
class TestHandler : public handlers::WebSocketHandler {
 public:
  std::function<void(handlers::WebSocket&)> open_hook;
  std::function<void(handlers::WebSocket&, const handlers::Message&)> message_hook;
  std::function<void(handlers::WebSocket&)> close_hook;
  std::function<core::Tick(core::Tick)> timer_hook;
  codec::CloseCode drain_code = codec::kCloseGoingAway;
  codec::CloseCode slow_code = codec::kClosePolicyViolation;
  bool rests = true;

  std::vector<codec::CloseCode> close_codes;
  std::vector<std::string> close_reasons;
  std::size_t opened = 0;

  void on_open(handlers::WebSocket& socket) override {
    ++opened;
    EXPECT_EQ(socket.user(), nullptr);
    socket.user() = this;  // until on_close
    if (open_hook) open_hook(socket);
  }
  void on_message(handlers::WebSocket& socket, const handlers::Message& message) override {
    EXPECT_EQ(socket.user(), this) << "a message outside of open and close";
    if (message_hook) return message_hook(socket, message);
    socket.send(message.opcode, message.payload);
  }
  void on_close(handlers::WebSocket& socket, codec::CloseCode code,
                std::string_view reason) override {
    EXPECT_EQ(socket.user(), this) << "closed twice, or never opened";
    socket.user() = nullptr;
    close_codes.push_back(code);
    if (close_hook) close_hook(socket);
    close_reasons.emplace_back(reason);  // the span must have lived that long
  }
  core::Tick on_timer(handlers::WebSocket&, core::Tick now) override {
    return timer_hook ? timer_hook(now) : core::kNoDeadline;
  }
  codec::CloseCode on_drain(handlers::WebSocket&) override { return drain_code; }
  bool rests_on_backlog() const override { return rests; }
  codec::CloseCode overflow_code() const override { return slow_code; }
};

class SessionFixture : public testing::Test {
 protected:
  ~SessionFixture() override {
    loop.reset();
    EXPECT_EQ(handler.close_codes.size(), handler.opened) << "each is closed once";
  }

  void start() {
    loop.reset();
    table_options.read_ring_bytes = 64 * 1024;
    loop.emplace(table_options);
    session = std::make_unique<handlers::Session>(loop->table, handler, session_options);
  }
  Wire& connect() {
    if (!loop) start();
    return loop->connect(*session);
  }
  void say(Wire& wire, const std::string& bytes) {
    wire.to_server += bytes;
    loop->settle();
  }
  handlers::WebSocket socket_of(const Wire& wire) { return {*session, *wire.connection}; }

  core::ConnectionTable::Options table_options;
  handlers::SessionOptions session_options;
  TestHandler handler;
  std::unique_ptr<handlers::Session> session;
  std::optional<MemoryLoop> loop;
};

}  // namespace spate::test
