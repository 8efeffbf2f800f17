// How a session ends, by whomever, and that its handler hears of it once.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "handlers/session.h"
#include "tests/handlers/session_fixture.h"

namespace spate::test {
namespace {

using codec::CloseCode;
using core::Stage;
using handlers::Message;
using handlers::WebSocket;

class SessionClose : public SessionFixture {
 protected:
  SessionClose() {
    table_options.linger_ticks = 50;
    table_options.write_timeout_ticks = 100;
    session_options.close_timeout = 200;
  }
  std::vector<CloseCode> codes(std::initializer_list<CloseCode> expected) { return expected; }
};

TEST_F(SessionClose, ThePeersCodeIsReturnedAndItsReasonReported) {
  Wire& wire = connect();
  say(wire, Frames().text("last").close(4321, "enough"));
  EXPECT_EQ(frames_of(wire.to_client), (std::vector{text("last"), close_frame(4321)}));
  EXPECT_EQ(handler.close_codes, codes({4321}));
  EXPECT_EQ(handler.close_reasons, std::vector<std::string>{"enough"});
  EXPECT_TRUE(wire.server_ended);
  EXPECT_FALSE(wire.closed);  // it is the peer's turn to end (RFC 6455 §7.1.1), for a while
  wire.client_ended = true;
  loop->settle();
  EXPECT_TRUE(wire.closed);
}

TEST_F(SessionClose, ACloseWithoutACodeIsAnsweredWithout) {
  Wire& wire = connect();
  say(wire, Frames().raw(0x88, ""));
  EXPECT_EQ(frames_of(wire.to_client), (std::vector{Frame{codec::Opcode::close, ""}}));
  EXPECT_EQ(handler.close_codes, codes({codec::kCloseNoStatus}));
}

TEST_F(SessionClose, WhatFollowsThePeersCloseFrameIsNothing) {
  Wire& wire = connect();
  say(wire, std::string(Frames().close(1000, "")) + std::string(Frames().text("ignored")));
  say(wire, Frames().ping("ignored"));
  EXPECT_EQ(frames_of(wire.to_client), std::vector{close_frame(1000)});
  EXPECT_EQ(messages_received(*session), 0u);
}

struct Fault {
  const char* name;
  std::string bytes;
  CloseCode code;
};

TEST_F(SessionClose, AFaultOfThePeersHasItsCode) {
  const Fault faults[] = {
      {"reserved bit", Frames().raw(0xC1, "x"), 1002},
      {"reserved opcode", Frames().raw(0x83, "x"), 1002},
      {"unmasked", std::string("\x81\x01x", 3), 1002},
      {"nothing to continue", Frames().last("x"), 1002},
      {"message inside a message", std::string(Frames().first("x").text("y")), 1002},
      {"too big", Frames().text(std::string(65537, 'x')), 1009},
      {"not UTF-8", Frames().text("\xFF"), 1007},
      {"cut UTF-8", Frames().text("\xC3"), 1007},
      {"close payload of one byte", Frames().raw(0x88, "x"), 1002},
      {"reserved close code", Frames().close(1005, ""), 1002},
      {"close reason not UTF-8", Frames().close(1000, "\xFF"), 1007},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.name);
    Wire& wire = connect();
    say(wire, Frames().text("fine"));
    say(wire, fault.bytes);
    const std::vector<Frame> frames = frames_of(wire.to_client);
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0], text("fine"));
    EXPECT_EQ(frames[1].opcode, codec::Opcode::close);
    EXPECT_EQ(frames[1].payload.substr(0, 2), close_frame(fault.code).payload);
    EXPECT_GT(frames[1].payload.size(), 2u) << "the reason says what was wrong";
    EXPECT_EQ(handler.close_codes.back(), fault.code);
    EXPECT_TRUE(wire.server_ended);
  }
  EXPECT_EQ(protocol_errors(*session), std::size(faults));
}

