// Endpoints that answer later: what leaves when, and what becomes of answers that nobody waits for.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "handlers/http/http_protocol.h"
#include "tests/core/memory_transport.h"

namespace spate::handlers {
namespace {

// Keeps its answers until it is told to give them.
class Slow final : public HttpHandler {
 public:
  explicit Slow(std::vector<std::shared_ptr<HttpLater>>& asked) : asked_(asked) {}
  HttpReply on_request(const HttpRequest&) override {
    return asked_.emplace_back(std::make_shared<HttpLater>())->reply();
  }

 private:
  std::vector<std::shared_ptr<HttpLater>>& asked_;
};

// Is asked to answer later, and has the answer at once.
class Ready final : public HttpHandler {
  HttpReply on_request(const HttpRequest&) override {
    const auto later = std::make_shared<HttpLater>();
    later->give({.body = "ready"});
    return later->reply();
  }
};

class Prompt final : public HttpHandler {
  HttpReply on_request(const HttpRequest&) override { return {.body = "prompt"}; }
};

class Silent final : public WebSocketHandler {
  void on_message(WebSocket&, const Message&) override {}
};

class HttpLaterTest : public testing::Test {
 protected:
  HttpLaterTest() {
    routes.add("/slow", std::make_unique<Slow>(asked));
    routes.add("/ready", std::make_unique<Ready>());
    routes.add("/prompt", std::make_unique<Prompt>());
    routes.add("/silent", std::make_unique<Silent>());
  }
  ~HttpLaterTest() override {
    loop.table.for_each([this](core::Connection& each) { loop.table.abort(each); });
  }

  static std::string get(const std::string& path, const std::string& fields = "",
                         const std::string& method = "GET") {
    return method + " " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
  }
  test::Wire& ask(const std::string& requests) {
    test::Wire& wire = loop.connect(http);
    wire.to_server = requests;
    loop.settle();
    return wire;
  }
  void give(std::size_t which, const std::string& body) {
    asked[which]->give({.body = body});
    loop.settle();
  }
  // The bodies of what was said, in order, with a space behind each.
  static std::string bodies(const std::string& said) {
    std::string all;
    for (std::size_t at = 0; (at = said.find("\r\n\r\n", at)) != said.npos;) {
      at += 4;
      all += said.substr(at, said.find("HTTP/1.1", at) - at) + " ";
    }
    return all;
  }
  static std::size_t count(const std::string& text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
      ++found;
    return found;
  }

