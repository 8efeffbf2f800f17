// Peers that are slow or silent: every wait on them has a deadline, and nobody else waits with
// them.
#include "tests/system/fixture.h"

namespace spate::tests {
namespace {

// Time as a slow peer spends it between two of its bytes.
constexpr auto kTrickle = milliseconds(20);

class SlowPeer : public SystemTest {
 protected:
  // Sends `bytes` a piece at a time for as long as the server bears it; how long that was.
  milliseconds trickle(RawClient& slow, const std::string& bytes, std::size_t piece_bytes = 1) {
    const auto begun = Clock::now();
    for (std::size_t at = 0; slow.end() == RawClient::End::none && at < bytes.size();
         at += piece_bytes) {
      if (!slow.send(bytes.substr(at, piece_bytes), soon())) break;
      slow.receive(within(kTrickle));
    }
    slow.receive_end(soon());
    return std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
  }
};

TEST_F(SlowPeer, HeadThatTricklesInIsRefusedAtTheDeadline) {
  start({"--workers", "1", "--handshake-timeout-ms", "400"});
  auto slow = raw_client();
  const std::string endless = upgrade_request("x", "/echo", "X-Slow: " + std::string(5000, 'x'));
  const milliseconds took = trickle(*slow, endless);
  EXPECT_NE(slow->end(), RawClient::End::none);
  EXPECT_GE(took, milliseconds(350));
  EXPECT_LE(took, seconds(5));
  EXPECT_TRUE(slow->inbox().starts_with("HTTP/1.1 408 ")) << slow->inbox();
  EXPECT_TRUE(serves());
}

TEST_F(SlowPeer, ConnectionThatSaysNothingEndsAtTheDeadline) {
  start({"--workers", "1", "--handshake-timeout-ms", "300"});
  auto silent = raw_client();
  const auto begun = Clock::now();
  EXPECT_EQ(silent->receive_end(soon()), RawClient::End::fin);
  EXPECT_GE(Clock::now() - begun, milliseconds(250));
  EXPECT_TRUE(serves());
}

TEST_F(SlowPeer, OthersAreServedWhileManyHeadsTrickle) {
  start({"--workers", "1", "--handshake-timeout-ms", "1000"});
  auto other = client();
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 200; ++i) slow.push_back(raw_client());
  const std::string head = upgrade_request("x");
  for (std::size_t at = 0; at < 40; ++at) {
    for (auto& each : slow) {
      if (each->end() == RawClient::End::none) each->send(head.substr(at, 1), soon());
    }
    ASSERT_TRUE(other->echoes("meanwhile", soon()));
  }
  EXPECT_TRUE(serves());
  for (auto& each : slow) EXPECT_NE(each->receive_end(soon()), RawClient::End::none);
}

TEST_F(SlowPeer, FrameThatTricklesInIsClosedAtTheDeadline) {
  start({"--workers", "1", "--frame-timeout-ms", "400"});
  for (const std::size_t header_bytes : {1, 3, 8}) {
    auto slow = client();
    ASSERT_NE(slow, nullptr);
    // Begun in the middle of the header, then a byte at a time.
    const std::string frame = binary_frame(std::string(5000, 'x'));
    ASSERT_TRUE(slow->send(frame.substr(0, header_bytes), soon()));
    const milliseconds took = trickle(slow->raw(), frame.substr(header_bytes));
    EXPECT_GE(took, milliseconds(350));
    EXPECT_LE(took, seconds(5));
    const auto close = slow->receive(soon());
    ASSERT_TRUE(close);
    EXPECT_EQ(close->close_code(), 1008);
    EXPECT_NE(slow->raw().end(), RawClient::End::none);
  }
  EXPECT_TRUE(serves());
}

TEST_F(SlowPeer, FrameThatStopsHalfwayIsClosedAtTheDeadline) {
  start({"--workers", "1", "--frame-timeout-ms", "300"});
  auto slow = client();
  ASSERT_TRUE(slow->send(text_frame(std::string(1000, 'x')).substr(0, 500), soon()));
  const auto close = slow->receive(soon());
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1008);
}

