// The server at its limits: it serves whom it has, refuses whom it cannot have, does not spin, and
// recovers.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "tests/system/fixture.h"
#include "tests/system/process_facts.h"

namespace spate::tests {
namespace {

// Connects and asks to be upgraded; what came of it.
enum class Answer { served, refused_in_http, closed, none };

class Limits : public SystemTest {
 protected:
  struct Attempt {
    Answer answer = Answer::none;
    std::unique_ptr<WsClient> client = nullptr;
    std::string response = {};
  };

  Attempt attempt() {
    auto stream = server_->endpoint().connect(soon());
    if (stream == nullptr) return {};
    RawClient raw(std::move(stream));
    raw.send(upgrade_request(server_->endpoint().host), soon());
    const std::size_t end = raw.receive_through("\r\n\r\n", soon());
    if (end == std::string::npos) {
      return {raw.end() == RawClient::End::none ? Answer::none : Answer::closed};
    }
    const auto head = parse_response_head(std::string_view(raw.inbox()).substr(0, end));
    if (!head) return {};
    if (head->status == 101) return {Answer::served, WsClient::adopt(std::move(raw), end)};
    const bool ended = raw.receive_end(soon()) != RawClient::End::none;
    return {ended ? Answer::refused_in_http : Answer::none, nullptr, raw.take()};
  }

  // Connects, and keeps what is served, until an attempt is not and at least so many are held; what
  // became of that attempt. While a worker has yet to start, another that is full may refuse.
  Attempt fill(std::size_t at_least) {
    for (const Deadline deadline = soon();;) {
      Attempt next = attempt();
      if (next.answer == Answer::served) {
        held_.push_back(std::move(next.client));
      } else if (held_.size() >= at_least || Clock::now() >= deadline) {
        return next;
      }
    }
  }

  bool all_held_echo() {
    for (const auto& each : held_) {
      if (!each->echoes("still served", soon())) return false;
    }
    return true;
  }

  std::vector<std::unique_ptr<WsClient>> held_;
};

TEST_F(Limits, ConnectionsBeyondMaxAreToldSo) {
  start({"--workers", "1", "--max-connections", "5"});
  const Attempt refused = fill(5);
  EXPECT_EQ(held_.size(), 5u);
  EXPECT_EQ(refused.answer, Answer::refused_in_http);
  EXPECT_TRUE(refused.response.starts_with("HTTP/1.1 503 ")) << refused.response;
  EXPECT_TRUE(all_held_echo());
  held_.pop_back();
  EXPECT_TRUE(eventually([this] { return attempt().answer == Answer::served; }));
}

// Both workers have room before anybody is refused, however the kernel spreads the connections.
TEST_F(Limits, MaxConnectionsIsForEachWorker) {
  start({"--workers", "2", "--max-connections", "5"});
  const Attempt refused = fill(10);
  EXPECT_EQ(held_.size(), 10u);
  EXPECT_EQ(refused.answer, Answer::refused_in_http);
  EXPECT_TRUE(all_held_echo());
}

// A peer that vanished without a word acknowledges nothing: the kernel gives it up after 30 s, not
// after a quarter of an hour.
TEST_F(Limits, AVanishedPeerIsGivenUp) {
  start({"--workers", "1"});
  const auto peer = client();
  ASSERT_NE(peer, nullptr);
  EXPECT_EQ(options_of_connections(server().pid(), IPPROTO_TCP, TCP_USER_TIMEOUT),
            std::vector<int>{30'000});
}

class Descriptors : public Limits, public testing::WithParamInterface<int> {
 protected:
  static std::size_t workers() { return static_cast<std::size_t>(GetParam()); }

  void start_with(std::uint64_t max_open_files) {
    start({"--workers", std::to_string(GetParam())}, max_open_files);
  }
};

TEST_P(Descriptors, ExhaustedRefuseTheNewAndServeTheOld) {
  start_with(64);
  const Attempt refused = fill(32 * workers());
  // Without a descriptor there is nobody to say why.
  EXPECT_EQ(refused.answer, Answer::closed);
  EXPECT_GE(held_.size(), 32 * workers());
  EXPECT_LT(held_.size(), 64 * workers());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(attempt().answer, Answer::closed);
  EXPECT_TRUE(all_held_echo());

  const std::size_t held = held_.size();
  held_.resize(held / 2);
  EXPECT_TRUE(eventually([this] { return attempt().answer == Answer::served; }));
  EXPECT_TRUE(eventually([&] {
    Attempt next = attempt();
    if (next.answer == Answer::served) held_.push_back(std::move(next.client));
    return held_.size() >= held;
  }));
  EXPECT_TRUE(all_held_echo());
}

TEST_P(Descriptors, ExhaustedCostNoProcessorTime) {
  start_with(64);
  ASSERT_EQ(fill(32 * workers()).answer, Answer::closed);
  const double before = cpu_seconds(server().pid());
  // Newcomers press all the while, and are turned away without delay.
  const auto begun = Clock::now();
  int attempts = 0;
  while (Clock::now() - begun < seconds(2)) {
    EXPECT_EQ(attempt().answer, Answer::closed);
    ++attempts;
    held_.front()->receive(within(milliseconds(100)));
  }
  EXPECT_GE(attempts, 2);
  EXPECT_LT(cpu_seconds(server().pid()) - before, 0.3);
  EXPECT_TRUE(all_held_echo());
}

// A limit with room for it: connections are counted before descriptors run out, and refusals
// explained.
TEST_P(Descriptors, AreKeptInReserveToExplainRefusals) {
  start_with(256);
  const Attempt refused = fill(128 * workers());
  EXPECT_EQ(refused.answer, Answer::refused_in_http);
  EXPECT_TRUE(refused.response.starts_with("HTTP/1.1 503 ")) << refused.response;
  EXPECT_GE(held_.size(), 128 * workers());
  EXPECT_TRUE(all_held_echo());
}

// Connections that end in every way there is leave no descriptor behind.
TEST_F(Limits, DescriptorsComeBack) {
  start({"--workers", "1", "--close-timeout-ms", "200"});
  ASSERT_TRUE(serves());
  const std::vector<pid_t> tree = process_tree(server().pid());
  ASSERT_EQ(tree.size(), 2u);
  const auto descriptors = [&] { return open_descriptors(tree[1]); };
  const std::size_t before = descriptors();
  for (int i = 0; i < 100; ++i) {
    auto in_order = client();
    in_order->send(close_frame(1000), soon());
    EXPECT_EQ(in_order->raw().receive_end(soon()), RawClient::End::fin);
    client()->raw().reset();
    client()->send(text_frame("gone without a word"), soon());
    auto wrong = client();
    wrong->send(build_frame({.rsv1 = true}), soon());
    EXPECT_EQ(wrong->raw().receive_end(soon()), RawClient::End::fin);
    auto half = client();
    half->raw().shutdown_write();
    EXPECT_NE(half->raw().receive_end(soon()), RawClient::End::none);
    raw_client()->send("GET / HTTP/1.1\r\nHost: x\r\n", soon());
    auto refused = raw_client();
    refused->send("nonsense\r\n\r\n", soon());
    EXPECT_NE(refused->receive_end(soon()), RawClient::End::none);
  }
  EXPECT_TRUE(eventually([&] { return descriptors() <= before; }))
      << before << " descriptors before, " << descriptors() << " after";
}

INSTANTIATE_TEST_SUITE_P(Workers, Descriptors, testing::Values(1, 2));

}  // namespace
}  // namespace spate::tests
