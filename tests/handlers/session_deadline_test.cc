// A session's deadlines: pings, silence, frames that do not end; and that they rest while the
// connection is not read.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "handlers/session.h"
#include "tests/handlers/session_fixture.h"

namespace spate::test {
namespace {

using codec::CloseCode;
using codec::Opcode;
using core::Stage;
using core::Tick;
using core::ticks_of_ms;
using handlers::Message;
using handlers::WebSocket;

const Frame kPing{Opcode::ping, ""};

class SessionDeadline : public SessionFixture {
 protected:
  // Passes `ticks` while `wire` says `bytes` every `every` ticks.
  void trickle(Wire& wire, Tick ticks, const std::string& bytes, Tick every) {
    for (Tick passed = 0; passed < ticks && !wire.closed; passed += every) {
      say(wire, bytes);
      loop->live(every);
    }
  }
};

TEST_F(SessionDeadline, ASilentPeerIsPingedAndOneThatAnswersStays) {
  session_options.ping_interval = 100;
  session_options.pong_timeout = 40;
  Wire& wire = connect();
  for (int i = 1; i <= 5; ++i) {
    loop->live(99);
    EXPECT_EQ(frames_of(wire.to_client).size(), static_cast<std::size_t>(i - 1));
    loop->live(1);
    EXPECT_EQ(frames_of(wire.to_client), std::vector(static_cast<std::size_t>(i), kPing));
    say(wire, Frames().pong(""));
  }
  EXPECT_EQ(session->metrics().pings_sent, 5u);
  EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::pong), 0u);
}

TEST_F(SessionDeadline, APingThatIsLateLeavesItsWholeTimeToThePeer) {
  session_options.ping_interval = 100;
  session_options.pong_timeout = 40;
  Wire& wire = connect();
  loop->sleep(200);
  loop->serve_timers();
  EXPECT_EQ(frames_of(wire.to_client), std::vector{kPing});
  loop->live(39);
  EXPECT_FALSE(wire.closed);
  say(wire, Frames().pong(""));
  loop->live(50);
  EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::pong), 0u);
}

TEST_F(SessionDeadline, AnythingThePeerSaysProvesItAlive) {
  session_options.ping_interval = 100;
  session_options.pong_timeout = 40;
  Wire& wire = connect();
  trickle(wire, 1000, Frames().text(""), 99);
  EXPECT_EQ(session->metrics().pings_sent, 0u);
  loop->live(20);
  ASSERT_EQ(session->metrics().pings_sent, 1u);
  say(wire, Frames().text("no pong, but alive"));
  loop->live(99);
  EXPECT_FALSE(wire.connection->stage != Stage::open);
  EXPECT_EQ(session->metrics().pings_sent, 1u);
}

TEST_F(SessionDeadline, OneThatMissesSoManyPingsIsClosed) {
  for (const std::uint32_t misses : {1u, 3u}) {
    session_options.ping_interval = 100;
    session_options.pong_timeout = 40;
    session_options.ping_misses = misses;
    start();
    Wire& wire = connect();
    loop->live(100 + 40 * misses - 1);
    EXPECT_EQ(wire.connection->stage, Stage::open);
    EXPECT_EQ(frames_of(wire.to_client), std::vector(misses, kPing));
    loop->live(1);
    EXPECT_NE(wire.connection->stage, Stage::open);
    EXPECT_EQ(frames_of(wire.to_client).back().payload.substr(0, 2), close_frame(1011).payload);
    EXPECT_EQ(handler.close_codes.back(), 1011);
    EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::pong), 1u);
  }
}

TEST_F(SessionDeadline, AnAnswerForgivesEarlierMisses) {
  session_options.ping_interval = 100;
  session_options.pong_timeout = 40;
  session_options.ping_misses = 2;
  Wire& wire = connect();
  for (int i = 0; i < 5; ++i) {
    loop->live(100 + 40 + 20);  // one missed, the second not yet
    ASSERT_EQ(wire.connection->stage, Stage::open);
    say(wire, Frames().pong(""));
  }
}

TEST_F(SessionDeadline, WithoutAMessageAConnectionIsIdle) {
  session_options.idle_timeout = 300;
  session_options.ping_interval = 50;
  session_options.pong_timeout = 50;
  session_options.close_timeout = 20;
  Wire& wire = connect();
  trickle(wire, 250, Frames().pong(""), 10);
  say(wire, Frames().text("busy"));
  trickle(wire, 290, Frames().pong(""), 10);  // control frames are no messages
  EXPECT_EQ(wire.connection->stage, Stage::open);
  loop->live(10);
  EXPECT_EQ(frames_of(wire.to_client).back(), close_frame(1000, "idle"));
  EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::idle), 1u);
  loop->live(20);
  EXPECT_TRUE(wire.closed);
}

constexpr Tick kFrameTimeout = ticks_of_ms(1000);

