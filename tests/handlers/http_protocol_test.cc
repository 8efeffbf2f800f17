#include "handlers/http/http_protocol.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/core/memory_transport.h"

namespace spate::handlers {
namespace {

// Answers with what it was sent.
class Mirror final : public HttpHandler {
 public:
  std::string_view methods() const override { return "GET, HEAD, POST"; }
  std::uint64_t max_body_bytes() const override { return 100'000; }
  HttpReply on_request(const HttpRequest& request) override {
    return {.body = std::string(request.head.method) + ' ' + std::string(request.body)};
  }
};

// Answers with a hundred thousand bytes.
class Large final : public HttpHandler {
  HttpReply on_request(const HttpRequest&) override { return {.body = std::string(100'000, 'l')}; }
};

// A WebSocket endpoint that says nothing.
class Silent final : public WebSocketHandler {
  void on_message(WebSocket&, const Message&) override {}
};

class HttpProtocolTest : public testing::Test {
 protected:
  HttpProtocolTest() {
    routes.add("/mirror", std::make_unique<Mirror>());
    routes.add("/large", std::make_unique<Large>());
    routes.add("/silent", std::make_unique<Silent>());
  }
  // The table outlives what serves its connections, and would tell it of their end.
  ~HttpProtocolTest() override {
    loop.table.for_each([this](core::Connection& each) { loop.table.abort(each); });
  }

  static std::string post(const std::string& headers, const std::string& body) {
    return "POST /mirror HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
  }
  static std::string sized(const std::string& body) {
    return post("Content-Length: " + std::to_string(body.size()) + "\r\n", body);
  }
  // What the server says to `request`, sent whole or in pieces of `chop` bytes.
  std::string ask(const std::string& request, std::size_t chop = std::string::npos) {
    test::Wire& wire = loop.connect(http);
    for (std::size_t at = 0; at < request.size(); at += std::min(chop, request.size() - at)) {
      wire.to_server += request.substr(at, chop);
      loop.settle();
    }
    return std::exchange(wire.to_client, {});
  }
  static std::size_t count(const std::string& text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
      ++found;
    return found;
  }

  static constexpr core::Tick kHandshakeTimeout = core::ticks_of_ms(1000);
  test::MemoryLoop loop{{.read_ring_bytes = 64 * 1024}};
  Routes routes{loop.table, {}};
  HttpProtocol http{loop.table, routes, {.handshake_timeout = kHandshakeTimeout}};
};

TEST_F(HttpProtocolTest, ABodyIsWholeHoweverItArrives) {
  const std::string body(1000, 'b');
  for (const std::size_t chop :
       {std::string::npos, std::size_t{1}, std::size_t{7}, std::size_t{300}})
    EXPECT_TRUE(ask(sized(body), chop).ends_with("\r\n\r\nPOST " + body)) << chop;
}

TEST_F(HttpProtocolTest, TheHeadsDeadlineEndsWithTheUpgrade) {
  test::Wire& wire = loop.connect(http);
  EXPECT_TRUE(wire.connection->timer.armed());
  wire.to_server =
      "GET /silent HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  loop.settle();
  ASSERT_TRUE(wire.to_client.starts_with("HTTP/1.1 101 "));
  EXPECT_FALSE(wire.connection->timer.armed());  // no ping interval here, so nothing to wait for
}

TEST_F(HttpProtocolTest, AHeadsTimeBeginsWithItsConnectionHoweverLongTheWorkerSlept) {
  loop.sleep(kHandshakeTimeout);
  test::Wire& wire = loop.connect(http);
  loop.serve_timers();
  loop.live(kHandshakeTimeout - 1);
  EXPECT_FALSE(wire.server_ended);
  loop.live(1);
  EXPECT_TRUE(wire.server_ended);
}

TEST_F(HttpProtocolTest, ChunksAreJoinedInPlace) {
  const std::string chunked =
      post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: x\r\n\r\n");
  for (const std::size_t chop : {std::string::npos, std::size_t{1}, std::size_t{5}})
    EXPECT_TRUE(ask(chunked, chop).ends_with("\r\n\r\nPOST abcdefg")) << chop;
}

TEST_F(HttpProtocolTest, PipelinedBodiesDoNotRunIntoEachOther) {
  const std::string requests = sized("one") +
                               post("Transfer-Encoding: chunked\r\n", "3\r\ntwo\r\n0\r\n\r\n") +
                               sized("") + sized("four");
  for (const std::size_t chop : {std::string::npos, std::size_t{1}, std::size_t{11}}) {
    const std::string answer = ask(requests, chop);
    EXPECT_EQ(count(answer, "HTTP/1.1 200 OK"), 4u) << chop;
    EXPECT_LT(answer.find("POST one"), answer.find("POST two")) << chop;
    EXPECT_TRUE(answer.ends_with("POST four")) << chop;
  }
}

TEST_F(HttpProtocolTest, ABodyOverTheLimitIsRefusedBeforeItComes) {
  const std::string answer = ask(post("Content-Length: 100001\r\nExpect: 100-continue\r\n", ""));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_TRUE(ask(sized(std::string(100'000, 'x'))).starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpProtocolTest, ExpectIsAnsweredBeforeTheBody) {
  test::Wire& wire = loop.connect(http);
  wire.to_server = post("Content-Length: 3\r\nExpect: 100-continue\r\n", "");
  loop.settle();
  EXPECT_EQ(wire.to_client, "HTTP/1.1 100 Continue\r\n\r\n");
  wire.to_client.clear();
  wire.to_server = "abc";
  loop.settle();
  EXPECT_TRUE(wire.to_client.ends_with("POST abc"));
}

TEST_F(HttpProtocolTest, AMethodThatIsNotServedNamesThoseThatAre) {
  const std::string answer = ask("DELETE /mirror HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 "));
  EXPECT_NE(answer.find("Allow: GET, HEAD, POST\r\n"), std::string::npos);
}

TEST_F(HttpProtocolTest, RepliesThatAreNotTakenHoldBackTheRequestsBehindThem) {
  test::Wire& wire = loop.connect(http);
  wire.room = 1000;
  for (int i = 0; i < 50; ++i) wire.to_server += "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
  loop.settle();
  // One reply is queued, not fifty: five million bytes.
  EXPECT_LT(loop.table.memory_bytes(), 1'000'000u);
  std::size_t replies = 0;
  for (int i = 0; i < 10'000 && replies < 50; ++i) {
    wire.room = 64 * 1024;
    loop.settle();
    replies += count(wire.to_client, "HTTP/1.1 200 OK");
    wire.to_client.clear();
  }
  EXPECT_EQ(replies, 50u);
}

TEST_F(HttpProtocolTest, AHeadHasItsTimeAndABodyMoreTheMoreItBrings) {
  test::Wire& slow_head = loop.connect(http);
  slow_head.to_server = "GET /mirror HTTP/1.1\r\n";
  test::Wire& silent = loop.connect(http);
  test::Wire& slow_body = loop.connect(http);
  slow_body.to_server = post("Content-Length: 9000\r\n", std::string(4000, 'b'));
  loop.settle();
  loop.live(core::ticks_of_ms(1100));
  EXPECT_TRUE(slow_head.to_client.starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(silent.server_ended);
  EXPECT_TRUE(silent.to_client.empty());
  EXPECT_FALSE(slow_body.server_ended);  // 4,000 bytes at 500 a second: eight seconds more
  loop.live(core::ticks_of_ms(8200));
  EXPECT_TRUE(slow_body.to_client.starts_with("HTTP/1.1 408 "));
}

TEST_F(HttpProtocolTest, OptionsOfTheWholeServer) {
  const std::string answer = ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 204 "));
  EXPECT_NE(answer.find("Allow: GET, HEAD\r\n"), std::string::npos);
}

}  // namespace
}  // namespace spate::handlers