  static constexpr core::Tick kHandshakeTimeout = core::ticks_of_ms(1000);
  std::vector<std::shared_ptr<HttpLater>> asked;
  test::MemoryLoop loop{{.read_ring_bytes = 64 * 1024}};
  Routes routes{loop.table, {}};
  HttpProtocol http{loop.table, routes, {.handshake_timeout = kHandshakeTimeout}};
};

TEST_F(HttpLaterTest, AnAnswerThatIsThereLeavesAtOnce) {
  EXPECT_EQ(bodies(ask(get("/ready") + get("/ready")).to_client), "ready ready ");
}

TEST_F(HttpLaterTest, AnswersLeaveInTheOrderOfTheirRequests) {
  test::Wire& wire = ask(get("/slow") + get("/prompt") + get("/slow") + get("/ready"));
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(wire.to_client, "");
  give(1, "two");
  EXPECT_EQ(wire.to_client, "");
  give(0, "one");
  EXPECT_EQ(bodies(wire.to_client), "one prompt two ready ");
  wire.to_client.clear();
  wire.to_server = get("/prompt");
  loop.settle();
  EXPECT_EQ(bodies(wire.to_client), "prompt ");
}

TEST_F(HttpLaterTest, EachAnswerHasTheFormOfItsOwnRequest) {
  test::Wire& wire = ask(get("/slow", "", "HEAD") + get("/slow", "Connection: close\r\n"));
  give(0, "head");
  EXPECT_NE(wire.to_client.find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_TRUE(wire.to_client.ends_with("\r\n\r\n"));
  EXPECT_FALSE(wire.server_ended);
  give(1, "close");
  EXPECT_TRUE(wire.to_client.ends_with("\r\n\r\nclose"));
  EXPECT_TRUE(wire.server_ended);
}

TEST_F(HttpLaterTest, NothingIsServedBehindTheRequestThatCloses) {
  test::Wire& wire = ask(get("/slow", "Connection: close\r\n") + get("/slow"));
  EXPECT_EQ(asked.size(), 1u);
  wire.to_server = get("/slow");
  loop.settle();
  give(0, "last");
  EXPECT_EQ(asked.size(), 1u);
  EXPECT_EQ(bodies(wire.to_client), "last ");
  EXPECT_TRUE(wire.server_ended);
}

TEST_F(HttpLaterTest, ARefusalWaitsForItsTurn) {
  test::Wire& wire = ask(get("/slow") + "NONSENSE\r\n\r\n" + get("/slow"));
  EXPECT_EQ(wire.to_client, "");
  give(0, "one");
  EXPECT_EQ(asked.size(), 1u);
  EXPECT_TRUE(wire.to_client.starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(count(wire.to_client, "HTTP/1.1 400 "), 1u);
  EXPECT_TRUE(wire.server_ended);
}

TEST_F(HttpLaterTest, AnUpgradeBehindWhatIsOwedIsRefusedInItsTurn) {
  test::Wire& wire =
      ask(get("/slow") +
          get("/silent",
              "Upgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"));
  EXPECT_EQ(wire.to_client, "");
  give(0, "one");
  EXPECT_TRUE(wire.to_client.starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(count(wire.to_client, "HTTP/1.1 400 "), 1u);
}

TEST_F(HttpLaterTest, AnEndpointThatForgetsToAnswerIsAnsweredFor) {
  test::Wire& wire = ask(get("/slow") + get("/prompt"));
  asked.clear();
  loop.settle();
  EXPECT_EQ(count(wire.to_client, "HTTP/1.1 500 "), 1u);
  EXPECT_EQ(bodies(wire.to_client), "The endpoint did not answer.\n prompt ");
  EXPECT_FALSE(wire.server_ended) << "what it knows of the connection is in order";
}

TEST_F(HttpLaterTest, AnAnswerToAConnectionThatHasGoneIsHeardByNobody) {
  test::Wire& gone = ask(get("/slow"));
  gone.reset = true;
  loop.settle();
  EXPECT_TRUE(gone.closed);
  test::Wire& next = ask(get("/prompt"));
  EXPECT_EQ(next.connection, gone.connection) << "the same place";
  next.to_client.clear();
  give(0, "late");
  EXPECT_EQ(next.to_client, "");
}

TEST_F(HttpLaterTest, AnAnswerNeedNotOutliveItsEndpointsServer) {
  test::Wire& wire = ask(get("/slow") + get("/slow"));
  loop.table.abort(*wire.connection);
  loop.settle();
  asked.clear();
}

TEST_F(HttpLaterTest, OnlySoManyAnswersAreOwedToOne) {
  constexpr std::size_t kRequests = 3 * HttpProtocol::kMaxOwed;
  std::string requests;
  for (std::size_t i = 0; i < kRequests; ++i) requests += get("/slow");
  test::Wire& wire = ask(requests);
  EXPECT_EQ(asked.size(), HttpProtocol::kMaxOwed);
  for (std::size_t i = 0; i < asked.size(); ++i) give(i, "x");
  EXPECT_EQ(asked.size(), kRequests);
  EXPECT_EQ(count(wire.to_client, "HTTP/1.1 200 OK"), kRequests);
  loop.live(kHandshakeTimeout - 1);
  EXPECT_FALSE(wire.server_ended);
}

TEST_F(HttpLaterTest, AnswersThatAreNotTakenAreHeldBack) {
  constexpr std::size_t kRequests = 50;
  std::string requests;
  for (std::size_t i = 0; i < kRequests; ++i) requests += get("/slow");
  test::Wire& wire = loop.connect(http);
  wire.room = 1000;
  wire.to_server = requests;
  loop.settle();
  for (std::size_t i = 0; i < kRequests; ++i) give(i, std::string(100'000, 'x'));
  EXPECT_FALSE(wire.closed) << "a slow reader is no broken one";
  EXPECT_LT(loop.table.counters().outbox_bytes, 1'000'000u);
  std::size_t answers = 0;
  for (int i = 0; i < 1000 && answers < kRequests && !wire.closed; ++i) {
    wire.room = 64 * 1024;
    loop.settle();
    answers += count(wire.to_client, "HTTP/1.1 200 OK");
    wire.to_client.clear();
  }
  EXPECT_EQ(answers, kRequests);
}

// --- Time, and ends.

TEST_F(HttpLaterTest, WhileAnAnswerIsOwedNoRequestIsMissed) {
  test::Wire& wire = ask(get("/slow"));
  loop.live(10 * kHandshakeTimeout);
  EXPECT_FALSE(wire.server_ended);
  give(0, "late");
  EXPECT_EQ(bodies(wire.to_client), "late ");
  loop.live(kHandshakeTimeout - 1);
  EXPECT_FALSE(wire.server_ended);
  loop.live(1);
  EXPECT_TRUE(wire.server_ended) << "nothing was asked for as long as it may be";
}

TEST_F(HttpLaterTest, WhoSaysNothingMoreIsStillAnswered) {
  test::Wire& wire = ask(get("/slow") + get("/slow"));
  wire.client_ended = true;
  loop.settle();
  EXPECT_FALSE(wire.server_ended);
  give(0, "one");
  EXPECT_FALSE(wire.closed);
  give(1, "two");
  EXPECT_EQ(bodies(wire.to_client), "one two ");
  EXPECT_TRUE(wire.closed);
}

TEST_F(HttpLaterTest, AServerThatLeavesAnswersFirst) {
  test::Wire& wire = ask(get("/slow") + get("/slow"));
  http.on_leave(*wire.connection);
  loop.settle();
  EXPECT_FALSE(wire.server_ended);
  wire.to_server = get("/prompt");
  loop.settle();
  give(1, "two");
  give(0, "one");
  EXPECT_EQ(bodies(wire.to_client), "one two ") << "what was asked before, and no more";
  EXPECT_TRUE(wire.server_ended);
}

}  // namespace
}  // namespace spate::handlers
