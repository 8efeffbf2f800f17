// What a connection writes, when it leaves, and what waits.
#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <algorithm>
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

class ConnectionSend : public testing::Test {
 protected:
  void start(ConnectionTable::Options options = {}) {
    options.read_ring_bytes = 64 * 1024;
    loop.emplace(options);
  }
  // Runs `work` as the connection's turn: when bytes come.
  Wire& in_turn(std::function<void(Connection&)> work) {
    Wire& wire = loop->connect(protocol);
    run(wire, std::move(work));
    return wire;
  }
  void run(Wire& wire, std::function<void(Connection&)> work) {
    protocol.bytes_hook = [work = std::move(work)](Connection& connection,
                                                   const ReceiveWindow&) -> Kept {
      work(connection);
      return {};
    };
    wire.to_server = "!";
    loop->turn();
  }
  void write(Connection& connection, std::string_view text) {
    loop->table.write(connection, as_bytes(text));
  }
  void write_block(Connection& connection, std::string_view text, bool ends_frame = true) {
    const BlockRef block = BlockRef::copy(as_bytes(text));
    loop->table.write(connection, block, block.bytes(), ends_frame);
  }
  std::uint64_t queued() const { return loop->table.counters().outbox_bytes; }

  Recorder protocol;
  std::optional<MemoryLoop> loop;
};

TEST_F(ConnectionSend, EverythingOfATurnLeavesInOneCall) {
  start();
  std::string kept = "in place ";
  Wire& wire = in_turn([&](Connection& connection) {
    write(connection, "copy ");
    loop->table.write_in_place(connection, as_bytes(kept));
    write_block(connection, "block ");
    loop->table.write_urgent(connection, as_bytes("urgent "));
    write(connection, "copy");
  });
  EXPECT_EQ(wire.to_client, "copy in place block urgent copy");
  EXPECT_EQ(loop->transport.sends(), 1u);
  EXPECT_EQ(loop->table.counters().bytes_sent, wire.to_client.size());
  EXPECT_EQ(wire.connection->backlog, nullptr);
}

TEST_F(ConnectionSend, MorePiecesAndCopiesThanAreGatheredLeaveInOrder) {
  start();
  std::string expected;
  Wire& wire = in_turn([&](Connection& connection) {
    for (int i = 0; i < 200; ++i) {
      const std::string text = "<" + std::string(static_cast<std::size_t>(i) * 3, 'x') + ">";
      i % 3 == 0 ? write_block(connection, text) : write(connection, text);
      expected += text;
    }
    const std::string large(ConnectionTable::kScratchBytes + 1, 'y');
    write(connection, large);
    expected += large;
  });
  EXPECT_EQ(wire.to_client, expected);
  EXPECT_LE(loop->transport.sends(), 4u);
}

// The kernel stops at every byte of a turn's output, in place, copied and shared; more is written
// before it goes on.
TEST_F(ConnectionSend, WhatTheKernelRefusesLeavesLaterAndUnchanged) {
  const std::string expected = "[copied][in place][shared][copied again][later]";
  for (std::size_t taken = 0; taken <= expected.size(); ++taken) {
    SCOPED_TRACE(taken);
    start();
    std::string memory = "[in place]";
    Wire& wire = loop->connect(protocol);
    wire.room = taken;
    run(wire, [&](Connection& connection) {
      write(connection, "[copied]");
      loop->table.write_in_place(connection, as_bytes(memory));
      write_block(connection, "[shared]");
      write(connection, "[copied again]");
    });
    memory.assign(memory.size(), '#');  // it was the ring's, and the ring is used again
    EXPECT_EQ(queued(), expected.size() - 7 - std::min(taken, expected.size() - 7));
    run(wire, [&](Connection& connection) { write(connection, "[later]"); });
    EXPECT_EQ(wire.connection->backlog != nullptr, taken < expected.size());
    EXPECT_EQ((wire.connection->interest & EPOLLOUT) != 0, taken < expected.size());
    while (wire.connection->backlog != nullptr) {
      wire.room = 1;
      ASSERT_TRUE(loop->turn());
    }
    EXPECT_EQ(wire.to_client, expected);
    EXPECT_EQ(queued(), 0u);
    EXPECT_EQ(protocol.said.back(), taken < expected.size() ? "drained" : "bytes:!");
    EXPECT_EQ(wire.connection->interest, EPOLLIN);
    loop.reset();
    protocol.said.clear();
  }
}

