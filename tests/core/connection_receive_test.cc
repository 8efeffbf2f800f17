// What a connection is given to read, and what it may keep.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>

#include "core/connection_table.h"
#include "tests/core/memory_transport.h"
#include "tests/core/recorder.h"

namespace spate::core {
namespace {

using test::MemoryLoop;
using test::MemoryTransport;
using test::Random;
using test::Recorder;
using test::Wire;

class ConnectionReceive : public testing::Test {
 protected:
  void start(ConnectionTable::Options options = {}) {
    options.read_ring_bytes = 64 * 1024;
    loop.emplace(options);
  }
  // Keeps everything until `bytes` are there, then lets go.
  void keep_until(std::size_t bytes, std::uint64_t wanted = 0) {
    protocol.bytes_hook = [this, bytes, wanted](Connection&, const ReceiveWindow& window) -> Kept {
      last = as_text(window.bytes);
      if (window.bytes.size() >= bytes) return {};
      return {.bytes = window.bytes, .wanted_bytes = wanted, .state = true};
    };
  }

  Recorder protocol;
  std::string last;
  std::optional<MemoryLoop> loop;
};

std::string text_of(std::size_t bytes) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('!' + (i * i / 7 + i) % 90);
  return text;
}

TEST_F(ConnectionReceive, AFreshWindowHasHeadroomAndZeroState) {
  start();
  int turns = 0;
  protocol.bytes_hook = [&](Connection&, const ReceiveWindow& window) -> Kept {
    ++turns;
    EXPECT_EQ(window.bytes.data() - window.floor, static_cast<std::ptrdiff_t>(Lease::kHeadroom));
    EXPECT_EQ(window.received, window.bytes.size());
    for (std::size_t i = 0; i < kProtocolStateBytes; ++i) EXPECT_EQ(window.state[i], std::byte{0});
    std::memset(window.floor, 0xAA, Lease::kHeadroom);
    std::memset(window.state, 0xBB, kProtocolStateBytes);
    return {};  // and with it the state is gone
  };
  Wire& wire = loop->connect(protocol);
  wire.to_server = "one";
  loop->settle();
  wire.to_server = "two";
  loop->settle();
  EXPECT_EQ(turns, 2);
  EXPECT_EQ(protocol.said, (std::vector<std::string>{"open", "bytes:one", "bytes:two"}));
  EXPECT_EQ(loop->table.counters().bytes_received, 6u);
}

TEST_F(ConnectionReceive, ATurnReceivesNoMoreThanTheRingHolds) {
  start();
  std::size_t turns = 0;
  protocol.bytes_hook = [&](Connection&, const ReceiveWindow& window) -> Kept {
    ++turns;
    EXPECT_LE(window.received, 64u * 1024);
    return {};
  };
  Wire& wire = loop->connect(protocol);
  wire.to_server = text_of(200'000);
  EXPECT_TRUE(loop->turn());
  EXPECT_EQ(turns, 1u);
  loop->settle();
  EXPECT_EQ(turns, 4u);
  EXPECT_EQ(loop->table.counters().bytes_received, 200'000u);
}

TEST_F(ConnectionReceive, WhatIsKeptComesBackInFrontWithItsState) {
  start();
  std::string expected;
  protocol.bytes_hook = [&](Connection&, const ReceiveWindow& window) -> Kept {
    EXPECT_EQ(as_text(window.bytes), expected);
    EXPECT_EQ(window.received, 10u);
    EXPECT_EQ(std::to_integer<std::size_t>(window.state[63]), (expected.size() - 10) / 10);
    window.state[63] = static_cast<std::byte>(std::to_integer<unsigned>(window.state[63]) + 1);
    return {.bytes = window.bytes, .state = true};
  };
  Wire& wire = loop->connect(protocol);
  for (int i = 0; i < 100; ++i) {  // through the slab and into a ring
    wire.to_server = text_of(10);
    expected += wire.to_server;
    loop->settle();
    ASSERT_EQ(wire.connection->hold != nullptr, true);
    ASSERT_EQ(wire.connection->hold->lease != nullptr, expected.size() > Hold::kInlineBytes);
  }
  EXPECT_EQ(loop->table.leases().leased(), 1u);
}

TEST_F(ConnectionReceive, StateAloneIsKeptToo) {
  start();
  int turn = 0;
  protocol.bytes_hook = [&](Connection&, const ReceiveWindow& window) -> Kept {
    EXPECT_EQ(window.received, window.bytes.size());
    EXPECT_EQ(std::to_integer<int>(window.state[0]), turn);
    window.state[0] = static_cast<std::byte>(++turn);
    return {.bytes = window.bytes.first(0), .state = true};
  };
  Wire& wire = loop->connect(protocol);
  for (int i = 0; i < 5; ++i) {
    wire.to_server = "x";
    loop->settle();
  }
  EXPECT_EQ(turn, 5);
  EXPECT_EQ(loop->table.leases().leased(), 0u);
}

// A message of every size around the limits of slab, ring classes and read ring, in chops, with and
// without its length known ahead.
TEST_F(ConnectionReceive, AMessageGrowsThroughAllItsPlacesUnharmed) {
  start({.max_lease_bytes = 64 << 20});
  Random random(test::test_seed());
  Wire& wire = loop->connect(protocol);
  const std::uint64_t before = loop->table.memory_bytes();
  for (const std::size_t bytes : {1u, 255u, 256u, 257u, 4079u, 4080u, 4081u, 8176u, 60000u, 65519u,
                                  65520u, 65521u, 65536u, 131072u, 1u << 20}) {
    for (const std::uint64_t wanted : {std::uint64_t{0}, std::uint64_t{bytes}}) {
      SCOPED_TRACE(bytes);
      const std::string message = text_of(bytes);
      keep_until(bytes, wanted);
      for (std::size_t at = 0; at < bytes;) {
        const std::size_t chop = 1 + random.spread(17);
        wire.to_server += message.substr(at, chop);
        at += chop;
        loop->settle();
        ASSERT_EQ(std::string_view(message).substr(0, last.size()), last);
      }
      ASSERT_EQ(last, message);
      ASSERT_EQ(wire.connection->hold, nullptr);
      ASSERT_EQ(loop->table.leases().leased(), 0u);
    }
  }
  EXPECT_LE(loop->table.memory_bytes(), before + Slab<Hold>::kChunkBytes);
}

// A ring is left and the slab taken again once little remains.
TEST_F(ConnectionReceive, ALittleRestGivesTheRingBack) {
  start();
  keep_until(10'000);
  Wire& wire = loop->connect(protocol);
  wire.to_server = text_of(5000);
  loop->settle();
  EXPECT_EQ(loop->table.leases().leased(), 1u);
  protocol.bytes_hook = [&](Connection&, const ReceiveWindow& window) -> Kept {
    return {.bytes = window.bytes.last(200), .state = true};
  };
  wire.to_server = text_of(1000);
  loop->settle();
  EXPECT_EQ(loop->table.leases().leased(), 0u);
  protocol.bytes_hook = nullptr;
  wire.to_server = "!";
  loop->settle();
  EXPECT_EQ(protocol.said.back(), "bytes:" + text_of(1000).substr(800) + "!");
  EXPECT_EQ(wire.connection->hold, nullptr);
}

TEST_F(ConnectionReceive, NoRoomToKeepIsToldAndForgotten) {
  start({.max_lease_bytes = 8192});
  keep_until(100'000);
  Wire& small = loop->connect(protocol);
  Wire& large = loop->connect(protocol);
  small.to_server = text_of(300);  // takes a ring of 8 KiB
  loop->settle();
  large.to_server = text_of(300);  // finds none
  loop->settle();
  EXPECT_EQ(protocol.count("keep refused"), 1u);
  EXPECT_EQ(large.connection->hold, nullptr);
  small.to_server = text_of(8192 - Lease::kHeadroom - 300);  // fills it, and it cannot grow
  loop->settle();
  EXPECT_EQ(protocol.count("keep refused"), 2u);
  EXPECT_EQ(small.connection->hold, nullptr);
  EXPECT_EQ(loop->table.leases().leased(), 0u);
  EXPECT_EQ(loop->table.counters().keeps_refused, 2u);
  // Both go on: what comes next has nothing in front.
  last.clear();
  large.to_server = "after";
  loop->settle();
  EXPECT_EQ(last, "after");
}

TEST_F(ConnectionReceive, AboveTheMemoryCeilingNothingNewIsKept) {
  start({.max_memory = 1});
  keep_until(100);
  Wire& wire = loop->connect(protocol);
  wire.to_server = "half";
  loop->settle();
  EXPECT_EQ(protocol.count("keep refused"), 1u);
  EXPECT_FALSE(wire.closed);
}

// The bytes handed over live until the call returns, whatever the callee does to its connection: a
// ring this large is unmapped as soon as it is given back.
TEST_F(ConnectionReceive, TheWindowOutlivesAnAbortInsideTheCall) {
  start();
  const std::size_t bytes = 3 << 20;
  keep_until(bytes, bytes);
  Wire& wire = loop->connect(protocol);
  wire.to_server = text_of(bytes - 1);
  loop->settle();
  ASSERT_EQ(loop->table.leases().leased(), 1u);
  std::size_t sum = 0;
  protocol.bytes_hook = [&](Connection& connection, const ReceiveWindow& window) -> Kept {
    loop->table.abort(connection);
    for (const std::byte each : window.bytes) sum += std::to_integer<std::size_t>(each);
    window.state[0] = std::byte{1};
    return {.bytes = window.bytes, .state = true};
  };
  wire.to_server = "!";
  loop->settle();
  EXPECT_GT(sum, bytes * '!');
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(loop->table.leases().leased(), 0u);
  EXPECT_EQ(protocol.count("close"), 1u);
}

TEST_F(ConnectionReceive, APausedConnectionIsNotReadUntilItIsResumed) {
  start();
  protocol.bytes_hook = [&](Connection& connection, const ReceiveWindow&) -> Kept {
    loop->table.pause_reading(connection);
    return {};
  };
  Wire& wire = loop->connect(protocol);
  wire.to_server = "one";
  loop->settle();
  wire.to_server = "two";
  loop->settle();
  EXPECT_EQ(protocol.count("bytes:two"), 0u);
  loop->table.resume_reading(*wire.connection);
  loop->table.on_turn_end();
  loop->settle();
  EXPECT_EQ(protocol.count("bytes:two"), 1u);
}

// In one connection's turn another is resumed, which had left some of what it was given.
TEST_F(ConnectionReceive, WhatWasLeftComesAgainWhenNobodyElseHasTheRing) {
  start();
  Wire *left = nullptr, *other = nullptr;
  std::string in_the_ring;
  bool again = false;
  protocol.bytes_hook = [&](Connection& connection, const ReceiveWindow& window) -> Kept {
    if (other != nullptr && &connection == other->connection) {
      loop->table.resume_reading(*left->connection);
      loop->table.replay(*left->connection);
      EXPECT_FALSE(again);
      in_the_ring = as_text(window.bytes);
      return {};
    }
    if (std::exchange(again, window.received == 0)) return {};
    if (window.received == 0) return {};
    loop->table.pause_reading(connection);
    return {.bytes = window.bytes, .wanted_bytes = window.bytes.size(), .state = true};
  };
  left = &loop->connect(protocol);
  left->to_server = "left";
  loop->settle();
  EXPECT_EQ(protocol.count("bytes:left"), 1u);
  other = &loop->connect(protocol);
  other->to_server = "others";
  loop->settle();
  EXPECT_EQ(in_the_ring, "others");
  EXPECT_TRUE(again);
  EXPECT_EQ(protocol.count("bytes:left"), 2u);
  EXPECT_EQ(left->connection->hold, nullptr);
}

TEST_F(ConnectionReceive, APausedConnectionIsNotGivenWhatItLeft) {
  start();
  protocol.bytes_hook = [&](Connection& connection, const ReceiveWindow& window) -> Kept {
    loop->table.pause_reading(connection);
    return {.bytes = window.bytes, .wanted_bytes = window.bytes.size(), .state = true};
  };
  Wire& wire = loop->connect(protocol);
  wire.to_server = "left";
  loop->settle();
  loop->table.replay(*wire.connection);
  loop->settle();
  EXPECT_EQ(protocol.count("bytes:left"), 1u);
  EXPECT_NE(wire.connection->hold, nullptr);
}

TEST_F(ConnectionReceive, RefusedAndInterruptedReceivesAreTriedAgain) {
  start();
  for (const int error : {EAGAIN, EINTR}) {
    Wire& wire = loop->connect(protocol);
    loop->transport.set_plan([&](MemoryTransport::Operation, std::uint64_t number) {
      return number < 3 ? MemoryTransport::Fault{.error = error} : MemoryTransport::Fault{};
    });
    wire.to_server = "x";
    loop->settle();
    EXPECT_TRUE(wire.to_server.empty());
    EXPECT_FALSE(wire.closed);
  }
  EXPECT_EQ(protocol.count("bytes:x"), 2u);
}

}  // namespace
}  // namespace spate::core
