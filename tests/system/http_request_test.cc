// Requests that are right, in every order, form and pace; and those that end before they are whole.
#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "tests/system/http_exchange.h"
#include "tests/system/process_facts.h"

namespace spate::tests {
namespace {

class Http : public HttpTest {
 protected:
  void SetUp() override { start({}); }

  // Asks once; the connection is closed afterwards.
  HttpResponse ask(std::string_view bytes, Answers answers = Answers::get) {
    const auto client = raw_client();
    if (client == nullptr) return {};
    client->send(bytes, soon());
    return response(*client, answers);
  }
};

TEST_F(Http, TargetsInEveryFormAreUnderstood) {
  struct Row {
    const char* method;
    const char* target;
    int status;
  };
  static constexpr Row kRows[] = {
      {"GET", "/health", 200},
      {"GET", "/health?probe=1", 200},
      {"GET", "/health?", 200},
      {"GET", "/health/", 200},
      // absolute-form (RFC 9112 §3.2.2), as a proxy is asked
      {"GET", "http://spate.example/health", 200},
      {"GET", "HTTP://SPATE.EXAMPLE:8000/health?probe=1", 200},
      {"GET", "https://[2001:db8::1]:443/health", 200},
      {"GET", "http://other.example/health", 200},
      {"GET", "http://spate.example", 404},
      {"GET", "http://spate.example?probe=1", 404},
      // asterisk-form (§3.2.4)
      {"OPTIONS", "*", 204},
      // Paths are names, not places in a tree: nothing is folded.
      {"GET", "/", 404},
      {"GET", "//health", 404},
      {"GET", "/./health", 404},
      {"GET", "/x/../health", 404},
      {"GET", "/%68ealth", 404},
      {"GET", "/HEALTH", 404},
      {"GET", "/health%00", 404},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.method) + " " + row.target);
    EXPECT_EQ(ask(request(row.method, row.target)).status(), row.status);
  }
}

TEST_F(Http, MetricsAreNotForThePublic) {
  EXPECT_EQ(ask(request("GET", "/metrics")).status(), 404);
  EXPECT_EQ(ask(request("GET", "http://127.0.0.1:8001/metrics")).status(), 404);
}

TEST_F(Http, HealthIsAskedInThreeWays) {
  for (const char* path : {"/health", "/health/live", "/health/ready"}) {
    SCOPED_TRACE(path);
    const HttpResponse answer = ask(request("GET", path));
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.head.value("content-type"), "application/json");
    EXPECT_EQ(answer.body, "{}\n");
  }
}

// RFC 9110 §6.6.1: a server with a clock says the time.
TEST_F(Http, EveryAnswerIsDated) {
  for (const char* path : {"/health", "/nothing"}) {
    const std::string date = ask(request("GET", path)).head.value("date");
    EXPECT_THAT(date, testing::MatchesRegex("[A-Z][a-z][a-z], [0-9][0-9] [A-Z][a-z][a-z] "
                                            "[0-9]+ [0-9:]+ GMT"));
  }
}

TEST_F(Http, OtherMethodsAreToldWhichAreServed) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "BREW"}) {
    SCOPED_TRACE(method);
    const HttpResponse refusal = ask(request(method, "/health"));
    EXPECT_EQ(refusal.status(), 405);
    EXPECT_EQ(refusal.head.value("allow"), "GET, HEAD");
  }
}

// RFC 9110 §9.3.2: the same head, no body.
TEST_F(Http, HeadIsGetWithoutTheBody) {
  const auto headers = [](HttpResponse response) {
    std::erase_if(response.head.headers, [](const auto& field) { return field.first == "date"; });
    return response.head.headers;
  };
  for (const char* path : {"/health", "/nothing"}) {
    SCOPED_TRACE(path);
    const auto client = raw_client();
    client->send(request("HEAD", path, "Connection: close\r\n"), soon());
    const HttpResponse head = response(*client, Answers::head);
    expect_end(*client);
    const HttpResponse get = ask(request("GET", path, "Connection: close\r\n"));
    EXPECT_EQ(head.status(), get.status());
    EXPECT_EQ(headers(head), headers(get));
    EXPECT_NE(get.body, "");
  }
}

