// A session's conversation: messages, control frames and the close handshake, however the bytes
// come and go.
#include "handlers/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/handlers/session_fixture.h"

namespace spate::test {
namespace {

using codec::Opcode;
using core::Stage;
using handlers::Message;
using handlers::WebSocket;

class SessionTest : public SessionFixture {};

std::string letters(std::size_t bytes) {
  std::string letters(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i)
    letters[i] = static_cast<char>('!' + (i * 31 + i / 90) % 90);
  return letters;
}

TEST_F(SessionTest, EchoesEveryLengthInOneCallAndInPlace) {
  session_options.rules.max_message_bytes = 1 << 20;
  Wire& wire = connect();
  for (const std::size_t bytes :
       {0u, 1u, 125u, 126u, 127u, 1000u, 65535u - 8, 65535u, 65536u, 65537u, 1u << 20}) {
    SCOPED_TRACE(bytes);
    wire.to_client.clear();
    const std::uint64_t sends = loop->transport.sends();
    say(wire, Frames().text(letters(bytes)));
    say(wire, Frames().binary(letters(bytes)));
    EXPECT_EQ(frames_of(wire.to_client),
              (std::vector{text(letters(bytes)), Frame{Opcode::binary, letters(bytes)}}));
    EXPECT_EQ(loop->transport.sends(), sends + 2);
  }
  EXPECT_EQ(wire.connection->hold, nullptr);
  EXPECT_EQ(messages_received(*session), 22u);
  EXPECT_EQ(session->metrics().messages_sent, 22u);
}

TEST_F(SessionTest, ABurstLeavesInOneCall) {
  Wire& wire = connect();
  Frames burst;
  std::vector<Frame> expected;
  for (std::size_t i = 0; i < 32; ++i) {
    burst.text(letters(i * 7));
    expected.push_back(text(letters(i * 7)));
  }
  say(wire, burst);
  EXPECT_EQ(frames_of(wire.to_client), expected);
  EXPECT_EQ(loop->transport.sends(), 1u);
}

// What a client may say, with all that it gets back.
struct Script {
  std::string bytes;
  std::vector<Frame> data;   // in order
  std::vector<Frame> pongs;  // in order
};

Script conversation() {
  Script script;
  Frames frames;
  const auto expect = [&](const std::string& payload) { script.data.push_back(text(payload)); };
  const auto ping = [&](const std::string& payload) {
    frames.ping(payload);
    script.pongs.push_back(pong(payload));
  };
  frames.text("hello");
  expect("hello");
  frames.binary(letters(300));
  script.data.push_back({Opcode::binary, letters(300)});
  ping("1");
  frames.first("fr").more("ag");
  ping("between fragments");
  frames.more("").last("ments");
  expect("fragments");
  frames.text("");
  expect("");
  ping("");
  frames.pong("unasked");
  frames.first(letters(200)).last(letters(200));
  expect(letters(200) + letters(200));
  frames.text("h\xC3\xA9llo");
  expect("h\xC3\xA9llo");
  frames.close(1000, "bye");
  script.bytes = frames;
  return script;
}

// Data in order, pongs in order, and the close frame behind all of them. `whole`: nothing missing.
void judge(const std::string& wire, const Script& script, bool whole) {
  const std::vector<Frame> frames = frames_of(wire);
  std::size_t data = 0, pongs = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames[i].opcode == Opcode::close) {
      ASSERT_EQ(frames[i], close_frame(1000));
      ASSERT_EQ(i + 1, frames.size());
    } else if (frames[i].opcode == Opcode::pong) {
      ASSERT_LT(pongs, script.pongs.size());
      ASSERT_EQ(frames[i], script.pongs[pongs++]);
    } else {
      ASSERT_LT(data, script.data.size());
      ASSERT_EQ(frames[i], script.data[data++]);
    }
  }
  if (!whole) return;
  ASSERT_EQ(data, script.data.size());
  ASSERT_EQ(pongs, script.pongs.size());
  ASSERT_EQ(frames.back().opcode, Opcode::close);
}