// The same with a frame of several pieces and a pong that comes while it is being sent: it may not
// enter the frame, wherever the kernel stopped.
TEST_F(ConnectionSend, AnUrgentFrameNeverEntersAnother) {
  const std::string frame = "[abcdefgh]";
  for (std::size_t taken = 0; taken <= frame.size(); ++taken) {
    for (const bool shared : {false, true}) {
      SCOPED_TRACE(taken);
      start();
      Wire& wire = loop->connect(protocol);
      wire.room = taken;
      run(wire, [&](Connection& connection) {
        if (!shared) return write(connection, frame);
        write_block(connection, frame.substr(0, 3), false);
        write_block(connection, frame.substr(3, 4), false);
        write_block(connection, frame.substr(7), true);
      });
      run(wire, [&](Connection& connection) {
        loop->table.write_urgent(connection, as_bytes("<pong>"));
      });
      wire.room = Wire::kUnlimited;
      loop->settle();
      EXPECT_EQ(wire.to_client, taken == 0 ? "<pong>" + frame : frame + "<pong>");
      loop.reset();
    }
  }
}

// A frame of more pieces than leave in one call, cut at every piece.
TEST_F(ConnectionSend, AnUrgentFrameNeverEntersOneThatTookSeveralCalls) {
  constexpr std::size_t kPieces = ConnectionTable::kMaxPieces + 8;
  std::string frame;
  for (std::size_t i = 0; i < kPieces; ++i) frame += static_cast<char>('a' + i % 26);
  for (std::size_t taken = 0; taken <= kPieces; ++taken) {
    SCOPED_TRACE(taken);
    start();
    Wire& wire = loop->connect(protocol);
    wire.room = taken;
    run(wire, [&](Connection& connection) {
      for (std::size_t i = 0; i < kPieces; ++i)
        write_block(connection, frame.substr(i, 1), i + 1 == kPieces);
    });
    run(wire,
        [&](Connection& connection) { loop->table.write_urgent(connection, as_bytes("<pong>")); });
    wire.room = Wire::kUnlimited;
    loop->settle();
    EXPECT_EQ(wire.to_client, taken == 0 ? "<pong>" + frame : frame + "<pong>");
    loop.reset();
  }
}

TEST_F(ConnectionSend, AConnectionThatRestsOnItsBacklogIsNotRead) {
  start();
  Wire& wire = loop->connect(protocol);
  wire.connection->rests_on_backlog = true;
  wire.room = 1;
  run(wire, [&](Connection& connection) { write(connection, "abc"); });
  EXPECT_EQ(wire.connection->interest, EPOLLOUT);
  wire.to_server = "more";
  loop->settle();
  EXPECT_EQ(wire.to_server, "more");
  protocol.bytes_hook = nullptr;
  wire.room = Wire::kUnlimited;
  loop->settle();
  EXPECT_EQ(wire.to_client, "abc");
  EXPECT_EQ(protocol.count("drained"), 1u);
  EXPECT_EQ(protocol.said.back(), "bytes:more");
}

TEST_F(ConnectionSend, OneThatDoesNotRestIsReadMeanwhile) {
  start();
  Wire& wire = loop->connect(protocol);
  wire.room = 1;
  run(wire, [&](Connection& connection) { write(connection, "abc"); });
  EXPECT_EQ(wire.connection->interest, EPOLLIN | EPOLLOUT);
}

TEST_F(ConnectionSend, TheBoundIsJudgedBeforeAWriteAndOnlyThen) {
  start({.outbox_bytes = 10});
  Wire& wire = loop->connect(protocol);
  wire.room = 0;
  run(wire, [&](Connection& connection) { write(connection, std::string(1000, 'x')); });
  EXPECT_EQ(queued(), 1000u);  // one message may pass the bound however large it is
  EXPECT_EQ(protocol.count("overflow"), 0u);
  // What comes behind it is refused by a protocol that gives up on the connection.
  protocol.overflow_hook = [&](Connection& connection) { loop->table.abort(connection); };
  run(wire, [&](Connection& connection) {
    write(connection, "more");
    write(connection, "and more");
  });
  EXPECT_EQ(protocol.count("overflow"), 1u);
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(queued(), 0u);
}

// Every way of writing is bounded: a peer that sends pings and reads nothing must not grow the
// queue for ever, and neither must replies that are built in place.
TEST_F(ConnectionSend, EveryWayOfWritingMeetsTheBound) {
  std::string memory = "in place";
  using Write = std::function<void(Connection&)>;
  const Write ways[] = {
      [&](Connection& connection) { write(connection, "copied"); },
      [&](Connection& connection) { write_block(connection, "shared"); },
      [&](Connection& connection) { loop->table.write_urgent(connection, as_bytes("urgent")); },
      [&](Connection& connection) { loop->table.write_in_place(connection, as_bytes(memory)); }};
  for (std::size_t way = 0; way < std::size(ways); ++way) {
    SCOPED_TRACE(way);
    start({.outbox_bytes = 100});
    protocol.overflow_hook = [&](Connection& connection) { loop->table.abort(connection); };
    Wire& wire = loop->connect(protocol);
    wire.room = 0;
    for (int i = 0; i < 1000 && !wire.closed; ++i) run(wire, ways[way]);
    EXPECT_TRUE(wire.closed) << queued() << " bytes are queued";
    loop.reset();
  }
}

