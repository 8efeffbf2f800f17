// How a connection begins, ends, and is buried.
#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <optional>
#include <string>

#include "core/connection_table.h"
#include "tests/core/memory_transport.h"
#include "tests/core/recorder.h"

namespace spate::core {
namespace {

using test::MemoryLoop;
using test::MemoryTransport;
using test::Recorder;
using test::Wire;

constexpr Tick kLinger = 50;
constexpr Tick kWriteTimeout = 100;

class ConnectionLife : public testing::Test {
 protected:
  ConnectionLife() { start(); }
  void start(ConnectionTable::Options options = {}) {
    options.read_ring_bytes = 64 * 1024;
    options.linger_ticks = kLinger;
    options.write_timeout_ticks = kWriteTimeout;
    loop.emplace(options);
  }
  void write(Connection& connection, std::string_view text) {
    loop->table.write(connection, as_bytes(text));
  }
  void on_bytes(std::function<void(Connection&)> work) {
    protocol.bytes_hook = [work = std::move(work)](Connection& connection,
                                                   const ReceiveWindow&) -> Kept {
      work(connection);
      return {};
    };
  }
  void say(Wire& wire, std::string_view text) {
    wire.to_server += text;
    loop->settle();
  }

  Recorder protocol;
  std::optional<MemoryLoop> loop;
};

TEST_F(ConnectionLife, PlacesAreBoundedAndTheLinkStaysItsOwners) {
  start({.max_connections = 3});
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(loop->table.full());
    loop->connect(protocol);
  }
  EXPECT_TRUE(loop->table.full());
  // Those beyond the limit can be told so, and are bounded too.
  for (std::uint32_t i = 0; i < ConnectionTable::kRefusalPlaces; ++i) loop->connect(protocol);
  Wire wire;
  EXPECT_EQ(loop->table.open({.fd = -1, .state = &wire}, loop->transport, protocol), nullptr);
  EXPECT_FALSE(wire.closed);
  EXPECT_EQ(protocol.count("open"), 3 + ConnectionTable::kRefusalPlaces);
  loop->table.abort(*loop->wires[0].connection);
  loop->table.on_turn_end();
  loop->connect(protocol);
  EXPECT_EQ(loop->table.count(), 3 + ConnectionTable::kRefusalPlaces);
}

TEST_F(ConnectionLife, FinishSendsWhatIsOwedThenEndsThenWaitsForThePeer) {
  Wire& wire = loop->connect(protocol);
  wire.room = 3;
  on_bytes([&](Connection& connection) {
    write(connection, "goodbye");
    loop->table.finish(connection);
  });
  say(wire, "!");
  EXPECT_EQ(wire.connection->stage, Stage::finishing);
  EXPECT_FALSE(wire.server_ended);
  say(wire, "thrown away");  // read, so that it cannot become a reset, and not delivered
  EXPECT_EQ(wire.to_server, "");
  wire.room = Wire::kUnlimited;
  loop->settle();
  EXPECT_EQ(wire.to_client, "goodbye");
  EXPECT_TRUE(wire.server_ended);
  EXPECT_FALSE(wire.closed);
  say(wire, "thrown away too");
  EXPECT_EQ(protocol.said, (std::vector<std::string>{"open", "bytes:!"}));
  wire.client_ended = true;
  loop->settle();
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(protocol.causes, (std::vector{CloseCause::finished}));
}

TEST_F(ConnectionLife, ThePeersEndIsNotWaitedForForEver) {
  Wire& wire = loop->connect(protocol);
  loop->table.finish(*wire.connection);
  loop->settle();
  loop->table.on_turn_end();
  EXPECT_TRUE(wire.server_ended);
  loop->live(kLinger - 1);
  EXPECT_FALSE(wire.closed);
  loop->live(1);
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(protocol.causes, (std::vector{CloseCause::finished}));
}

TEST_F(ConnectionLife, ThePeersEndIsToldAndWhatItIsOwedIsSent) {
  Wire& wire = loop->connect(protocol);
  protocol.end_hook = [&](Connection& connection) {
    write(connection, "last words");
    loop->table.finish(connection);
  };
  wire.room = 4;
  wire.client_ended = true;
  say(wire, "data");
  EXPECT_EQ(protocol.said, (std::vector<std::string>{"open", "bytes:data", "end"}));
  EXPECT_FALSE(wire.closed);
  EXPECT_EQ(wire.connection->interest, EPOLLOUT);
  wire.room = Wire::kUnlimited;
  loop->settle();
  EXPECT_EQ(wire.to_client, "last words");
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(protocol.causes, (std::vector{CloseCause::finished}));
}

TEST_F(ConnectionLife, AHalfClosedPeerMayBeServedOn) {
  Wire& wire = loop->connect(protocol);
  wire.client_ended = true;
  loop->settle();
  EXPECT_EQ(protocol.said.back(), "end");
  EXPECT_FALSE(wire.closed);
  loop->table.with(*wire.connection, [&] { write(*wire.connection, "still here"); });
  EXPECT_EQ(wire.to_client, "still here");
}

TEST_F(ConnectionLife, AResetClosesInEveryStage) {
  for (const bool paused : {false, true}) {
    for (const bool finishing : {false, true}) {
      for (const bool owing : {false, true}) {
        Wire& wire = loop->connect(protocol);
        on_bytes([&](Connection& connection) {
          if (owing) write(connection, "never read");
          if (paused) loop->table.pause_reading(connection);
          if (finishing) loop->table.finish(connection);
        });
        wire.room = 0;
        say(wire, "!");
        ASSERT_FALSE(wire.closed);
        wire.reset = true;
        loop->settle();
        ASSERT_TRUE(wire.closed) << paused << finishing << owing;
        EXPECT_EQ(protocol.causes.back(), CloseCause::reset);
      }
    }
  }
  EXPECT_EQ(protocol.causes.size(), 8u);
  EXPECT_EQ(loop->table.counters().outbox_bytes, 0u);
  EXPECT_EQ(loop->table.count(), 0u);
}

TEST_F(ConnectionLife, AStalledPeerLosesItsConnection) {
  Wire& wire = loop->connect(protocol);
  on_bytes([&](Connection& connection) { write(connection, std::string(100, 'x')); });
  wire.room = 1;
  say(wire, "!");
  loop->live(kWriteTimeout - 1);
  wire.room = 1;  // it takes a byte: the time begins anew
  loop->live(kWriteTimeout - 1);
  EXPECT_FALSE(wire.closed);
  loop->live(2);
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(protocol.causes, (std::vector{CloseCause::write_timeout}));
  EXPECT_EQ(loop->table.counters().write_timeouts, 1u);
}

// One that finishes has its time once, or a peer that takes a byte now and then would keep it.
TEST_F(ConnectionLife, ATricklingPeerCannotKeepAConnectionThatFinishes) {
  Wire& wire = loop->connect(protocol);
  on_bytes([&](Connection& connection) {
    write(connection, std::string(100'000, 'x'));
    loop->table.finish(connection);
  });
  wire.room = 0;
  say(wire, "!");
  for (int i = 0; i < 10 && !wire.closed; ++i) {
    wire.room = 1;
    loop->live(kWriteTimeout / 4);
  }
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(protocol.causes, (std::vector{CloseCause::write_timeout}));
}

TEST_F(ConnectionLife, WhatIsWrittenAfterTheEndIsNothing) {
  Wire& wire = loop->connect(protocol);
  loop->table.finish(*wire.connection);
  loop->table.on_turn_end();
  ASSERT_TRUE(wire.server_ended);
  loop->table.with(*wire.connection, [&] { write(*wire.connection, "late"); });
  write(*wire.connection, "later");
  loop->table.write_urgent(*wire.connection, as_bytes("latest"));
  loop->settle();
  EXPECT_EQ(wire.to_client, "");
  EXPECT_FALSE(wire.closed);
}

// Aborted inside every callback that a connection has.
TEST_F(ConnectionLife, AnAbortInsideAnyCallbackClosesOnce) {
  const auto abort = [&](Connection& connection, auto&&...) { loop->table.abort(connection); };
  struct Case {
    const char* name;
    std::function<void()> hang;
    std::function<void(Wire&)> provoke;
  };
  const auto owe = [&](Connection& connection) { write(connection, "owed owed owed"); };
  const Case cases[] = {
      {"open", [&] { protocol.open_hook = abort; }, [](Wire&) {}},
      {"bytes:!", [&] { on_bytes(abort); }, [&](Wire& wire) { say(wire, "!"); }},
      {"end", [&] { protocol.end_hook = abort; }, [&](Wire& wire) { wire.client_ended = true; }},
      {"overflow",
       [&] {
         protocol.overflow_hook = abort;
         on_bytes(owe);
       },
       [&](Wire& wire) {
         wire.room = 0;
         say(wire, "!");
         say(wire, "!");
       }},
      {"drained",
       [&] {
         protocol.drained_hook = abort;
         on_bytes(owe);
       },
       [&](Wire& wire) {
         wire.room = 1;
         say(wire, "!");
         wire.room = Wire::kUnlimited;
       }},
      {"keep refused",
       [&] {
         protocol.keep_refused_hook = abort;
         protocol.bytes_hook = [](Connection&, const ReceiveWindow& window) -> Kept {
           return {.bytes = window.bytes, .wanted_bytes = std::uint64_t{1} << 40};
         };
       },
       [&](Wire& wire) { say(wire, "!"); }},
      {"timer",
       [&] {
         protocol.timer_hook = [&](Connection& connection, Tick now) {
           loop->table.abort(connection);
           return now + 3;  // not knowing that it is gone
         };
       },
       [&](Wire& wire) {
         loop->table.arm(*wire.connection, loop->now() + 1);
         loop->advance(1);
       }},
      {"leave", [&] { protocol.leave_hook = abort; },
       [&](Wire& wire) {
         loop->table.with(*wire.connection, [&] { protocol.on_leave(*wire.connection); });
       }},
      {"close", [&] { protocol.close_hook = abort; },
       [&](Wire& wire) { loop->table.abort(*wire.connection); }},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    start({.outbox_bytes = 8});
    each.hang();
    Wire& wire = loop->connect(protocol);
    each.provoke(wire);
    loop->settle();
    EXPECT_TRUE(wire.closed);
    EXPECT_EQ(protocol.count(each.name), 1u);
    EXPECT_EQ(protocol.count("close"), 1u);
    EXPECT_EQ(protocol.said.back(), "close");
    EXPECT_EQ(loop->table.count(), 0u);
    EXPECT_EQ(loop->table.counters().outbox_bytes, 0u);
    loop->advance(3 * kWriteTimeout);
    EXPECT_EQ(protocol.said.back(), "close");
    loop.reset();
    protocol = Recorder();
  }
}

TEST_F(ConnectionLife, EventsOfABatchThatComeTooLateAreDropped) {
  Wire& first = loop->connect(protocol);
  Wire& second = loop->connect(protocol);
  on_bytes([&](Connection& connection) {
    Wire& other = connection.slot == first.slot ? second : first;
    loop->table.abort(*other.connection);
    // A slot is not given away inside a batch: the other's event would hit a stranger.
    Wire& third = loop->connect(protocol);
    EXPECT_NE(third.slot, other.slot);
  });
  first.to_server = second.to_server = "!";
  loop->turn();
  EXPECT_EQ(protocol.count("bytes:!"), 1u);
  EXPECT_EQ(loop->table.counters().stale_events, 1u);
  EXPECT_TRUE(second.closed);
  EXPECT_FALSE(first.closed);
  // After it, it is, under another generation.
  Wire& fourth = loop->connect(protocol);
  EXPECT_EQ(fourth.slot, second.slot);
  EXPECT_NE(fourth.generation, second.generation);
  loop->table.on_event(second.slot, second.generation, EPOLLIN | EPOLLHUP);
  EXPECT_FALSE(fourth.closed);
  EXPECT_EQ(loop->table.counters().stale_events, 2u);
  loop->table.on_event(1000, 0, EPOLLIN);  // no such slot
  EXPECT_EQ(loop->table.counters().stale_events, 3u);
}

TEST_F(ConnectionLife, WhatIsWrittenToOthersInOnCloseArrives) {
  Wire& witness = loop->connect(protocol);
  protocol.close_hook = [&](Connection&, CloseCause) {
    if (witness.connection->live()) write(*witness.connection, "one is gone;");
  };
  Wire& by_reset = loop->connect(protocol);
  by_reset.reset = true;
  loop->settle();
  Wire& by_timer = loop->connect(protocol);
  on_bytes([&](Connection& connection) { write(connection, "x"); });
  by_timer.room = 0;
  say(by_timer, "!");
  loop->live(kWriteTimeout + 1);
  EXPECT_TRUE(by_timer.closed);
  EXPECT_EQ(witness.to_client, "one is gone;one is gone;");
  protocol.close_hook = nullptr;
}

TEST_F(ConnectionLife, TheEarliestDeadlineIsAskedFor) {
  Wire& wire = loop->connect(protocol);
  Connection& connection = *wire.connection;
  std::vector<Tick> asked;
  protocol.timer_hook = [&](Connection&, Tick now) {
    asked.push_back(now);
    return now < 100 ? Tick{100} : kNoDeadline;
  };
  loop->table.arm(connection, 40);
  loop->table.arm(connection, 60);
  loop->table.arm(connection, 20);
  loop->table.arm(connection, kNoDeadline);
  loop->advance(1000);
  EXPECT_EQ(asked, (std::vector<Tick>{20, 100}));
}

TEST_F(ConnectionLife, ADeadlineThatPassedBeforeTheBatchIsNotPutOffInIt) {
  Wire& wire = loop->connect(protocol);
  loop->table.arm(*wire.connection, loop->now() + 10);
  loop->sleep(20);
  loop->table.arm(*wire.connection, loop->now() + 5);
  loop->serve_timers();
  EXPECT_EQ(protocol.count("timer"), 1u);
}

TEST_F(ConnectionLife, EveryLiveConnectionIsVisitedAndMayBeClosed) {
  for (int i = 0; i < 1500; ++i) loop->connect(protocol);  // more than one chunk of slots
  std::size_t visited = 0;
  loop->table.for_each([&](Connection& connection) {
    if (++visited % 3 == 0) loop->table.abort(connection);
  });
  EXPECT_EQ(visited, 1500u);
  EXPECT_EQ(loop->table.count(), 1000u);
  visited = 0;
  loop->table.for_each([&](Connection&) { ++visited; });
  EXPECT_EQ(visited, 1000u);
}

TEST_F(ConnectionLife, TheTableClosesWhatIsOpenWhenItGoes) {
  std::deque<Wire>& wires = loop->wires;
  for (int i = 0; i < 5; ++i) {
    Wire& wire = loop->connect(protocol);
    wire.room = 0;
    on_bytes([&](Connection& connection) { write(connection, "unsent"); });
    say(wire, "!");
  }
  EXPECT_EQ(wires.size(), 5u);
  loop.reset();
  EXPECT_EQ(protocol.count("close"), 5u);
  EXPECT_EQ(protocol.causes, std::vector(5, CloseCause::aborted));
}

TEST_F(ConnectionLife, AMillionEventsLaterMemoryIsWhereItWas) {
  const auto storm = [&] {
    for (int i = 0; i < 300; ++i) {
      Wire& wire = loop->connect(protocol);
      wire.room = 0;
      protocol.bytes_hook = [&](Connection& connection, const ReceiveWindow& window) -> Kept {
        write(connection, "queued");
        return {.bytes = window.bytes, .state = true};
      };
      say(wire, std::string(static_cast<std::size_t>(i) * 7, 'x'));
    }
    for (Wire& wire : loop->wires) wire.reset = true;
    loop->settle();
    loop->wires.clear();
  };
  storm();
  const std::uint64_t settled = loop->table.memory_bytes();
  for (int i = 0; i < 20; ++i) storm();
  EXPECT_EQ(loop->table.memory_bytes(), settled);
  std::uint64_t closed = 0;
  for (const Counter& by_cause : loop->table.counters().closed) closed += by_cause;
  EXPECT_EQ(loop->table.counters().opened, closed);
  EXPECT_EQ(loop->table.leases().leased(), 0u);
}

}  // namespace
}  // namespace spate::core
