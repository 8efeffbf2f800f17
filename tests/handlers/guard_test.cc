// Endpoints that misbehave: what they throw costs their connection alone, and what takes too long
// is named.
#include "handlers/guard.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "handlers/http/http_protocol.h"
#include "tests/handlers/session_fixture.h"

namespace spate::test {
namespace {

using handlers::Guards;
using handlers::Message;
using handlers::WebSocket;

class GuardedSession : public SessionFixture {
 protected:
  std::uint64_t exceptions() const { return session->guard().metrics().exceptions; }
  std::uint64_t overruns() const { return session->guard().metrics().overruns; }
  // Both ends have gone as after any failed connection, and the next one is served.
  void expect_failed_alone(Wire& wire) {
    EXPECT_EQ(frames_of(wire.to_client).back(), close_frame(1011, "internal error"));
    EXPECT_TRUE(wire.server_ended);
    wire.client_ended = true;
    loop->settle();
    EXPECT_TRUE(wire.closed);
    handler.open_hook = nullptr;
    handler.message_hook = nullptr;
    Wire& next = connect();
    say(next, Frames().text("next"));
    EXPECT_EQ(frames_of(next.to_client), std::vector{text("next")});
  }
};

TEST_F(GuardedSession, AMessageThatThrowsIsClosedWith1011) {
  // Both the message that is timed, an endpoint's first, and those that are not.
  for (const int good : {0, 1, 70}) {
    start();
    Wire& wire = connect();
    for (int i = 0; i < good; ++i) say(wire, Frames().text("good"));
    handler.message_hook = [](WebSocket&, const Message&) { throw std::runtime_error("no"); };
    say(wire, Frames().text("bad").text("never handled"));
    EXPECT_EQ(exceptions(), 1u) << good;
    EXPECT_EQ(handler.close_codes.back(), 1011);
    expect_failed_alone(wire);
  }
}

TEST_F(GuardedSession, WhatIsNoExceptionIsCaughtToo) {
  handler.message_hook = [](WebSocket&, const Message&) { throw 7; };
  Wire& wire = connect();
  say(wire, Frames().text("x"));
  EXPECT_EQ(exceptions(), 1u);
  expect_failed_alone(wire);
}

TEST_F(GuardedSession, WhatWasSentBeforeTheThrowArrives) {
  handler.message_hook = [](WebSocket& socket, const Message& message) {
    socket.send(message.opcode, message.payload);
    socket.send_text("copied");
    throw std::runtime_error("then this");
  };
  Wire& wire = connect();
  say(wire, Frames().text("in place"));
  EXPECT_EQ(frames_of(wire.to_client),
            (std::vector{text("in place"), text("copied"), close_frame(1011, "internal error")}));
  expect_failed_alone(wire);
}

TEST_F(GuardedSession, AThrowAfterACloseAddsNoSecondCloseFrame) {
  handler.message_hook = [](WebSocket& socket, const Message&) {
    socket.close(codec::kCloseNormal, "bye");
    throw std::runtime_error("too late");
  };
  Wire& wire = connect();
  say(wire, Frames().text("x"));
  EXPECT_EQ(frames_of(wire.to_client), std::vector{close_frame(1000, "bye")});
  EXPECT_TRUE(wire.server_ended);
  EXPECT_EQ(exceptions(), 1u);
}

TEST_F(GuardedSession, AnOpenThatThrowsIsClosedAndTold) {
  handler.open_hook = [](WebSocket&) { throw std::runtime_error("not today"); };
  Wire& wire = connect();
  loop->settle();
  EXPECT_EQ(handler.close_codes, std::vector<codec::CloseCode>{1011});
  expect_failed_alone(wire);
}

TEST_F(GuardedSession, ACloseThatThrowsChangesNothing) {
  handler.close_hook = [](WebSocket&) { throw std::runtime_error("at the end"); };
  Wire& wire = connect();
  say(wire, Frames().close(1000, "bye"));
  EXPECT_EQ(frames_of(wire.to_client), std::vector{close_frame(1000)});
  EXPECT_EQ(exceptions(), 1u);
  Wire& reset = connect();
  reset.reset = true;
  loop->settle();
  EXPECT_TRUE(reset.closed);
  EXPECT_EQ(exceptions(), 2u);
  handler.close_hook = nullptr;
  // Both were told.
  handler.close_reasons.resize(handler.close_codes.size());
}

TEST_F(GuardedSession, ACallThatTakesTooLongIsCounted) {
  // Everything does, by this measure; timed are the opening, the first message and the 62nd.
  Guards guards({.warn_ns = 0});
  session_options.guard = &guards.of("/slow");
  Wire& wire = connect();
  EXPECT_EQ(overruns(), 1u);
  for (int i = 0; i < 61; ++i) say(wire, Frames().text("x"));
  EXPECT_EQ(overruns(), 2u);
  say(wire, Frames().text("x"));
  EXPECT_EQ(overruns(), 3u);
  EXPECT_EQ(session->metrics().handler.count(), 2u);
  loop.reset();  // before its guard
}

TEST_F(GuardedSession, EveryMessageIsTimedAfterASlowTurnAndTheHistogramIsNot) {
  Guards guards({.warn_ns = 0});
  session_options.guard = &guards.of("/slow");
  Wire& wire = connect();
  for (int i = 0; i < 20; ++i) say(wire, Frames().text("x"));
  ASSERT_EQ(overruns(), 2u);
  guards.on_slow_turn(1'000'000, nullptr);
  session->time_next();
  for (int i = 0; i < 41; ++i) say(wire, Frames().text("x"));
  EXPECT_EQ(overruns(), 43u);
  EXPECT_EQ(session->metrics().handler.count(), 1u);
  say(wire, Frames().text("x"));  // the 62nd
  EXPECT_EQ(session->metrics().handler.count(), 2u);
  loop.reset();
}

TEST(Guards, ATurnOfOneEventIsItsEndpoints) {
  Guards guards({.warn_ns = 100});
  handlers::Guard& guard = guards.of("/a");
  EXPECT_EQ(&guards.of("/a"), &guard);
  EXPECT_NE(&guards.of("/b"), &guard);
  guards.on_slow_turn(101, &guard);
  EXPECT_EQ(guard.metrics().overruns, 1u);
  // What was timed is not counted again.
  guard.took(150);
  guards.on_slow_turn(220, &guard);
  EXPECT_EQ(guard.metrics().overruns, 2u);
  guard.took(150);
  guards.on_slow_turn(251, &guard);
  EXPECT_EQ(guard.metrics().overruns, 4u);
  // Another turn starts at nothing.
  guards.on_slow_turn(101, &guard);
  EXPECT_EQ(guard.metrics().overruns, 5u);
}

// HTTP endpoints, and the part of a WebSocket's that is asked before there is one.
class Thrower final : public handlers::HttpHandler, public handlers::WebSocketHandler {
 public:
  explicit Thrower(std::string at) : at_(std::move(at)) {}