// A queue that passes its bound in the middle of a frame: the frame is written whole, and only the
// next one is judged.
TEST_F(ConnectionSend, TheBoundIsNotJudgedInsideAFrame) {
  start({.outbox_bytes = 10});
  bool sorry = false;
  protocol.overflow_hook = [&](Connection& connection) {
    if (std::exchange(sorry, true)) return;  // it is this that is being written
    loop->table.drop_queued(connection);
    write(connection, "(sorry)");
    loop->table.finish(connection);
  };
  constexpr std::size_t kPieces = ConnectionTable::kMaxPieces + 8;
  const std::string frame = "[" + std::string(kPieces - 2, 'x') + "]";
  Wire& wire = loop->connect(protocol);
  wire.room = 4;
  run(wire, [&](Connection& connection) {
    for (std::size_t i = 0; i < kPieces; ++i)
      write_block(connection, frame.substr(i, 1), i + 1 == kPieces);
    EXPECT_EQ(connection.stage, Stage::open);
    write(connection, "[next]");
    EXPECT_EQ(connection.stage, Stage::finishing);
  });
  wire.room = Wire::kUnlimited;
  loop->settle();
  EXPECT_EQ(wire.to_client, frame + "(sorry)");
}

TEST_F(ConnectionSend, DroppingTheQueueKeepsAFrameThatHasBegun) {
  start({.outbox_bytes = 10});
  protocol.overflow_hook = [&](Connection& connection) {
    loop->table.drop_queued(connection);
    write(connection, "(sorry)");
    loop->table.finish(connection);
  };
  for (const std::uint64_t taken : {0u, 3u}) {
    Wire& wire = loop->connect(protocol);
    wire.room = taken;
    run(wire, [&](Connection& connection) { write(connection, "[first frame]"); });
    run(wire, [&](Connection& connection) {
      loop->table.write_urgent(connection, as_bytes("<p>"));
      write(connection, "[never sent]");
    });
    EXPECT_EQ(wire.connection->stage, Stage::finishing);
    EXPECT_EQ(queued(), taken == 0 ? 7 : 17);
    wire.room = Wire::kUnlimited;
    loop->settle();
    EXPECT_EQ(wire.to_client, taken == 0 ? "(sorry)" : "[first frame](sorry)");
    EXPECT_TRUE(wire.server_ended);
  }
}

// A client that gets a frame after some that were dropped would take it for the next one.
TEST_F(ConnectionSend, DroppingTheQueueDropsWhatTheTurnWroteBehindIt) {
  start({.outbox_bytes = 100});
  Wire& wire = loop->connect(protocol);
  wire.room = 3;
  run(wire, [&](Connection& connection) { write(connection, "[first]"); });
  run(wire, [&](Connection& connection) { write(connection, "[second]"); });
  run(wire, [&](Connection& connection) {
    write_block(connection, "[third]");
    write(connection, "[fourth]");
    loop->table.drop_queued(connection);
    write(connection, "(sorry)");
  });
  wire.room = Wire::kUnlimited;
  loop->settle();
  EXPECT_EQ(wire.to_client, "[first](sorry)");
}

TEST_F(ConnectionSend, OutputForOthersLeavesAtTheEndOfTheTurn) {
  start();
  Wire& receiver = loop->connect(protocol);
  receiver.to_server = "";
  const Wire& sender = in_turn([&](Connection& connection) {
    write(*receiver.connection, "one ");
    write(connection, "mine");
    write_block(*receiver.connection, "two ");
    loop->table.write_urgent(*receiver.connection, as_bytes("urgent "));
    EXPECT_EQ(receiver.to_client, "");
  });
  EXPECT_EQ(sender.to_client, "mine");
  EXPECT_EQ(receiver.to_client, "urgent one two ");
  EXPECT_EQ(loop->transport.sends(), 2u);
  EXPECT_EQ(receiver.connection->backlog, nullptr);
  EXPECT_EQ(receiver.connection->interest, EPOLLIN);
}