class SessionFrameDeadline : public SessionDeadline {
 protected:
  SessionFrameDeadline() { session_options.frame_timeout = kFrameTimeout; }
  bool timed_out() const { return timeouts(*session, handlers::SessionTimeout::frame) == 1; }
};

TEST_F(SessionFrameDeadline, AFrameThatDoesNotEndIsClosed) {
  const std::string frame = Frames().text(std::string(10'000, 'x'));
  for (const std::size_t bytes : {1u, 2u, 5u, 8u, 9u, 400u}) {
    SCOPED_TRACE(bytes);
    start();
    Wire& wire = connect();
    say(wire, frame.substr(0, bytes));
    loop->live(kFrameTimeout - 1);
    EXPECT_EQ(wire.connection->stage, Stage::open);
    loop->live(1);
    EXPECT_TRUE(timed_out());
    EXPECT_EQ(handler.close_codes.back(), 1008);
    EXPECT_EQ(frames_of(wire.to_client).back().payload.substr(0, 2), close_frame(1008).payload);
  }
}

TEST_F(SessionFrameDeadline, AControlFrameThatDoesNotEndIsClosedToo) {
  Wire& wire = connect();
  say(wire, std::string(Frames().ping("12345678")).substr(0, 9));
  loop->live(kFrameTimeout);
  EXPECT_TRUE(timed_out());
}

TEST_F(SessionFrameDeadline, BetweenTheFramesOfAMessageThereIsTime) {
  Wire& wire = connect();
  say(wire, Frames().first("one"));
  loop->live(10 * kFrameTimeout);
  say(wire, Frames().last("two"));
  EXPECT_EQ(frames_of(wire.to_client), std::vector{text("onetwo")});
}

TEST_F(SessionFrameDeadline, EachFrameHasItsOwnTime) {
  Wire& wire = connect();
  const std::string frame = Frames().text("12345678");
  // Always inside of some frame, never long inside of one.
  say(wire, frame.substr(0, 5));
  for (int i = 0; i < 20; ++i) {
    loop->live(kFrameTimeout - 1);
    say(wire, frame.substr(5) + frame.substr(0, 5));
  }
  EXPECT_FALSE(timed_out());
  EXPECT_EQ(frames_of(wire.to_client).size(), 20u);
}

TEST_F(SessionFrameDeadline, ASlowFrameLivesByItsRate) {
  const std::string frame = Frames().text(std::string(60'000, 'x'));
  for (const std::size_t rate : {450u, 600u}) {  // bytes a second; the least is 500
    start();
    Wire& wire = connect();
    std::size_t at = 0;
    while (at < frame.size() && wire.connection->stage == Stage::open) {
      say(wire, frame.substr(at, rate / 5));
      at += rate / 5;
      loop->live(ticks_of_ms(200));
    }
    EXPECT_EQ(timed_out(), rate < handlers::Session::kMinFrameRate) << rate;
  }
}

// Only its own bytes earn a frame time, not the messages that came with its first one.
TEST_F(SessionFrameDeadline, OtherFramesEarnItNothing) {
  Wire& wire = connect();
  Frames burst;
  for (int i = 0; i < 20; ++i) burst.text(std::string(1000, 'x'));
  say(wire, std::string(burst) + "\x81");
  loop->live(kFrameTimeout + 1);
  EXPECT_TRUE(timed_out());
}

// --- While a connection is not read, none of these deadlines runs.

class SessionRest : public SessionDeadline {
 protected:
  // A reply that the peer does not read, and then half a frame, in one piece.
  Wire& stall() {
    table_options.write_timeout_ticks = 100'000;
    Wire& wire = connect();
    wire.room = 3;
    say(wire,
        std::string(Frames().text("reply")) + std::string(Frames().text("half")).substr(0, 8));
    return wire;
  }
  void unstall(Wire& wire) {
    wire.room = Wire::kUnlimited;
    loop->settle();
    EXPECT_EQ(wire.connection->backlog, nullptr);
  }
};

TEST_F(SessionRest, PingsWaitForTheBacklog) {
  session_options.ping_interval = 100;
  session_options.pong_timeout = 40;
  Wire& wire = stall();
  loop->live(10'000);
  EXPECT_EQ(session->metrics().pings_sent, 0u);
  EXPECT_EQ(wire.connection->stage, Stage::open);
  unstall(wire);
  loop->live(99);
  EXPECT_EQ(session->metrics().pings_sent, 0u);
  loop->live(1);
  EXPECT_EQ(session->metrics().pings_sent, 1u);
}

TEST_F(SessionRest, APingThatWasUnderWayIsForgiven) {
  session_options.ping_interval = 100;
  session_options.pong_timeout = 40;
  Wire& wire = connect();
  loop->live(100);
  ASSERT_EQ(session->metrics().pings_sent, 1u);
  wire.room = 3;
  say(wire, Frames().text("reply"));
  loop->live(1000);
  unstall(wire);
  loop->live(99);
  EXPECT_EQ(wire.connection->stage, Stage::open);
}

TEST_F(SessionRest, IdlenessBeginsAnewAfterIt) {
  for (const Tick ping_interval : {Tick{0}, Tick{50}}) {
    session_options.idle_timeout = 300;
    session_options.ping_interval = ping_interval;
    session_options.pong_timeout = 100'000;
    loop.reset();
    Wire& wire = stall();
    loop->live(10'000);
    EXPECT_EQ(wire.connection->stage, Stage::open);
    unstall(wire);
    loop->live(299);
    EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::idle), 0u);
    loop->live(1);
    EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::idle), 1u);
  }
}

TEST_F(SessionRest, AFramesTimeBeginsAnewAfterItAndIsNotForgotten) {
  for (const Tick ping_interval : {Tick{0}, Tick{50}, Tick{100'000}}) {
    SCOPED_TRACE(ping_interval);
    session_options.frame_timeout = kFrameTimeout;
    session_options.ping_interval = ping_interval;
    session_options.pong_timeout = 100'000;
    loop.reset();
    Wire& wire = stall();
    loop->live(10 * kFrameTimeout);
    EXPECT_EQ(wire.connection->stage, Stage::open);
    unstall(wire);
    loop->live(kFrameTimeout - 1);
    EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::frame), 0u);
    loop->live(1);
    EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::frame), 1u);
  }
}