TEST_F(SessionTest, AnswersAlikeHoweverTheBytesAreCut) {
  const Script script = conversation();
  for (std::size_t cut = 0; cut <= script.bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    Wire& wire = connect();
    say(wire, script.bytes.substr(0, cut));
    say(wire, script.bytes.substr(cut));
    judge(wire.to_client, script, true);
    EXPECT_TRUE(wire.server_ended);
    wire.client_ended = true;
    loop->settle();
    ASSERT_TRUE(wire.closed);
    ASSERT_EQ(handler.close_codes.back(), 1000);
    ASSERT_EQ(handler.close_reasons.back(), "bye");
  }
  Wire& wire = connect();
  for (const char byte : script.bytes) say(wire, std::string(1, byte));
  judge(wire.to_client, script, true);
}

// The first, second, third … operation is short, refused, interrupted, or fatal, until the
// conversation passes without meeting it.
TEST_F(SessionTest, AnyOneFaultDelaysOrEndsAndNothingElse) {
  const Script script = conversation();
  using Fault = MemoryTransport::Fault;
  for (const Fault fault :
       {Fault{.bytes = 1}, Fault{.bytes = 7}, Fault{.bytes = 200}, Fault{.error = EAGAIN},
        Fault{.error = EINTR}, Fault{.error = ECONNRESET}}) {
    for (const std::size_t chop : {script.bytes.size(), std::size_t{100}, std::size_t{9}}) {
      for (std::uint64_t number = 0;; ++number) {
        Wire& wire = connect();
        loop->transport.set_plan(MemoryTransport::only(number, fault));
        for (std::size_t at = 0; at < script.bytes.size() && !wire.closed; at += chop)
          say(wire, script.bytes.substr(at, chop));
        wire.client_ended = true;
        loop->settle();
        SCOPED_TRACE(testing::Message() << "operation " << number << " of chops of " << chop);
        judge(wire.to_client, script, !wire.reset);
        ASSERT_TRUE(wire.closed);
        ASSERT_EQ(handler.close_codes.size(), handler.opened);
        if (HasFailure() || loop->transport.operations() <= number) break;
      }
      ASSERT_FALSE(HasFailure());
    }
  }
}

// Every operation is short, by every amount.
TEST_F(SessionTest, AlwaysShortIsOnlySlow) {
  const Script script = conversation();
  for (const std::size_t bytes : {1u, 2u, 3u, 5u, 6u, 14u, 100u}) {
    for (const bool sends_only : {false, true}) {
      SCOPED_TRACE(bytes);
      Wire& wire = connect();
      loop->transport.set_plan([&](MemoryTransport::Operation operation, std::uint64_t) {
        const bool touched = !sends_only || operation == MemoryTransport::Operation::send;
        return touched ? MemoryTransport::Fault{.bytes = bytes} : MemoryTransport::Fault{};
      });
      say(wire, script.bytes);
      wire.client_ended = true;
      loop->settle();
      judge(wire.to_client, script, true);
      ASSERT_TRUE(wire.closed);
    }
  }
}

