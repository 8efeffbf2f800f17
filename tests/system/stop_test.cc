// Stopping: what was read is answered, every client gets a close frame, the process ends in time
// with 0.
#include <signal.h>

#include "tests/system/fixture.h"

namespace spate::tests {
namespace {

class Stop : public SystemTest {
 protected:
  // Stopping is what these tests are about.
  void TearDown() override {
    if (server_ != nullptr && HasFailure()) std::fputs(server_->output().c_str(), stderr);
  }

  void expect_clean_exit(Deadline deadline) {
    const Exit exit = server().wait_exit(deadline);
    EXPECT_TRUE(exit.exited && exit.status == 0) << describe(exit);
  }
};

class StopBySignal : public Stop, public testing::WithParamInterface<int> {};

TEST_P(StopBySignal, ClosesClientsWith1001AndExits0) {
  start({"--workers", "2"});
  std::vector<std::unique_ptr<WsClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(client());
    ASSERT_TRUE(clients.back()->echoes("before", soon()));
  }
  // One of them in the middle of a message, one in the middle of a frame.
  ASSERT_TRUE(clients[0]->send(fragment(kText, "unfinished", false), soon()));
  ASSERT_TRUE(clients[1]->send(text_frame("unfinished").substr(0, 9), soon()));
  server().signal(GetParam());
  for (auto& each : clients) {
    const auto close = each->receive(within(seconds(15)));
    ASSERT_TRUE(close) << each->violation();
    EXPECT_EQ(close->close_code(), 1001);
    each->send(close_frame(1001), soon());
    EXPECT_EQ(each->raw().receive_end(soon()), RawClient::End::fin);
    each.reset();
  }
  expect_clean_exit(within(seconds(15)));
}

INSTANTIATE_TEST_SUITE_P(Signals, StopBySignal, testing::Values(SIGTERM, SIGINT));

TEST_F(Stop, WithoutClientsIsQuick) {
  start({"--workers", "2"});
  ASSERT_TRUE(serves());
  server().signal(SIGTERM);
  expect_clean_exit(within(seconds(3)));
}

TEST_F(Stop, ClientThatNeverAnswersTheCloseDoesNotHoldItUp) {
  start({"--workers", "1", "--drain-seconds", "0", "--close-timeout-ms", "300"});
  auto silent = client();
  ASSERT_TRUE(silent->echoes("before", soon()));
  server().signal(SIGTERM);
  expect_clean_exit(within(seconds(5)));
}

TEST_F(Stop, SecondSignalEndsAtOnce) {
  start({"--workers", "2", "--drain-seconds", "600", "--close-timeout-ms", "600000"});
  auto silent = client();
  ASSERT_TRUE(silent->echoes("before", soon()));
  server().signal(SIGTERM);
  const auto close = silent->receive(soon());
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1001);
  server().signal(SIGTERM);
  server().wait_exit(within(seconds(5)));
  EXPECT_FALSE(server().running());
  EXPECT_NE(silent->raw().receive_end(soon()), RawClient::End::none);
}

// Messages in flight when the signal comes: answered in order without a hole, then the close frame.
TEST_F(Stop, AnswersWhatItHasRead) {
  start({"--workers", "1"});
  auto busy = client();
  ASSERT_TRUE(busy->echoes("before", soon()));
  std::string stream;
  for (int i = 0; i < 2000; ++i) stream += text_frame(std::to_string(i));
  ASSERT_TRUE(busy->send(stream, soon()));
  server().signal(SIGTERM);
  int answered = 0;
  std::optional<ServerFrame> frame;
  while ((frame = busy->receive(within(seconds(15)))) && frame->opcode == kText) {
    ASSERT_EQ(frame->payload, std::to_string(answered));
    ++answered;
  }
  ASSERT_TRUE(frame) << busy->violation();
  EXPECT_EQ(frame->close_code(), 1001);
  // They were all in its socket, and in its hands within one turn of the loop, before the signal.
  EXPECT_EQ(answered, 2000);
}

TEST_F(Stop, NewConnectionsAreRefusedMeanwhile) {
  start({"--workers", "1", "--drain-seconds", "600"});
  auto held = client();
  ASSERT_TRUE(held->echoes("before", soon()));
  server().signal(SIGTERM);
  ASSERT_TRUE(held->receive(soon()));
  EXPECT_TRUE(eventually([this] {
    auto stream = server().endpoint().connect(soon());
    if (stream == nullptr) return true;
    RawClient late(std::move(stream));
    late.send(upgrade_request(server().endpoint().host), soon());
    return late.receive_through("HTTP/1.1 101", within(milliseconds(200))) == std::string::npos;
  }));
  held->send(close_frame(1001), soon());
  EXPECT_EQ(held->raw().receive_end(soon()), RawClient::End::fin);
  held.reset();
  expect_clean_exit(soon());
}

}  // namespace
}  // namespace spate::tests