 private:
  std::string_view methods() const override {
    if (at_ == "methods") throw std::runtime_error(at_);
    return "GET, HEAD, POST";
  }
  std::uint64_t max_body_bytes() const override {
    if (at_ == "body") throw std::runtime_error(at_);
    return 100;
  }
  handlers::HttpReply on_request(const handlers::HttpRequest&) override {
    throw std::runtime_error(at_);
  }
  handlers::Admission admit(const handlers::UpgradeRequest&) override {
    throw std::runtime_error(at_);
  }
  void on_message(WebSocket&, const Message&) override {}

  const std::string at_;
};

TEST(GuardedHttp, WhatThrowsIsAnsweredWith500AndClosed) {
  MemoryLoop loop({.read_ring_bytes = 64 * 1024});
  handlers::Routes routes(loop.table, {});
  handlers::HttpMetrics metrics;
  handlers::HttpProtocol http(loop.table, routes, {.metrics = &metrics});
  for (const char* const at : {"methods", "body", "request"})
    routes.add("/" + std::string(at),
               std::unique_ptr<handlers::HttpHandler>(std::make_unique<Thrower>(at)));
  routes.add("/admit",
             std::unique_ptr<handlers::WebSocketHandler>(std::make_unique<Thrower>("admit")));
  for (const std::string path : {"/methods", "/body", "/request", "/admit"}) {
    SCOPED_TRACE(path);
    Wire& wire = loop.connect(http);
    const std::string request = "GET " + path +
                                " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    wire.to_server = request + request;
    loop.settle();
    EXPECT_TRUE(wire.to_client.starts_with("HTTP/1.1 500 ")) << wire.to_client;
    EXPECT_EQ(wire.to_client.find("HTTP/1.1", 1), std::string::npos) << "answered after the end";
    EXPECT_TRUE(wire.server_ended);
    EXPECT_EQ(routes.find(path)->guard->metrics().exceptions, 1u);
  }
  EXPECT_EQ(metrics.refusals[handlers::kEndpointFailed.reason], 4u);
  loop.table.for_each([&](core::Connection& each) { loop.table.abort(each); });
}

}  // namespace
}  // namespace spate::test