TEST_F(SessionTest, ALargeMessageIsKeptInTheSlabThenInARingThenInALargerOne) {
  session_options.rules.max_message_bytes = 1 << 20;
  Wire& wire = connect();
  const std::string frame = Frames().text(letters(200'000));
  say(wire, frame.substr(0, 100));
  EXPECT_NE(wire.connection->hold, nullptr);
  EXPECT_EQ(loop->table.leases().leased(), 1u);  // its length is known, and larger than a turn's
  say(wire, frame.substr(100));
  EXPECT_EQ(frames_of(wire.to_client), std::vector{text(letters(200'000))});
  EXPECT_EQ(loop->table.leases().leased(), 0u);
  // In fragments its length is not known.
  wire.to_client.clear();
  say(wire, Frames().first(letters(10)));
  EXPECT_EQ(loop->table.leases().leased(), 0u);
  std::string expected = letters(10);
  std::uint64_t rings = 0, last_bytes = 0;
  for (int i = 0; i < 100; ++i) {
    expected += letters(1000);
    say(wire, Frames().more(letters(1000)));
    ASSERT_EQ(loop->table.leases().leased(), 1u);
    rings += loop->table.leases().leased_bytes() != last_bytes;
    last_bytes = loop->table.leases().leased_bytes();
  }
  EXPECT_GE(rings, 3u);
  say(wire, Frames().last(""));
  EXPECT_EQ(frames_of(wire.to_client), std::vector{text(expected)});
  EXPECT_EQ(loop->table.leases().leased(), 0u);
  EXPECT_EQ(wire.connection->hold, nullptr);
}

TEST_F(SessionTest, NoRoomForHalfAMessageIs1013) {
  table_options.max_lease_bytes = 8192;
  Wire& wire = connect();
  Wire& other = connect();
  say(wire, Frames().first(letters(300)));
  say(other, Frames().first(letters(300)));
  ASSERT_EQ(frames_of(other.to_client).size(), 1u);
  EXPECT_EQ(frames_of(other.to_client)[0].payload.substr(0, 2), close_frame(1013).payload);
  EXPECT_EQ(handler.close_codes, std::vector<codec::CloseCode>{1013});
  EXPECT_TRUE(other.server_ended);
  // The one that has a ring goes on.
  say(wire, Frames().last("!"));
  EXPECT_EQ(frames_of(wire.to_client), std::vector{text(letters(300) + "!")});
}

TEST_F(SessionTest, UnreadRepliesStopTheReadingUntilTheyAreRead) {
  Wire& wire = connect();
  wire.room = 10;
  say(wire, Frames().text(letters(50)));
  for (int i = 0; i < 100; ++i) say(wire, Frames().text(letters(1000)));
  EXPECT_EQ(messages_received(*session), 1u);
  EXPECT_EQ(wire.to_client.size(), 10u);
  wire.room = 42;  // the first reply, to its last byte
  loop->settle();
  EXPECT_GT(messages_received(*session), 1u);
  wire.room = Wire::kUnlimited;
  loop->settle();
  EXPECT_EQ(messages_received(*session), 101u);
  EXPECT_EQ(frames_of(wire.to_client).size(), 101u);
  EXPECT_EQ(session->metrics().overflows, 0u);
}

TEST_F(SessionTest, ASlowReaderIsClosedWithTheHandlersCode) {
  for (const codec::CloseCode code : {codec::CloseCode{1008}, codec::CloseCode{3008}}) {
    table_options.outbox_bytes = 1000;
    handler.rests = false;
    handler.slow_code = code;
    start();
    Wire& wire = connect();
    wire.room = 30;
    say(wire, Frames().text("begin"));
    for (int i = 0; i < 100; ++i) socket_of(wire).send_text(letters(100));
    EXPECT_EQ(wire.connection->stage, Stage::finishing);
    EXPECT_LT(loop->table.counters().outbox_bytes, 300u);
    wire.room = Wire::kUnlimited;
    loop->table.on_turn_end();
    loop->settle();
    const std::vector<Frame> frames = frames_of(wire.to_client);
    ASSERT_GE(frames.size(), 2u);
    EXPECT_EQ(frames[0], text("begin"));
    EXPECT_EQ(frames.back().payload.substr(0, 2), close_frame(code).payload);
    EXPECT_EQ(handler.close_codes.back(), code);
    EXPECT_EQ(session->metrics().overflows, 1u);
    EXPECT_TRUE(wire.server_ended);
  }
}

// Pings of a peer that reads nothing: for a handler that goes on reading they meet the bound.
TEST_F(SessionTest, AFloodOfPingsMeetsTheBound) {
  table_options.outbox_bytes = 1000;
  handler.rests = false;
  Wire& wire = connect();
  wire.room = 0;
  for (int i = 0; i < 1000 && wire.connection->stage == Stage::open; ++i)
    say(wire, Frames().ping(letters(100)));
  EXPECT_EQ(wire.connection->stage, Stage::finishing);
  EXPECT_EQ(handler.close_codes, std::vector<codec::CloseCode>{1008});
}

// An echo with an outbox smaller than a burst: what one read asks for may wait, whole.
TEST_F(SessionTest, ABurstLargerThanTheOutboxIsNoOverflow) {
  table_options.outbox_bytes = 100;
  Wire& wire = connect();
  wire.room = 1;
  Frames burst;
  std::vector<Frame> expected;
  for (std::size_t i = 0; i < 300; ++i) {
    burst.first("a").last("b").ping("p");
    expected.insert(expected.end(), {text("ab"), pong("p")});
  }
  say(wire, burst);
  EXPECT_EQ(session->metrics().overflows, 0u);
  wire.room = Wire::kUnlimited;
  loop->settle();
  std::vector<Frame> frames = frames_of(wire.to_client);
  EXPECT_EQ(frames.size(), expected.size());
  EXPECT_TRUE(std::is_permutation(frames.begin(), frames.end(), expected.begin()));
}

TEST_F(SessionTest, APongOvertakesQueuedMessagesAtAFramesEnd) {
  handler.rests = false;
  const std::string first = letters(50);
  for (std::uint64_t taken = 0; taken <= 52; ++taken) {
    SCOPED_TRACE(taken);
    Wire& wire = connect();
    wire.room = taken;
    say(wire, Frames().text(first));
    say(wire, Frames().text("second"));
    say(wire, Frames().ping("now"));
    wire.room = Wire::kUnlimited;
    loop->settle();
    const std::vector<Frame> frames = frames_of(wire.to_client);
    const std::vector<Frame> expected = taken == 0
                                            ? std::vector{pong("now"), text(first), text("second")}
                                            : std::vector{text(first), pong("now"), text("second")};
    EXPECT_EQ(frames, expected);
  }
}

TEST_F(SessionTest, RepliesOfAllKindsKeepTheirOrder) {
  handler.message_hook = [](WebSocket& socket, const Message& message) {
    socket.send_text("before");
    socket.send(message.opcode, message.payload);                // in place
    socket.send(message.opcode, message.payload);                // the same once more: a copy
    socket.send(message.opcode, message.payload.subspan(1, 3));  // a part: a copy
    socket.send(message.opcode, {});                             // nothing, as a message
    const std::string frame("\x81\x06shared", 8);
    socket.send_frames(core::BlockRef::copy(as_bytes(frame)));
  };
  Wire& wire = connect();
  say(wire, Frames().text("12345"));
  const std::vector<Frame> expected{text("before"), text("12345"), text("12345"),
                                    text("234"),    text(""),      text("shared")};
  EXPECT_EQ(frames_of(wire.to_client), expected);
  EXPECT_EQ(loop->transport.sends(), 1u);
}

TEST_F(SessionTest, AMessageToEverybodyReachesEverybodyOnce) {
  std::vector<Wire*> wires;
  handler.message_hook = [&](WebSocket& socket, const Message& message) {
    for (Wire* const wire : wires) {
      if (wire->connection == &socket.connection()) continue;
      socket_of(*wire).send(message.opcode, message.payload);
    }
    socket.send(message.opcode, message.payload);
  };
  for (int i = 0; i < 20; ++i) wires.push_back(&connect());
  std::vector<Frame> expected;
  for (int round = 0; round < 5; ++round) {
    for (Wire* const wire : wires) wire->to_server += Frames().text("x");
    loop->settle();
    expected.insert(expected.end(), 20, text("x"));
  }
  for (Wire* const wire : wires) EXPECT_EQ(frames_of(wire->to_client), expected);
  EXPECT_EQ(loop->table.counters().outbox_bytes, 0u);
}

}  // namespace
}  // namespace spate::test