TEST_F(Http, WebSocketEndpointsSayWhatTheyWant) {
  const HttpResponse visitor = ask(request("GET", "/echo"));
  EXPECT_EQ(visitor.status(), 426);
  EXPECT_EQ(visitor.head.value("upgrade"), "websocket");
  EXPECT_EQ(visitor.head.value("sec-websocket-version"), "13");
}

TEST_F(Http, ConnectionsStayOpenWhereBothWantIt) {
  struct Row {
    const char* version;
    const char* fields;
    bool stays;
  };
  static constexpr Row kRows[] = {
      {"HTTP/1.1", "", true},
      {"HTTP/1.1", "Connection: keep-alive\r\n", true},
      {"HTTP/1.1", "Connection: close\r\n", false},
      {"HTTP/1.1", "Connection: CLOSE\r\n", false},
      {"HTTP/1.1", "Connection: keep-alive, close\r\n", false},
      {"HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"HTTP/1.1", "Connection: closed\r\n", true},
      {"HTTP/1.0", "", false},
      {"HTTP/1.0", "Connection: keep-alive\r\n", true},
      {"HTTP/1.0", "Connection: close\r\n", false},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.version) + " " + row.fields);
    const auto client = raw_client();
    client->send(
        "GET /health " + std::string(row.version) + "\r\nHost: a\r\n" + row.fields + "\r\n",
        soon());
    const HttpResponse answer = response(*client);
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.head.value("connection"), row.stays ? "keep-alive" : "close");
    if (row.stays)
      expect_open(*client);
    else
      expect_end(*client);
  }
}

TEST_F(Http, HostMayBeLeftOutInHttp10) {
  EXPECT_EQ(ask("GET /health HTTP/1.0\r\n\r\n").status(), 200);
}

TEST_F(Http, OneEmptyLineBeforeARequestIsSkipped) {
  expect_statuses("\r\n" + request("GET", "/health") + "\r\n" +
                      request("GET", "/health", "Connection: close\r\n"),
                  {200, 200});
}

TEST_F(Http, AHundredRequestsFollowEachOther) {
  const auto client = raw_client();
  for (int i = 0; i < 100; ++i) expect_open(*client);
}

TEST_F(Http, PipelinedRequestsAreAnsweredInOrder) {
  std::string bytes;
  std::vector<int> statuses;
  for (int i = 0; i < 1000; ++i) {
    bytes += i % 3 == 0 ? request("OPTIONS", "*") : request("GET", "/health");
    statuses.push_back(i % 3 == 0 ? 204 : 200);
  }
  bytes += request("GET", "/nothing") + request("GET", "/health");  // the second is too late
  statuses.push_back(404);
  expect_statuses(bytes, statuses);
}

TEST_F(Http, PipelinedRequestsByteByByte) {
  const auto client = raw_client();
  const std::string bytes = request("GET", "/health") + request("HEAD", "/health/live") +
                            request("GET", "/health", "Connection: close\r\n");
  client->send(bytes, soon(), 1);
  EXPECT_EQ(response(*client).status(), 200);
  EXPECT_EQ(response(*client, Answers::head).status(), 200);
  EXPECT_EQ(response(*client).status(), 200);
  expect_end(*client);
}

// Sent in one write: what stands behind a 101 is frames.
TEST_F(Http, AnUpgradeMayFollowRequests) {
  const auto client = raw_client();
  client->send(
      request("GET", "/health") + upgrade_request(server().endpoint().host) + text_frame("behind"),
      soon());
  EXPECT_EQ(response(*client).status(), 200);
  EXPECT_EQ(response(*client).status(), 101);
  EXPECT_NE(client->receive_through(std::string("\x81\x06") + "behind", soon()), std::string::npos);
}

// RFC 9112 §7.1: a body of no chunks is a body of no bytes, however it is written.
TEST_F(Http, EmptyBodiesAreTaken) {
  for (const char* body : {"0\r\n\r\n", "000\r\n\r\n", "0;a=b;c=\"d e\"\r\n\r\n",
                           "0\r\nX-Trailer: a\r\nX-Other:\r\n\r\n"}) {
    SCOPED_TRACE(body);
    const std::string chunked = request("GET", "/health", "Transfer-Encoding: chunked\r\n") + body;
    expect_statuses(chunked + chunked + request("GET", "/health", "Connection: close\r\n"),
                    {200, 200, 200});
  }
  expect_statuses(request("GET", "/health", "Content-Length: 0\r\nConnection: close\r\n"), {200});
}