TEST_F(ConnectionSend, ABrokenPipeClosesOnceAndDropsTheRest) {
  start();
  for (std::uint64_t operation = 1; operation < 4; ++operation) {
    Wire& wire = loop->connect(protocol);
    loop->transport.set_plan(MemoryTransport::only(operation, {.error = ECONNRESET}));
    wire.room = 4;
    run(wire, [&](Connection& connection) {
      for (int i = 0; i < 200; ++i) write_block(connection, "block");
    });
    wire.room = Wire::kUnlimited;
    loop->settle();
    EXPECT_TRUE(wire.closed);
    EXPECT_EQ(protocol.causes.back(), CloseCause::reset);
    EXPECT_EQ(queued(), 0u);
  }
  EXPECT_EQ(protocol.count("close"), 3u);
}

TEST_F(ConnectionSend, TheSlowestGoesWhenMemoryRunsOut) {
  start({.outbox_bytes = 1 << 20});
  // The ceiling is set above what three connections cost without output.
  Wire& probe = loop->connect(protocol);
  probe.room = 0;
  run(probe, [&](Connection& connection) { write(connection, "x"); });
  const std::uint64_t ceiling = loop->table.memory_bytes() + 50'000;
  loop.reset();
  start({.outbox_bytes = 1 << 20, .max_memory = ceiling});
  protocol.causes.clear();
  Wire* wires[3];
  const std::size_t sizes[] = {10'000, 30'000, 5'000};
  for (std::size_t i = 0; i < 3; ++i) {
    wires[i] = &loop->connect(protocol);
    wires[i]->room = 0;
    run(*wires[i], [&](Connection& connection) { write(connection, std::string(sizes[i], 'x')); });
  }
  EXPECT_FALSE(loop->table.over_memory());
  run(*wires[2], [&](Connection& connection) { write(connection, std::string(8'000, 'x')); });
  EXPECT_EQ(protocol.causes, (std::vector{CloseCause::shed}));
  EXPECT_TRUE(wires[1]->closed);
  EXPECT_FALSE(wires[0]->closed || wires[2]->closed);
  EXPECT_EQ(loop->table.counters().shed, 1u);
  EXPECT_EQ(queued(), 23'000u);
}

TEST_F(ConnectionSend, WhatOthersKeepForConnectionsCounts) {
  start({.outbox_bytes = 1 << 20, .max_memory = 1 << 20});
  std::uint64_t of_tls = 0;
  loop->table.also_count(MemoryPurpose::tls, [&] { return of_tls; });
  Wire& wire = loop->connect(protocol);
  wire.room = 0;
  run(wire, [&](Connection& connection) { write(connection, "x"); });
  EXPECT_FALSE(loop->table.over_memory() || wire.closed);
  const std::uint64_t own = loop->table.memory_bytes();
  of_tls = 1 << 20;
  EXPECT_EQ(loop->table.memory_bytes(), own + of_tls);
  EXPECT_TRUE(loop->table.over_memory());
  run(wire, [&](Connection& connection) { write(connection, "x"); });
  EXPECT_TRUE(wire.closed);
  const auto tls = static_cast<std::size_t>(MemoryPurpose::tls);
  EXPECT_EQ(loop->table.counters().memory[tls], of_tls);
}

// A connection may shed itself by what it writes, in the middle of its turn, and its protocol may
// not know: whatever it asks for then is nothing.
TEST_F(ConnectionSend, OneThatShedsItselfMayGoOnAsking) {
  start({.max_memory = 1});
  Wire& other = loop->connect(protocol);
  Wire& wire = loop->connect(protocol);
  wire.room = 0;
  run(wire, [&](Connection& connection) {
    for (std::size_t i = 0; i <= ConnectionTable::kMaxPieces; ++i) write_block(connection, "x");
    EXPECT_EQ(connection.stage, Stage::dead);
    write(connection, "x");
    loop->table.write_urgent(connection, as_bytes("x"));
    loop->table.arm(connection, loop->now() + 5);
    loop->table.pause_reading(connection);
    loop->table.resume_reading(connection);
    loop->table.finish(connection);
    loop->table.abort(connection);
    loop->table.drop_queued(connection);
  });
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(protocol.causes, (std::vector{CloseCause::shed}));
  // The slot is taken again; a timer left in the wheel would now be two.
  Wire& next = loop->connect(protocol);
  EXPECT_EQ(next.slot, wire.slot);
  loop->table.arm(*next.connection, loop->now() + 7);
  loop->table.arm(*other.connection, loop->now() + 5);
  loop->advance(20);
  EXPECT_EQ(protocol.count("timer"), 2u);
}

}  // namespace
}  // namespace spate::core