TEST_F(SessionRest, TheWriteDeadlineRulesMeanwhile) {
  session_options.ping_interval = 10;
  session_options.pong_timeout = 10;
  table_options.write_timeout_ticks = 500;
  Wire& wire = connect();
  wire.room = 3;
  say(wire, Frames().text("reply"));
  loop->live(499);
  EXPECT_FALSE(wire.closed);
  loop->live(1);
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(loop->table.counters().write_timeouts, 1u);
}

// Paused by its handler, and resumed.
TEST_F(SessionRest, APausedConnectionHasNoDeadlines) {
  session_options.ping_interval = 100;
  session_options.pong_timeout = 40;
  session_options.idle_timeout = 300;
  session_options.frame_timeout = 200;
  Wire& wire = connect();
  say(wire, std::string(Frames().text("half")).substr(0, 8));
  loop->table.pause_reading(*wire.connection);
  loop->table.on_turn_end();
  wire.to_server = Frames().pong("not read");
  loop->live(10'000);
  EXPECT_EQ(wire.connection->stage, Stage::open);
  EXPECT_EQ(session->metrics().pings_sent, 0u);
  wire.to_server.clear();
  loop->table.resume_reading(*wire.connection);
  loop->table.on_turn_end();
  loop->live(99);
  EXPECT_EQ(session->metrics().pings_sent, 0u);
  loop->live(1);
  EXPECT_EQ(session->metrics().pings_sent, 1u);
  loop->live(39);
  EXPECT_EQ(wire.connection->stage, Stage::open);
  loop->live(1);
  EXPECT_EQ(timeouts(*session, handlers::SessionTimeout::pong), 1u);
}

// It may have things to say, and who stops asking it never begins again.
TEST_F(SessionRest, AHandlerThatKeepsTimeKeepsItForAPausedConnectionToo) {
  session_options.own_deadlines = true;
  std::size_t looks = 0;
  handler.timer_hook = [&](core::Tick now) { return ++looks, now + 100; };
  Wire& wire = connect();
  loop->table.arm(*wire.connection, loop->now() + 100);
  loop->live(100);
  EXPECT_EQ(looks, 1u);
  loop->table.pause_reading(*wire.connection);
  loop->live(1000);
  EXPECT_EQ(looks, 11u);
  loop->table.resume_reading(*wire.connection);
  loop->live(1000);
  EXPECT_EQ(looks, 21u);
}

TEST_F(SessionRest, AClosedConnectionIsReadForThePeersClose) {
  session_options.close_timeout = 1000;
  Wire& wire = connect();
  loop->table.pause_reading(*wire.connection);
  loop->table.on_turn_end();
  socket_of(wire).close(codec::kCloseGoingAway, "bye");
  loop->table.on_turn_end();
  say(wire, Frames().close(codec::kCloseGoingAway, ""));
  EXPECT_TRUE(wire.server_ended) << "without waiting for the deadline";
}

TEST_F(SessionDeadline, AConnectionWithoutDeadlinesHasNoTimer) {
  Wire& wire = connect();
  EXPECT_FALSE(wire.connection->timer.armed());
  say(wire, Frames().first("half a message"));
  EXPECT_FALSE(wire.connection->timer.armed());
  say(wire, std::string(Frames().last("of it")).substr(0, 3));
  EXPECT_FALSE(wire.connection->timer.armed());
}

}  // namespace
}  // namespace spate::test
