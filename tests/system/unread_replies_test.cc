// Clients that send and do not read: the server holds a bounded amount for each, stops reading
// them, serves the others, and loses nothing when they read at last.
#include "tests/system/fixture.h"
#include "tests/system/process_facts.h"

namespace spate::tests {
namespace {

constexpr std::size_t kMiB = 1 << 20;
// Little of the stream may hide in the kernel's buffers.
constexpr TcpOptions kSmallBuffers{.receive_buffer_bytes = 65536, .send_buffer_bytes = 65536};

std::string message(std::size_t index) {
  std::string out = std::to_string(index) + ":";
  out.resize(16384, static_cast<char>('a' + index % 26));
  return out;
}

// 32 MiB of messages, each its own.
constexpr std::size_t kMessages = 2048;
std::string all_messages() {
  std::string out;
  for (std::size_t i = 0; i < kMessages; ++i) out += text_frame(message(i));
  return out;
}

class UnreadReplies : public SystemTest {
 protected:
  void start_small(std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"--workers", "1", "--sndbuf", "65536", "--rcvbuf", "65536"});
    start(std::move(flags));
  }

  // Sends until the server has taken nothing for a while; how much it took.
  static std::size_t send_until_stuck(RawClient& client, std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const std::size_t taken =
          client.send_unread(bytes.substr(sent, 65536), within(milliseconds(300)));
      if (taken == 0) break;
      sent += taken;
    }
    return sent;
  }
};

TEST_F(UnreadReplies, AreBoundedAndCompleteInTheEnd) {
  start_small({"--outbox-bytes", "1M"});
  const std::string stream = all_messages();
  const std::size_t before = owned_bytes(server().pid());
  std::vector<std::unique_ptr<WsClient>> clients;
  std::vector<std::size_t> sent;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(client(kSmallBuffers));
    sent.push_back(send_until_stuck(clients.back()->raw(), stream));
    ASSERT_LT(sent.back(), stream.size()) << "the server goes on taking messages without bound";
  }
  // Each may hold its outbox and the read that was in hand.
  EXPECT_LT(owned_bytes(server().pid()), before + 8 * 2 * kMiB);
  EXPECT_TRUE(serves());
  for (std::size_t i = 0; i < clients.size(); ++i) {
    ASSERT_TRUE(clients[i]->raw().send(std::string_view(stream).substr(sent[i]), soon()));
    for (std::size_t k = 0; k < kMessages; ++k) {
      const auto reply = clients[i]->receive(soon());
      ASSERT_TRUE(reply) << "client " << i << " lacks reply " << k;
      ASSERT_EQ(reply->payload, message(k));
    }
    EXPECT_TRUE(clients[i]->echoes("in step again", soon()));
  }
}

TEST_F(UnreadReplies, CostNoProcessorTimeWhileTheyWait) {
  start_small();
  auto stuck = client(kSmallBuffers);
  const std::string stream = all_messages();
  ASSERT_LT(send_until_stuck(stuck->raw(), stream), stream.size());
  auto idle = client();
  const double before = cpu_seconds(server().pid());
  EXPECT_FALSE(idle->receive(within(seconds(2))));
  EXPECT_LT(cpu_seconds(server().pid()) - before, 0.2);
}

TEST_F(UnreadReplies, EndTheConnectionAtTheWriteDeadline) {
  start_small({"--outbox-bytes", "1M"});
  auto stuck = client(kSmallBuffers);
  const std::string stream = all_messages();
  const std::size_t sent = send_until_stuck(stuck->raw(), stream);
  ASSERT_LT(sent, stream.size());
  // The peer is gone when a write fails; until then it takes nothing.
  const auto gone = [&] {
    stuck->raw().send_unread(std::string_view(stream).substr(sent, 1), Clock::now());
    return stuck->raw().send_failed();
  };
  EXPECT_TRUE(eventually(gone, within(seconds(30))));
  EXPECT_TRUE(serves());
}

TEST_F(UnreadReplies, OfPingsAreBoundedToo) {
  start_small({"--outbox-bytes", "64K"});
  const std::size_t before = owned_bytes(server().pid());
  auto flooding = client(kSmallBuffers);
  std::string pings;
  for (int i = 0; i < 8192; ++i) pings += ping_frame(std::string(125, 'p'));
  for (int round = 0; round < 32; ++round) {
    if (send_until_stuck(flooding->raw(), pings) < pings.size()) break;
  }
  EXPECT_LT(owned_bytes(server().pid()), before + 4 * kMiB);
  EXPECT_TRUE(serves());
}

}  // namespace
}  // namespace spate::tests