TEST_F(SessionClose, OursIsAnsweredByThePeer) {
  Wire& wire = connect();
  socket_of(wire).close(4000, "off you go");
  socket_of(wire).close(4001, "never sent");
  socket_of(wire).send_text("never sent");
  loop->table.on_turn_end();
  EXPECT_EQ(frames_of(wire.to_client), std::vector{close_frame(4000, "off you go")});
  EXPECT_TRUE(handler.close_codes.empty());
  // What was under way is not delivered any more, and pings are not answered.
  say(wire, Frames().text("crossed").ping("crossed"));
  EXPECT_EQ(session->metrics().messages_sent, 0u);
  say(wire, Frames().close(4000, ""));
  EXPECT_EQ(frames_of(wire.to_client).size(), 1u);
  EXPECT_EQ(handler.close_codes, codes({4000}));
  EXPECT_TRUE(wire.server_ended);
}

TEST_F(SessionClose, OneThatIsNotAnsweredEndsInTime) {
  session_options.ping_interval = 10;
  session_options.pong_timeout = 10;
  Wire& wire = connect();
  socket_of(wire).close(1000, "");
  loop->live(199);
  EXPECT_FALSE(wire.closed);
  loop->live(1);
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(frames_of(wire.to_client), std::vector{close_frame(1000)});  // and no pings behind it
  EXPECT_EQ(handler.close_codes, codes({codec::kCloseAbnormal}));
}

TEST_F(SessionClose, AReasonIsCutToWhatFits) {
  Wire& wire = connect();
  socket_of(wire).close(1000, std::string(200, 'r'));
  loop->table.on_turn_end();
  EXPECT_EQ(frames_of(wire.to_client), std::vector{close_frame(1000, std::string(123, 'r'))});
}

TEST_F(SessionClose, ACloseFromInsideAMessageEndsTheBurst) {
  handler.message_hook = [](WebSocket& socket, const Message& message) {
    socket.send(message.opcode, message.payload);
    socket.close(1000, "one is enough");
    socket.send_text("never sent");
  };
  Wire& wire = connect();
  say(wire, Frames().text("one").text("two").text("three"));
  EXPECT_EQ(frames_of(wire.to_client),
            (std::vector{text("one"), close_frame(1000, "one is enough")}));
  say(wire, Frames().close(1000, ""));
  EXPECT_TRUE(wire.server_ended);
}

TEST_F(SessionClose, APeerThatEndsWithoutACloseFrameIsAbnormal) {
  Wire& wire = connect();
  wire.client_ended = true;
  say(wire, Frames().text("last words").first("and half"));
  EXPECT_EQ(frames_of(wire.to_client), std::vector{text("last words")});
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(handler.close_codes, codes({codec::kCloseAbnormal}));
}

TEST_F(SessionClose, EveryViolentEndIsReportedOnceAsAbnormal) {
  // A reset; a peer that reads nothing; a table that goes.
  Wire& broken = connect();
  broken.reset = true;
  loop->settle();
  EXPECT_TRUE(broken.closed);
  Wire& stalled = connect();
  stalled.room = 0;
  say(stalled, Frames().text("unread"));
  loop->live(101);
  EXPECT_TRUE(stalled.closed);
  connect();
  loop.reset();
  EXPECT_EQ(handler.close_codes, std::vector<CloseCode>(3, codec::kCloseAbnormal));
}

TEST_F(SessionClose, OneShedAtTheCeilingIsReportedOnce) {
  handler.rests = false;
  table_options.max_memory = 1;
  Wire& wire = connect();
  wire.room = 0;
  say(wire, Frames().text("one"));
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(handler.close_codes, codes({codec::kCloseAbnormal}));
  EXPECT_EQ(loop->table.counters().shed, 1u);
}

// At the ceiling any write may shed the connection it is for: each of the session's own.
TEST_F(SessionClose, AnyFrameOfOursMayShedTheConnectionItIsFor) {
  handler.rests = false;
  table_options.max_memory = 1;
  session_options.ping_interval = 10;
  session_options.pong_timeout = 5;
  using Provoke = std::function<void(Wire&)>;
  const Provoke provocations[] = {
      [&](Wire& wire) { say(wire, Frames().ping("x")); },
      [&](Wire& wire) { say(wire, Frames().close(1000, "")); },
      [&](Wire& wire) { say(wire, Frames().raw(0xFF, "")); },
      [&](Wire& wire) { say(wire, Frames().first("x")); },
      [&](Wire&) { loop->live(10); },
      [&](Wire& wire) { socket_of(wire).close(1000, "x"); },
      [&](Wire& wire) { socket_of(wire).send_text("x"); },
  };
  for (const Provoke& provoke : provocations) {
    start();
    Wire& bystander = connect();
    bystander.room = 0;
    for (int i = 0; i < 3; ++i) {
      Wire& wire = connect();
      wire.room = 0;
      provoke(wire);
      loop->table.on_turn_end();
      EXPECT_TRUE(wire.closed);
    }
    loop->live(1000);
  }
}

