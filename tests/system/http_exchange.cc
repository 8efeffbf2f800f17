#include "tests/system/http_exchange.h"

namespace spate::tests {
namespace {

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

// The length that a head states: none where none may be, one decimal number elsewhere.
std::optional<std::size_t> stated_length(const ResponseHead& head, std::string* why) {
  const std::size_t lengths = head.count("content-length");
  if (has_no_body(head.status)) {
    if (lengths == 0) return 0;
    *why = head.status_line + ": states a length";  // RFC 9110 §8.6
    return std::nullopt;
  }
  const std::string value = head.value("content-length");
  if (lengths != 1 || value.empty() || value.find_first_not_of("0123456789") != std::string::npos) {
    *why = head.status_line + ": Content-Length '" + value + "'";
    return std::nullopt;
  }
  return std::stoul(value);
}

}  // namespace

std::optional<HttpResponse> receive_response(RawClient& client, Answers answers, std::string* why,
                                             Deadline deadline) {
  const std::size_t head_end = client.receive_through("\r\n\r\n", deadline);
  if (head_end == std::string::npos) {
    *why = "no response; received: '" + client.inbox() + "'";
    return std::nullopt;
  }
  auto head = parse_response_head(client.take(head_end));
  if (!head) {
    *why = "not a response head: " + client.received_first();
    return std::nullopt;
  }
  const auto length = stated_length(*head, why);
  if (!length) return std::nullopt;
  if (answers == Answers::head) return HttpResponse{std::move(*head), {}};
  if (!client.receive_bytes(*length, deadline)) {
    *why = head->status_line + ": the body is shorter than stated";
    return std::nullopt;
  }
  return HttpResponse{std::move(*head), client.take(*length)};
}

std::string request(std::string_view method, std::string_view target, std::string_view fields) {
  std::string bytes(method);
  bytes.append(" ").append(target).append(" HTTP/1.1\r\nHost: spate.example\r\n");
  return bytes.append(fields).append("\r\n");
}

HttpResponse HttpTest::response(RawClient& client, Answers answers) {
  std::string why;
  auto received = receive_response(client, answers, &why);
  EXPECT_TRUE(received.has_value()) << why;
  return received ? std::move(*received) : HttpResponse{};
}

void HttpTest::expect_end(RawClient& client) {
  EXPECT_EQ(client.receive_end(soon()), RawClient::End::fin);
  EXPECT_EQ(client.inbox(), "");
}

void HttpTest::expect_open(RawClient& client) {
  EXPECT_TRUE(client.send(request("GET", "/health"), soon()));
  EXPECT_EQ(response(client).status(), 200);
}

void HttpTest::expect_statuses(std::string_view bytes, const std::vector<int>& statuses) {
  const auto client = raw_client();
  ASSERT_NE(client, nullptr);
  client->send(bytes, soon());
  for (const int status : statuses) EXPECT_EQ(response(*client).status(), status);
  expect_end(*client);
}

}  // namespace spate::tests