// A slow line is no attack: what goes on arriving at a fair rate may take longer than the deadline.
TEST_F(SlowPeer, FrameThatKeepsComingMayOutlastTheDeadline) {
  start({"--workers", "1", "--frame-timeout-ms", "300"});
  auto slow = client();
  const std::string payload(30000, 'x');
  const auto begun = Clock::now();
  const std::string frame = text_frame(payload);
  for (std::size_t at = 0; at < frame.size(); at += 500) {
    ASSERT_TRUE(slow->send(frame.substr(at, 500), soon()));
    slow->raw().receive(within(kTrickle));
  }
  EXPECT_GT(Clock::now() - begun, milliseconds(600));
  const auto reply = slow->receive(soon());
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->payload, payload);
}

// Between two fragments there is no frame, and so no frame's deadline.
TEST_F(SlowPeer, PauseBetweenFragmentsIsNoSlowFrame) {
  start({"--workers", "1", "--frame-timeout-ms", "200"});
  auto slow = client();
  ASSERT_TRUE(slow->send(fragment(kText, "one, ", false), soon()));
  EXPECT_FALSE(slow->receive(within(milliseconds(800))));
  ASSERT_EQ(slow->raw().end(), RawClient::End::none);
  ASSERT_TRUE(slow->send(fragment(kContinuation, "two", true), soon()));
  const auto reply = slow->receive(soon());
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->payload, "one, two");
}

TEST_F(SlowPeer, SilentPeerIsPingedAndThenGivenUp) {
  start({"--workers", "1", "--ping-interval-ms", "200", "--pong-timeout-ms", "150", "--ping-misses",
         "3"});
  auto silent = client();
  int pings = 0;
  std::optional<ServerFrame> frame;
  while ((frame = silent->receive(soon())) && frame->opcode == kPing) ++pings;
  EXPECT_EQ(pings, 3);
  ASSERT_TRUE(frame) << "no close frame; " << silent->violation();
  EXPECT_EQ(frame->opcode, kClose);
  EXPECT_NE(silent->raw().receive_end(soon()), RawClient::End::none);
  EXPECT_TRUE(serves());
}

TEST_F(SlowPeer, PeerThatAnswersPingsStays) {
  start({"--workers", "1", "--ping-interval-ms", "200", "--pong-timeout-ms", "200", "--ping-misses",
         "1"});
  auto faithful = client();
  for (int i = 0; i < 10; ++i) {
    const auto ping = faithful->receive(soon());
    ASSERT_TRUE(ping);
    ASSERT_EQ(ping->opcode, kPing);
    ASSERT_TRUE(faithful->send(pong_frame(ping->payload), soon()));
  }
  EXPECT_TRUE(faithful->echoes("still here", soon()));
}

TEST_F(SlowPeer, IdlePeerIsClosedInOrder) {
  start({"--workers", "1", "--idle-timeout-ms", "300"});
  auto idle = client();
  const auto begun = Clock::now();
  const auto close = idle->receive(soon());
  EXPECT_GE(Clock::now() - begun, milliseconds(250));
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1000);
  // It is we who owe the answer; with it the server closes TCP at once (RFC 6455 §7.1.1).
  ASSERT_TRUE(idle->send(close_frame(1000), soon()));
  EXPECT_EQ(idle->raw().receive_end(within(seconds(3))), RawClient::End::fin);
}

TEST_F(SlowPeer, CloseThatIsNeverAnsweredEndsAtTheDeadline) {
  start({"--workers", "1", "--idle-timeout-ms", "200", "--close-timeout-ms", "300"});
  auto silent = client();
  const auto close = silent->receive(soon());
  ASSERT_TRUE(close);
  EXPECT_EQ(close->opcode, kClose);
  EXPECT_NE(silent->raw().receive_end(within(seconds(4))), RawClient::End::none);
  EXPECT_TRUE(serves());
}

TEST_F(SlowPeer, MessagesKeepAConnectionFromIdling) {
  start({"--workers", "1", "--idle-timeout-ms", "1000"});
  auto busy = client();
  const auto begun = Clock::now();
  while (Clock::now() - begun < seconds(3)) {
    ASSERT_TRUE(busy->echoes("busy", soon()));
    busy->raw().receive(within(milliseconds(50)));
  }
  EXPECT_TRUE(busy->echoes("still here", soon()));
}

}  // namespace
}  // namespace spate::tests