// The handler gives up on a connection inside each of its callbacks, and goes on as if it had not.
TEST_F(SessionClose, AnAbortInsideAHandlersCallbackIsTheEnd) {
  const auto give_up = [&](WebSocket& socket) {
    loop->table.abort(socket.connection());
    socket.send_text("never sent");
    socket.close(1000, "never sent");
  };
  handler.open_hook = give_up;
  Wire& at_open = connect();
  EXPECT_TRUE(at_open.closed);
  handler.open_hook = nullptr;

  std::string seen;
  session_options.rules.max_message_bytes = 4 << 20;
  start();
  handler.message_hook = [&](WebSocket& socket, const Message& message) {
    give_up(socket);
    seen = as_text(message.payload);  // lives until the call returns all the same
  };
  Wire& at_message = connect();
  const std::string large(3 << 20, 'm');
  say(at_message, Frames().text(large).text("another"));
  EXPECT_TRUE(at_message.closed);
  EXPECT_EQ(seen, large);
  EXPECT_EQ(at_message.to_client, "");
  handler.message_hook = nullptr;

  handler.close_hook = give_up;
  Wire& at_close = connect();
  say(at_close, Frames().close(1000, "why"));
  EXPECT_TRUE(at_close.closed);
  EXPECT_EQ(handler.close_reasons.back(), "why");
  Wire& at_error = connect();
  say(at_error, Frames().raw(0xF1, ""));
  EXPECT_TRUE(at_error.closed);
  handler.close_hook = nullptr;
  EXPECT_EQ(handler.close_codes.size(), 4u);
}

TEST_F(SessionClose, OthersMayBeClosedFromInsideACallback) {
  Wire& victim = connect();
  Wire& other = connect();
  handler.message_hook = [&](WebSocket&, const Message&) {
    loop->table.abort(*victim.connection);
    socket_of(other).close(4000, "you too");
  };
  Wire& wire = connect();
  victim.to_server = Frames().text("never delivered");
  wire.to_server = Frames().text("x");
  // The victim's event comes first or last in the batch; the message is never delivered twice.
  loop->settle();
  EXPECT_TRUE(victim.closed);
  EXPECT_EQ(frames_of(other.to_client), std::vector{close_frame(4000, "you too")});
  EXPECT_FALSE(wire.closed);
}

TEST_F(SessionClose, LeavingSaysSoBehindWhatIsOwed) {
  handler.drain_code = 3001;
  Wire& idle = connect();
  Wire& owed = connect();
  Wire& closing = connect();
  owed.room = 3;
  say(owed, Frames().text("owed"));
  say(closing, Frames().close(1000, ""));
  const auto leave = [&](Wire& wire) {
    loop->table.with(*wire.connection, [&] { session->on_leave(*wire.connection); });
  };
  for (Wire* const wire : {&idle, &owed, &closing, &idle}) leave(*wire);
  owed.room = Wire::kUnlimited;
  loop->settle();
  const Frame goodbye = close_frame(3001, "server is leaving");
  EXPECT_EQ(frames_of(idle.to_client), std::vector{goodbye});
  EXPECT_EQ(frames_of(owed.to_client), (std::vector{text("owed"), goodbye}));
  EXPECT_EQ(frames_of(closing.to_client), std::vector{close_frame(1000)});
  say(idle, Frames().close(3001, ""));
  EXPECT_TRUE(idle.server_ended);
  loop->live(201);
  EXPECT_TRUE(owed.closed);  // it never answered
}

}  // namespace
}  // namespace spate::test