TEST_F(Http, ABodyIsAskedForOnce) {
  const auto client = raw_client();
  client->send(request("GET", "/health", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"),
               soon());
  EXPECT_EQ(response(*client).status(), 100);
  EXPECT_EQ(client->inbox(), "");
  client->send("0\r\n\r\n", soon());
  EXPECT_EQ(response(*client).status(), 200);
  // Nothing to ask for (RFC 9110 §10.1.1).
  client->send(request("GET", "/health", "Expect: 100-continue\r\n"), soon());
  EXPECT_EQ(response(*client).status(), 200);
  client->send("GET /health HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", soon());
  EXPECT_EQ(response(*client).status(), 200);
}

// Two connections of one worker take turns; what one asked must not show in the other's answer.
TEST_F(Http, ARefusedBodyIsToldSoWhateverOthersAskMeanwhile) {
  start({"--workers", "1"});
  const auto one = raw_client();
  const auto other = raw_client();
  one->send(request("GET", "/health", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"),
            soon());
  EXPECT_EQ(response(*one).status(), 100);
  std::string requests;
  for (int i = 0; i < 10; ++i) requests += request("GET", "/health");
  other->send(requests + request("HEAD", "/health"), soon());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(response(*other).status(), 200);
  EXPECT_EQ(response(*other, Answers::head).status(), 200);
  one->send("5\r\n", soon());
  const HttpResponse refusal = response(*one);
  EXPECT_EQ(refusal.status(), 413);
  EXPECT_NE(refusal.body, "");
  expect_end(*one);
}

// The peer goes away at every byte of a request: in order, abruptly, or just so.
class HttpEarlyClose : public HttpTest {
 protected:
  void SetUp() override { start({"--workers", "1"}); }

  std::size_t descriptors() {
    const auto tree = process_tree(server().pid());
    return std::accumulate(tree.begin(), tree.end(), std::size_t{0},
                           [](std::size_t sum, pid_t pid) { return sum + open_descriptors(pid); });
  }

  void expect_survives(const std::string& bytes) {
    auto first = client();
    const std::size_t before = descriptors() - 1;  // without its connection
    first.reset();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      SCOPED_TRACE("after " + std::to_string(size) + " bytes");
      const std::string_view part = std::string_view(bytes).substr(0, size);
      const auto ending = raw_client();
      const auto resetting = raw_client();
      const auto leaving = raw_client();
      for (const auto& client : {ending.get(), resetting.get(), leaving.get()})
        ASSERT_TRUE(client->send(part, soon()));
      ending->shutdown_write();
      expect_end(*ending);
      resetting->reset();
    }
    EXPECT_TRUE(eventually([&] { return descriptors() == before; }))
        << descriptors() << " descriptors, " << before << " before";
    EXPECT_TRUE(serves());
  }
};

TEST_F(HttpEarlyClose, AtEveryByteOfARequest) {
  expect_survives(request("GET", "http://spate.example/health?a=b", "X-A: b\r\nExpect: x\r\n"));
}

TEST_F(HttpEarlyClose, AtEveryByteOfAHandshake) {
  expect_survives(upgrade_request(server().endpoint().host));
}

TEST_F(HttpEarlyClose, AtEveryByteOfAChunkedBody) {
  expect_survives(request("GET", "/health", "Transfer-Encoding: chunked\r\n") +
                  "0;extension=1\r\nTrailer: x\r\n\r\n");
}

// A sender that has said all and ends its side still wants its answer.
TEST_F(HttpEarlyClose, BehindAWholeRequestTheAnswerStillComes) {
  const auto client = raw_client();
  client->send(request("GET", "/health") + request("GET", "/health/live"), soon());
  client->shutdown_write();
  EXPECT_EQ(response(*client).status(), 200);
  EXPECT_EQ(response(*client).status(), 200);
  expect_end(*client);
}

}  // namespace
}  // namespace spate::tests
